"""A client that only knows RunComfy's documentation cannot tell Darkroom from RunComfy.

The same calls go to the gateway and, with the token of the account, to RunComfy itself (as the
simulator plays it); what both answer must be the same. Where RunComfy's pages leave an answer
open, both give the one that its own clients read. What has to differ is listed in
``test_contract_differences.py``; the catalog is compared in ``test_catalog.py``.
"""

from typing import Any

import pytest

from tests.acceptance.contract import Both, ok
from tests.acceptance.origins import an_input
from tests.acceptance.runcomfy import IMAGE_MODEL, RunComfy

VIDEO_MODEL = "bytedance/seedance-v1.5-pro/image-to-video"
IMAGES_MODEL = "google/nano-banana-2/text-to-image"
#: The example of RunComfy's page for Seedance 1.5 Pro, its sample text cut short.
VIDEO = {
    "prompt": "A gentle breeze blows softly, and the real girl's body remains stable.",
    "first_frame_image_url": (
        "https://playgrounds-storage-public.runcomfy.net/tools/7272/media-files/input-1-1.png"
    ),
}
#: What both callers submit, so that even the echo of it is alike.
GIVEN = an_input()
URLS = {
    "status_url": "<base>/v1/requests/<id>/status",
    "result_url": "<base>/v1/requests/<id>/result",
}
ECHOED = {"model_id": IMAGE_MODEL, "input": GIVEN, "created_at": "<instant>"}


def test_a_submission_is_answered_with_an_id_and_three_urls(both: Both) -> None:
    accepted = both.answer(lambda caller: caller.submit(GIVEN)[1])
    assert accepted == ok(request_id="<id>", **URLS, cancel_url="<base>/v1/requests/<id>/cancel")


def test_in_the_queue(both: Both, runcomfy: RunComfy) -> None:
    runcomfy.hold(queue=True)
    ids = both.submit(GIVEN)
    waiting = {"request_id": "<id>", "status": "in_queue", "queue_position": "<place>"}
    assert both.status(ids) == ok(**waiting, **URLS)
    assert both.result(ids) == ok(**waiting, **ECHOED)


def test_in_progress(both: Both, runcomfy: RunComfy) -> None:
    runcomfy.hold(progress=True)
    ids = both.submit(GIVEN)
    running = {"request_id": "<id>", "status": "in_progress"}
    assert both.wait_for(ids, "in_progress") == ok(**running, **URLS)
    assert both.result(ids) == ok(**running, **ECHOED)


@pytest.mark.parametrize(
    ("model_id", "given", "output"),
    [
        (IMAGE_MODEL, GIVEN, {"image": "<output>.png", "images": ["<output>.png"]}),
        (VIDEO_MODEL, VIDEO, {"video": "<output>.mp4", "videos": ["<output>.mp4"]}),
        (
            IMAGES_MODEL,
            an_input(num_images=3, output_format="jpeg"),
            {
                "image": "<output>.jpeg",
                "images": ["<output>.jpeg", "<output>.2.jpeg", "<output>.3.jpeg"],
            },
        ),
    ],
)
def test_a_success(both: Both, model_id: str, given: Any, output: Any) -> None:
    ids = both.submit(given, model_id)
    done = both.wait_for(ids, "completed")
    assert done == ok(request_id="<id>", status="completed", **URLS)
    expected = ok(
        request_id="<id>",
        model_id=model_id,
        status="succeeded",
        input=given,
        output=output,
        created_at="<instant>",
        finished_at="<instant>",
    )
    assert both.result(ids) == expected
    assert both.result(ids, include_cost="false") == expected


@pytest.mark.parametrize("marker", ["[[sim:failed]]", "[[sim:image_invalid]]"])
def test_a_failure_is_completed_and_its_result_says_why(both: Both, marker: str) -> None:
    given = an_input(marker)
    ids = both.submit(given)
    done = both.wait_for(ids, "completed")
    assert done == ok(request_id="<id>", status="completed", **URLS)
    queries: list[dict[str, str]] = [{}, {"include_cost": "false"}, {"include_cost": "true"}]
    for query in queries:
        result = both.result(ids, **query)
        assert result.word == "failed"
        assert isinstance(result.body["error"], str)
        assert not {"output", "cost", "error_code"} & set(result.body)


def test_a_cancel_in_the_queue(both: Both, runcomfy: RunComfy) -> None:
    runcomfy.hold(queue=True)
    ids = both.submit(GIVEN)
    cancelled = {"request_id": "<id>", "status": "cancelled"}
    assert both.cancel(ids) == ok(**cancelled, outcome="cancelled")
    assert both.status(ids) == ok(**cancelled, **URLS)
    ended = ok(**cancelled, **ECHOED, finished_at="<instant>")
    assert both.result(ids) == ended
    assert both.cancel(ids) == ok(**cancelled, outcome="not_cancellable")


def test_a_cancel_in_progress(both: Both, runcomfy: RunComfy) -> None:
    runcomfy.hold(progress=True)
    ids = both.submit(GIVEN)
    both.wait_for(ids, "in_progress")
    refused = ok(request_id="<id>", status="in_progress", outcome="not_cancellable")
    assert both.cancel(ids) == refused
    runcomfy.finish_all()
    both.wait_for(ids, "completed")
    assert both.result(ids).word == "succeeded"


@pytest.mark.parametrize("marker", ["", "[[sim:failed]]"])
def test_a_cancel_after_the_end(both: Both, marker: str) -> None:
    ids = both.submit(an_input(marker))
    both.wait_for(ids, "completed")
    too_late = ok(request_id="<id>", status="completed", outcome="not_cancellable")
    assert both.cancel(ids) == too_late


@pytest.mark.parametrize(("resolution", "price"), [("1K", 0.04), ("2K", 0.08)])
def test_a_cost_is_told_although_runcomfy_knows_it_only_after_the_end(
    both: Both, resolution: str, price: float
) -> None:
    ids = both.submit(an_input(resolution=resolution))
    both.wait_for(ids, "completed")
    assert both.costs(ids) == [price, price]
