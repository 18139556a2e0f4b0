"""A worker fetches RunComfy's catalog, and the gateway answers and checks by it."""

import httpx
import pytest

from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.runcomfy import IMAGE_MODEL, RunComfy
from tests.acceptance.stack import TOKEN
from tests.acceptance.waiting import eventually
from tests.builders import UNLISTED


@pytest.fixture
def asking(north: OriginClient) -> OriginClient:
    """An origin whose gateway has the catalog by now."""
    path = f"/v1/models/{IMAGE_MODEL}"
    eventually(
        lambda: north.call("GET", path).status_code == 200, "the gateway has RunComfy's catalog"
    )
    return north


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models?include_schema=true",
        "/v1/models?search=SEEDREAM",
        "/v1/models?category=image-to-video&include_schema=true",
        "/v1/models?kind=workflow",
        "/v1/models?limit=1&offset=1",
        "/v1/models/categories",
        f"/v1/models/{IMAGE_MODEL}",
    ],
)
def test_the_catalog_is_answered_as_runcomfy_answers_it(
    asking: OriginClient, runcomfy: RunComfy, path: str
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    theirs = httpx.get(f"{runcomfy.url}{path}", headers=headers, trust_env=False)
    ours = asking.call("GET", path)
    assert ours.json() == theirs.json()
    assert ours.status_code == theirs.status_code == 200


def test_an_input_that_the_fetched_schema_is_against_is_refused_and_not_paid(
    asking: OriginClient, runcomfy: RunComfy
) -> None:
    given = an_input(resolution="9K", seed=1)
    answer = asking.post(given)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/resolution", "#/seed"]
    assert runcomfy.paid_for(given) == []


def test_a_model_that_the_catalog_does_not_list_is_run_unchecked(
    asking: OriginClient, runcomfy: RunComfy
) -> None:
    given = an_input(seed=1)
    request_id = asking.submit(given, model_id=UNLISTED)
    record = asking.wait_until_finished(request_id)
    assert (record["status"], record["schema"]) == ("succeeded", "unknown")
    assert len(runcomfy.paid_for(given)) == 1
