"""Images are looked at before anything is paid, where that is switched on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.gallery import SIGNATURE, Gallery
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import Stack
from tests.acceptance.test_uncertain import darkroom
from tests.builders import SEEDANCE
from tests.images import an_image, inline

GOOD = an_image(640, 480)
SMALL = an_image(200, 640)
TOO_SMALL = (
    "first_frame_image_url: The image's width and height must not be under 300 pixels. "
    "first_frame_image_url: The aspect ratio must be between 0.4 and 2.5."
)


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    gallery = Gallery()
    yield gallery
    gallery.close()


def submit(origin: OriginClient, url: str, **query: Any) -> tuple[str, dict[str, Any]]:
    """Have a video made of an image; the id, and what was given."""
    given = an_input(first_frame_image_url=url)
    answer = origin.call("POST", f"/v1/models/{SEEDANCE}", params=query, json=given)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"]), given


def test_an_image_that_breaks_the_rules_fails_the_generation_unpaid(
    north: OriginClient, runcomfy: RunComfy, gallery: Gallery
) -> None:
    picture, endpoint = gallery.show(SMALL), north.endpoint()
    request_id, given = submit(north, picture.url, webhook=endpoint.url, preflight="true")

    callback = endpoint.wait_for_event("generation.failed")

    error = {"code": "invalid_input", "message": TOO_SMALL}
    assert callback.told["error"] == error
    assert callback.told["submissions"] == 0
    record = north.record(request_id)
    assert (record["status"], record["error"], record["submissions"]) == ("failed", error, 0)
    assert [moment["status"] for moment in record["timeline"]] == ["queued", "failed"]
    assert north.result(request_id)["status"] == "failed"
    assert runcomfy.paid_for(given) == []
    assert picture.ranges == ["bytes=0-262143"]


def test_a_file_that_is_too_large_is_known_by_its_head(
    north: OriginClient, runcomfy: RunComfy, gallery: Gallery
) -> None:
    request_id, given = submit(north, gallery.show(GOOD, length=50 * 1024**2).url, preflight="true")
    record = north.wait_until_finished(request_id)
    message = "first_frame_image_url: The file size must be under 30 MB."
    assert record["error"] == {"code": "invalid_input", "message": message}
    assert runcomfy.paid_for(given) == []


def test_an_image_within_the_rules_is_submitted(
    north: OriginClient, runcomfy: RunComfy, gallery: Gallery
) -> None:
    picture = gallery.show(GOOD)
    request_id, given = submit(north, picture.url, preflight="true")
    assert north.wait_until_finished(request_id)["status"] == "succeeded"
    assert len(runcomfy.paid_for(given)) == 1
    assert len(picture.ranges) == 1


def test_a_redirect_is_followed_to_what_may_be_called(
    north: OriginClient, gallery: Gallery
) -> None:
    moved = gallery.show(status=302, headers={"Location": gallery.show(SMALL).url})
    request_id, _ = submit(north, moved.url, preflight="true")
    assert north.wait_until_finished(request_id)["error"]["code"] == "invalid_input"


def test_inline_images_are_looked_at_too(north: OriginClient, runcomfy: RunComfy) -> None:
    request_id, given = submit(north, inline(SMALL), preflight="true")
    assert north.wait_until_finished(request_id)["error"]["message"] == TOO_SMALL
    assert runcomfy.paid_for(given) == []


def test_what_cannot_be_fetched_or_read_is_for_runcomfy_to_judge(
    north: OriginClient, runcomfy: RunComfy, gallery: Gallery, stack: Stack
) -> None:
    beyond = {"Location": "http://10.255.255.1/small.png"}
    urls = [
        gallery.show(status=404).url,
        gallery.show(b"<html>no image</html>").url,
        gallery.show(status=302, headers=beyond).url,
        "http://10.255.255.1/small.png?" + SIGNATURE,
        "http://nobody.invalid/small.png?" + SIGNATURE,
    ]
    submitted = [submit(north, url, preflight="true") for url in urls]
    for request_id, given in submitted:
        assert north.wait_until_finished(request_id)["status"] == "succeeded"
        assert len(runcomfy.paid_for(given)) == 1
    said = [worker.text() for worker in stack.workers]
    assert any("preflight.unreadable" in text for text in said)
    assert not any(SIGNATURE in text or "small.png" in text for text in said)


def test_nothing_is_looked_at_unless_that_is_switched_on(
    north: OriginClient, runcomfy: RunComfy, gallery: Gallery
) -> None:
    picture = gallery.show(SMALL)
    request_id, given = submit(north, picture.url)
    assert north.wait_until_finished(request_id)["status"] == "succeeded"
    assert picture.ranges == []
    assert len(runcomfy.paid_for(given)) == 1


def test_an_origin_may_have_it_always_and_a_request_may_do_without(
    north: OriginClient, gallery: Gallery, stack: Stack
) -> None:
    made = json.loads(darkroom(stack, "keys", "create", "careful", "--preflight").stdout)
    careful = OriginClient("careful", made["api_key"], "", north.http, north.receiver)
    small = gallery.show(SMALL).url
    refused, passed = submit(careful, small)[0], submit(careful, small, preflight="false")[0]
    assert careful.wait_until_finished(refused)["error"]["code"] == "invalid_input"
    assert careful.wait_until_finished(passed)["status"] == "succeeded"


def test_the_native_route_takes_the_same_wish(north: OriginClient, gallery: Gallery) -> None:
    given = an_input(first_frame_image_url=gallery.show(SMALL).url)
    asked = {"model": SEEDANCE, "input": given, "preflight": True}
    created = north.call("POST", "/v1/generations", json=asked).json()
    assert north.wait_until_finished(created["id"])["error"]["message"] == TOO_SMALL
