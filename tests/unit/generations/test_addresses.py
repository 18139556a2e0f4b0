"""Which endpoints may be called, whatever the spelling."""

import ipaddress
from collections.abc import Callable

import httpx
import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from generations.addresses import (
    Allowed,
    check_address,
    check_webhook,
    host_of,
    literal_address,
    server_of,
)
from generations.errors import AddressNotAllowed, HttpsRequired, InvalidWebhook

NOTHING = Allowed()


def each(text: str) -> list[str]:
    return text.split()


PUBLIC = each(
    """
    93.184.216.34  1.1.1.1  8.8.8.8  172.15.255.255  172.32.0.1  192.167.255.255  192.169.0.1
    11.0.0.1  9.255.255.255  126.255.255.255  128.0.0.1  169.253.255.255  169.255.0.1
    100.63.255.255  100.128.0.1  198.17.255.255  198.20.0.1  223.255.255.255
    [2606:4700:4700::1111]  [2a00:1450:4001:80b::200e]  [2400:cb00::1]
    [::ffff:8.8.8.8]  [::ffff:808:808]
"""
)

IPV4_RANGES = each(
    """
    0.0.0.0  0.255.255.255  10.0.0.0  10.255.255.255  100.64.0.0  100.127.255.255
    127.0.0.1  127.255.255.255  169.254.169.254  169.254.0.1  172.16.0.1  172.31.255.255
    192.0.0.1  192.0.0.170  192.0.2.1  192.88.99.1  192.168.0.1  192.168.255.255
    198.18.0.1  198.19.255.255  198.51.100.1  203.0.113.1
    224.0.0.1  239.255.255.255  240.0.0.1  255.255.255.254  255.255.255.255
"""
)

OTHER_SPELLINGS = each(
    """
    2130706433  0x7f000001  0X7F000001  017700000001  127.1  127.0.1  0177.0.0.1  0177.1
    0x7f.0.0.1  0x7f.1  0x7f.0x0.0x0.0x1  0  0x0  00.0.0.0  00000177.0.0.1
    3232235521  0xc0a80001  192.168.1  10.1  167772161  2852039166  0xa9fea9fe  169.16689662
    127.0.0.1.  0x7f.1.  2130706433.
"""
)

IPV6_RANGES = each(
    """
    [::]  [::1]  [0:0:0:0:0:0:0:1]  [0000:0000:0000:0000:0000:0000:0000:0001]
    [fc00::1]  [fd00:ec2::254]  [fdff:ffff::1]  [fe80::1]  [febf::1]  [fec0::1]  [feff::1]
    [ff02::1]  [ff0e::1]  [100::1]  [2001::1]  [2001:10::1]  [2001:20::1]  [2001:db8::1]
    [3fff::1]  [5f00::1]  [4000::1]  [8000::1]  [1::1]
    [fe80::1%25eth0]  [fe80::1%eth0]  [::1%25lo]  [::1%lo]  [fe80::1%251]
"""
)

IPV4_IN_IPV6 = each(
    """
    [::ffff:127.0.0.1]  [::ffff:7f00:1]  [0:0:0:0:0:ffff:7f00:0001]  [::FFFF:10.0.0.1]
    [::ffff:169.254.169.254]  [::ffff:c0a8:1]  [::ffff:0.0.0.0]
    [::127.0.0.1]  [::7f00:1]  [::8.8.8.8]
    [::ffff:0:127.0.0.1]  [::ffff:0:8.8.8.8]
    [64:ff9b::127.0.0.1]  [64:ff9b::7f00:1]  [64:ff9b::8.8.8.8]  [64:ff9b:1::a00:1]
    [2002:7f00:1::]  [2002:7f00:1::1]  [2002:a00:1::]  [2002:808:808::]
"""
)

#: Clients encode a host (IDNA) before they connect, and these become digits and dots.
UNICODE_SPELLINGS = each(
    """
    127。0。0。1  127．0．0．1  127｡0｡0｡1  127。0.0．1  10。0。0。1  169。254。169。254
    １２７.０.０.１  １２７．０．０．１  ①②⑦.⓪.⓪.①  ⑩.0.0.1  𝟭𝟮𝟳.𝟬.𝟬.𝟭  ¹²⁷.0.0.1  127.0.0.₁
    ２１３０７０６４３３  0ｘ7f.1  ０x7f000001  ⅼocalhost  ｌｏｃａｌｈｏｓｔ  ⓛⓞⓒⓐⓛⓗⓞⓢⓣ
"""
)

LOCAL_NAMES = each("localhost LOCALHOST LocalHost localhost. api.localhost a.b.localhost.")

REFUSED = [*IPV4_RANGES, *OTHER_SPELLINGS, *IPV6_RANGES, *IPV4_IN_IPV6, *UNICODE_SPELLINGS]

#: What may stand around a host without changing it.
PLACES = ("http://{}", "https://{}/", "HTTP://{}:8080/callback?a=b#c", "http://{}:80")


@pytest.mark.parametrize("host", [*REFUSED, *LOCAL_NAMES])
def test_a_host_that_is_not_public_is_refused(host: str) -> None:
    for place in PLACES:
        with pytest.raises(AddressNotAllowed):
            check_webhook(place.format(host), NOTHING)


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_address_may_be_called(host: str) -> None:
    for place in PLACES:
        check_webhook(place.format(host), NOTHING)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "EXAMPLE.com.",
        "xn--bcher-kva.example",
        "bücher.example",
        "a-b.example",
        "my_host.example",
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.example.com",
        "1.2.3.4.5",
        "256.256.256.256",
        "0x7g.1",
        "08.8.8.8",
    ],
)
def test_a_name_is_left_to_the_check_of_what_it_resolves_to(host: str) -> None:
    check_webhook(f"https://{host}/callback", NOTHING)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "/callback",
        "http:",
        "http://",
        "http:///callback",
        "http://:80/",
        "http://.",
        "http://../",
        "http://。/",
        "http:example.com",
        "https:/example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://127.0.0.1:6379/",
        "ws://example.com/",
        "data:text/plain,hello",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://example.com:80@127.0.0.1/",
        "http://example.com:port/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://[::1/",
        "http://::1]/",
        "http://[::1]x/",
        "http://[127.0.0.1]/",
        "http://[12345::1]/",
        "http://[v1.a]/",
        "http://exa mple.com/",
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com/ ",
        "http://example.com\\@127.0.0.1/",
        "http:\\\\example.com/",
        "http://example.com/\r\nX-Header: 1",
        "http://exam\tple.com/",
        "http://exam\nple.com/",
        "http://example.com\x00.evil.example/",
        "http://example.com/\x00",
        "http://example.com/\x7f",
        "http://example.com/\u2028",
        "http://exam\u200bple.com/",
        "http://exam\u00adple.com/",
        "http://example.com\u00a0/",
        "http://example.com/\ud83d",
        "http://example.com／path@127.0.0.1/",
        "http://example.com＠127.0.0.1/",
        "http://example.com：80/",
        'http://example.com/"',
        "http://<example.com>/",
        "http://{example}.com/",
        "http://example.com/`id`",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidWebhook):
        check_webhook(url, Allowed(hosts=frozenset({"", "127.0.0.1"})))


def test_the_longest_url_has_2048_characters() -> None:
    check_webhook("https://example.com/" + "a" * 2028, NOTHING)


@given(host=st.text(alphabet="0127.xX。．｡①１٠%:[]-aAfF۱", min_size=1, max_size=24))
def test_no_spelling_reaches_an_address_that_was_not_checked(host: str) -> None:
    url = f"http://{host}/"
    try:
        # What the callback sender dials: httpx encodes the host, aiohttp takes it from there.
        dialled = yarl.URL(str(httpx.URL(url))).host or ""
        address = ipaddress.ip_address(dialled.partition("%")[0])
    except (ValueError, httpx.InvalidURL):
        return  # Nothing is dialled, or a resolver asked, whose answers are checked.
    if is_refused(lambda: check_address(address, NOTHING)):
        with pytest.raises((AddressNotAllowed, InvalidWebhook)):
            check_webhook(url, NOTHING)


@given(address=st.ip_addresses())
def test_an_address_is_judged_alike_by_text_and_by_value(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    host = f"[{address}]" if ":" in str(address) else str(address)
    by_text = is_refused(lambda: check_webhook(f"http://{host}/", NOTHING))
    by_value = is_refused(lambda: check_address(address, NOTHING))
    assert by_text == by_value
    assert by_value or (address.is_global and not address.is_multicast)


def is_refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except AddressNotAllowed:
        return True
    return False


@pytest.mark.parametrize(
    ("entries", "url"),
    [
        ("127.0.0.0/8", "http://127.0.0.1:9000/"),
        ("127.0.0.1", "http://2130706433/"),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
        ("127.0.0.1", "http://127。0。0。1/"),
        ("10.1.2.3/8", "http://10.200.0.1/"),
        ("::1", "http://[::1]/"),
        ("fd00::/8", "http://[fd12::1]/"),
        ("0.0.0.0/0", "http://192.168.0.1/"),
        ("::/0", "http://[fe80::1%25eth0]/"),
        ("localhost", "http://localhost/"),
        ("LOCALHOST.", "http://localhost:80/"),
        ("hook.internal", "http://HOOK.internal./"),
        ("api.localhost", "http://api.localhost/"),
    ],
)
def test_an_operator_may_allow_more(entries: str, url: str) -> None:
    check_webhook(url, Allowed.parse(entries.split(",")))


@pytest.mark.parametrize(
    ("entries", "url"),
    [
        ("10.0.0.0/8", "http://11.0.0.1@10.0.0.1/"),
        ("10.0.0.0/8", "http://127.0.0.1/"),
        ("127.0.0.1/32", "http://127.0.0.2/"),
        ("::/0", "http://127.0.0.1/"),
        ("0.0.0.0/0", "http://[::1]/"),
        ("localhost", "http://api.localhost/"),
        ("localhost", "http://127.0.0.1/"),
        ("example.com", "http://localhost/"),
    ],
)
def test_an_operator_allows_no_more_than_is_named(entries: str, url: str) -> None:
    with pytest.raises((AddressNotAllowed, InvalidWebhook)):
        check_webhook(url, Allowed.parse(entries.split(",")))


def test_a_network_may_be_named_by_one_of_its_addresses() -> None:
    assert Allowed.parse(["10.1.2.3/8"]).networks == (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.COM:443/x", "example.com"),
        ("https://example.com./", "example.com"),
        ("http://[2606:4700::1]:80/", "2606:4700::1"),
        ("http://ｅｘａｍｐｌｅ.com/", "example.com"),
        ("http://bücher.example/", "bücher.example"),
    ],
)
def test_the_host_is_written_one_way(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("host", ["example.com", "", "1.2.3.4.5", "0x7g", "256.0.0.1", "[::1]"])
def test_a_name_spells_no_address(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "HTTP://example.com", "http://hooks.internal/", "http://10.1.0.1"],
)
def test_https_alone_may_be_asked_for_of_allowed_endpoints_too(url: str) -> None:
    allowed = Allowed.parse(["hooks.internal", "10.1.0.0/16"], https_only=True)
    with pytest.raises(HttpsRequired):
        check_webhook(url, allowed)
    check_webhook("https" + url[4:], allowed)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://example.com/hooks/secret?token=secret#x", "https://example.com:443"),
        ("http://example.com", "http://example.com:80"),
        ("HTTPS://EXAMPLE.com.:443/", "https://example.com:443"),
        ("http://example.com:8080/", "http://example.com:8080"),
        ("http://[2606:4700::1]/", "http://[2606:4700::1]:80"),
        ("http://[2606:4700::1]:81/", "http://[2606:4700::1]:81"),
    ],
)
def test_a_server_is_scheme_host_and_port(url: str, server: str) -> None:
    assert server_of(url) == server
