"""Two origins on one gateway see and touch only what is theirs."""

import pytest

from tests.acceptance.origins import OriginClient, an_input


def test_each_origin_lists_only_its_own(north: OriginClient, south: OriginClient) -> None:
    of_north, of_south = north.submit(an_input()), south.submit(an_input())

    assert of_north in north.listed()
    assert of_south in south.listed()
    assert not set(north.listed()) & set(south.listed())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/requests/{}/status"),
        ("GET", "/v1/requests/{}/result"),
        ("POST", "/v1/requests/{}/cancel"),
        ("GET", "/v1/generations/{}"),
        ("POST", "/v1/generations/{}/cancel"),
    ],
)
def test_anothers_generation_is_answered_like_one_that_never_was(
    method: str, path: str, north: OriginClient, south: OriginClient
) -> None:
    request_id = north.submit(an_input())

    foreign = south.call(method, path.format(request_id))
    unknown = south.call(method, path.format("gen_00000000000000000000000000"))

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() == unknown.json()
    assert north.wait_until_finished(request_id)["status"] == "succeeded"


def test_each_origins_callback_is_signed_with_its_own_secret(
    north: OriginClient, south: OriginClient
) -> None:
    assert north.secret != south.secret
    for origin in (north, south):
        endpoint = origin.endpoint()
        origin.submit(an_input(), webhook=endpoint.url)
        endpoint.wait_for()
