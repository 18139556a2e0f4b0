"""What the first bytes of an image tell, whole or cut, and what is no image at all."""

import base64
import time

import pytest

from generations.dialect import ImageFacts
from tests.images import an_image, inline
from worker.images.head import LONGEST_HEAD, facts_inline, facts_of, file_size_of, read_size


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "AVIF"])
def test_the_head_of_a_file_tells_its_size(kind: str) -> None:
    file = an_image(640, 480, kind=kind, noisy=True)
    assert len(file) > 8_000
    assert read_size(file) == read_size(file[:4_000]) == (640, 480)


def test_a_size_is_told_of_images_that_nobody_could_hold() -> None:
    head = bytearray(an_image(1, 1)[:64])
    head[16:24] = (60_000).to_bytes(4) + (50_000).to_bytes(4)
    assert read_size(bytes(head)) == (60_000, 50_000)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"<!doctype html><html>",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='20'/>",
        b"P6\n10 20\n255\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff" + b"\xff" * 1000,
        b"II*\x00" + b"\xff" * 100,
        b"MM\x00*" + b"\x00" * 100,
        b"GIF89a\x00\x00\x00\x00",
        b"RIFF\x00\x00\x00\x00WEBPVP8X",
        b"\x00\x00\x00\x18ftypavif" + b"\xff" * 1000,
        b"\x00\x00\x00\x18ftypheic" + b"\x00" * 1000,
        b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 1000,
        b"\x00" * 1000,
    ],
)
def test_what_is_no_image_or_cut_too_short_tells_nothing(head: bytes) -> None:
    assert read_size(head) is None
    assert facts_of(head, file_size=7) == ImageFacts(file_size=7)


@pytest.mark.parametrize(
    "head",
    [
        b"P6\n" + b"1" * LONGEST_HEAD,
        b"<svg" + b" " * LONGEST_HEAD,
        b"\xff\xd8\xff" + b"\xff\xe1\x00\x02" * (LONGEST_HEAD // 4),
        b"GIF89a" + b"\x00" * LONGEST_HEAD,
        b"II*\x00\x08\x00\x00\x00\xff\xff" + b"\x00\x01\x00\x03" * (LONGEST_HEAD // 4),
        b"\x00\x00\x00\x08ftyp" * (LONGEST_HEAD // 8),
    ],
)
def test_no_head_keeps_the_loop_for_long(head: bytes) -> None:
    began = time.process_time()
    read_size(head[:LONGEST_HEAD])
    assert time.process_time() - began < 1


def test_an_inline_image_tells_the_same() -> None:
    file = an_image(320, 200)
    facts = facts_inline(inline(file))
    assert facts is not None
    assert (facts.width, facts.height) == (320, 200)
    assert facts.file_size is not None
    assert abs(facts.file_size - len(file)) <= 2


@pytest.mark.parametrize(
    "url",
    [
        "data:,hello",
        "data:image/png,%89PNG",
        "data:image/png;base64,AAA",
        "data:image/png;base64,\u00e4\u00f6\u00fc",
        f"data:{'x' * 300};base64,AAAA",
        "https://images.example/cat.png",
    ],
)
def test_an_inline_text_that_is_no_base64_tells_nothing(url: str) -> None:
    assert facts_inline(url) is None


def test_inline_text_that_is_no_image_tells_its_length_only() -> None:
    url = f"data:text/plain;base64,{base64.b64encode(b'x' * 300).decode()}"
    assert facts_inline(url) == ImageFacts(file_size=300)


@pytest.mark.parametrize(
    ("status_code", "headers", "size"),
    [
        (206, {"content-range": "bytes 0-99/31457281", "content-length": "100"}, 31457281),
        (206, {"content-range": "bytes 0-99/*", "content-length": "100"}, None),
        (206, {"content-length": "100"}, None),
        (206, {"content-range": "bytes 0-99/1e9"}, None),
        (206, {"content-range": f"bytes 0-99/{'9' * 19}"}, None),
        (200, {"content-length": "4711"}, 4711),
        (200, {"content-length": "4711", "content-encoding": "gzip"}, None),
        (200, {"content-length": "many"}, None),
        (200, {}, None),
    ],
)
def test_an_answer_tells_how_long_the_whole_file_is(
    status_code: int, headers: dict[str, str], size: int | None
) -> None:
    assert file_size_of(status_code, headers) == size
