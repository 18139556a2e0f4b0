"""The simulator as a process of its own, over real sockets; every request is moved by hand."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SEEDANCE = "bytedance/seedance-v1.5-pro/image-to-video"
NANO_BANANA = "google/nano-banana-2/text-to-image"
SEEDREAM = "bytedance/seedream-5.0-pro/text-to-image"
TOKEN = "a-token"
DEADLINE = 10.0

Json = dict[str, Any]


def a_video_input(**fields: object) -> Json:
    return {
        "prompt": "A gentle breeze",
        "first_frame_image_url": "https://example.com/a.png",
    } | fields


class Api(httpx.AsyncClient):
    """httpx's own transport, with a token."""

    def __init__(self, base_url: str, *, token: str = TOKEN) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        super().__init__(base_url=base_url, headers=headers, timeout=DEADLINE, verify=False)

    async def submit(self, model_id: str = SEEDANCE, **fields: object) -> httpx.Response:
        body = a_video_input() if model_id == SEEDANCE else {"prompt": "A fox"}
        return await self.post(f"/v1/models/{model_id}", json=body | fields)

    async def accepted(self, model_id: str = SEEDANCE, **fields: object) -> str:
        return str((await self.submit(model_id, **fields)).json()["request_id"])

    async def status(self, request_id: str) -> Json:
        return dict((await self.get(f"/v1/requests/{request_id}/status")).json())

    async def result(self, request_id: str) -> Json:
        return dict((await self.get(f"/v1/requests/{request_id}/result?include_cost=true")).json())

    async def cancel(self, request_id: str) -> httpx.Response:
        return await self.post(f"/v1/requests/{request_id}/cancel")

    async def order(self, fault: str, **order: object) -> None:
        (await self.post("/_sim/faults", json={"fault": fault, **order})).raise_for_status()

    async def move(self, request_id: str, how: str, **body: object) -> Json:
        answer = await self.post(f"/_sim/requests/{request_id}/{how}", json=body)
        return dict(answer.raise_for_status().json())

    async def paid(self) -> int:
        return int((await self.get("/_sim/ledger?limit=0")).json()["total"])


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulator process that holds every request until a test moves it."""
    errors = tmp_path_factory.mktemp("simulator") / "stderr"
    environment = os.environ | {
        "DARKROOM_SIMULATOR_TOKEN": TOKEN,
        "DARKROOM_SIMULATOR_OTHER_TOKEN": "another-token",
        "DARKROOM_SIMULATOR_HOLD_QUEUE": "true",
        "DARKROOM_SIMULATOR_HOLD_PROGRESS": "true",
        "DARKROOM_SIMULATOR_COST": "at_once",
    }
    command = [sys.executable, "-W", "error", "-m", "ops.simulator", "--port", "0"]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("simulator listening on http://127.0.0.1:"), errors.read_text()
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    assert errors.read_text() == ""


@pytest.fixture
async def api(origin: str) -> AsyncIterator[Api]:
    async with Api(origin) as client:
        yield client
        await client.delete("/_sim/faults")
        await client.put("/_sim/rates", json={})


# --- The course of a request ---------------------------------------------------------------


async def test_a_submission_answers_with_urls_on_our_own_origin(api: Api, origin: str) -> None:
    answer = await api.submit()
    request_id = answer.json()["request_id"]
    assert answer.status_code == 200
    assert answer.json() == {
        "request_id": request_id,
        "status_url": f"{origin}/v1/requests/{request_id}/status",
        "result_url": f"{origin}/v1/requests/{request_id}/result",
        "cancel_url": f"{origin}/v1/requests/{request_id}/cancel",
    }


async def test_a_held_request_moves_only_when_moved(api: Api) -> None:
    request_id = await api.accepted()
    assert (await api.status(request_id))["queue_position"] == 4
    assert (await api.result(request_id))["status"] == "in_queue"
    await api.move(request_id, "start")
    assert (await api.status(request_id))["status"] == "in_progress"
    assert "queue_position" not in await api.status(request_id)
    await api.move(request_id, "finish")
    assert (await api.status(request_id))["status"] == "completed"


async def test_a_result_echoes_the_input_and_names_the_output(api: Api, origin: str) -> None:
    request_id = await api.accepted(duration=4)
    await api.move(request_id, "finish")
    result = await api.result(request_id)
    url = f"{origin}/outputs/{request_id}.mp4"
    assert result["status"] == "succeeded"
    assert result["output"] == {"video": url, "videos": [url]}
    assert result["input"] == a_video_input(duration=4)
    assert result["model_id"] == SEEDANCE
    assert result["created_at"] < result["finished_at"]
    assert result["cost"] == 0.2
    assert "cost" not in (await api.get(f"/v1/requests/{request_id}/result")).json()


async def test_only_a_queued_request_can_be_cancelled(api: Api) -> None:
    queued, running = await api.accepted(), await api.accepted()
    await api.move(running, "start")
    for request_id, status, outcome in [
        (queued, "cancelled", "cancelled"),
        (queued, "cancelled", "not_cancellable"),
        (running, "in_progress", "not_cancellable"),
    ]:
        answer = await api.cancel(request_id)
        assert answer.status_code == 200
        assert answer.json() == {"request_id": request_id, "status": status, "outcome": outcome}
    assert (await api.status(queued))["status"] == "cancelled"
    assert "output" not in await api.result(queued)


# --- Refusals ------------------------------------------------------------------------------


async def test_as_many_outputs_are_made_as_the_input_asks_for(api: Api) -> None:
    request_id = await api.accepted(NANO_BANANA, num_images=3)
    await api.post(f"/_sim/requests/{request_id}/finish")
    output = (await api.result(request_id))["output"]
    assert output["image"] == output["images"][0]
    assert len(set(output["images"])) == 3
    for url in output["images"]:
        assert (await api.get(url)).headers["Content-Type"] == "image/png"


async def test_a_wrong_token_is_refused_everywhere(api: Api, origin: str) -> None:
    request_id = await api.accepted()
    async with Api(origin, token="wrong") as stranger:
        answers = [
            await stranger.submit(),
            await stranger.get(f"/v1/requests/{request_id}/status"),
            await stranger.get(f"/v1/requests/{request_id}/result"),
            await stranger.cancel(request_id),
            await stranger.get("/v1/models"),
        ]
    assert {a.status_code for a in answers} == {401}
    assert {a.json()["error_code"] for a in answers} == {400004}


async def test_requests_of_another_account_are_foreign(api: Api, origin: str) -> None:
    request_id = await api.accepted()
    async with Api(origin, token="another-token") as other:
        answer = await other.get(f"/v1/requests/{request_id}/status")
    assert (answer.status_code, answer.json()["error_code"]) == (403, 403001)


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        (f"/v1/models/{SEEDANCE}", b'{"prompt": "x", "duration": 3}', 422, 422001),
        (f"/v1/models/{SEEDANCE}", b"[]", 400, 422001),
        (f"/v1/models/{SEEDANCE}", b"{", 400, 422001),
        ("/v1/models/no/such/model", b"{}", 404, 404001),
        ("/v1/models/model", b"{}", 400, 400001),
        ("/v1/models/no//model", b"{}", 400, 400001),
        ("/v1/requests/nothing/cancel", b"", 404, 404001),
        ("/v1/nowhere", b"", 404, 404001),
    ],
)
async def test_what_cannot_be_done_is_refused(
    api: Api, path: str, content: bytes, status: int, code: int
) -> None:
    before = await api.paid()
    answer = await api.post(path, content=content)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert await api.paid() == before


async def test_a_schema_violation_names_every_field(api: Api) -> None:
    answer = await api.post(f"/v1/models/{SEEDANCE}", json={"prompt": "x", "ratio": "5:4"})
    violations = {(v["loc"][-1], v["type"]) for v in answer.json()["detail"]}
    assert violations == {("first_frame_image_url", "missing"), ("ratio", "enum")}


# --- Faults --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("answer_lost", httpx.RemoteProtocolError),
        ("answer_reset", httpx.ReadError),
        ("truncated", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
    ],
)
async def test_a_submission_can_be_paid_and_its_answer_lost(
    api: Api, fault: str, error: type[httpx.TransportError]
) -> None:
    before = await api.paid()
    await api.order(fault, route="submit", seconds=5)
    api.timeout = httpx.Timeout(0.5)
    with pytest.raises(error):
        await api.submit()
    assert await api.paid() == before + 1
    assert (await api.submit()).status_code == 200


async def test_a_submission_can_be_paid_and_then_answered_with_500(api: Api) -> None:
    before = await api.paid()
    await api.order("accepted_error_500")
    assert (await api.submit()).status_code == 500
    assert await api.paid() == before + 1


@pytest.mark.parametrize("route", ["submit", "status", "result", "cancel"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("error_500", 500),
        ("error_502", 502),
        ("error_503", 503),
        ("error_504", 504),
        ("html", 504),
        ("error_code_200", 200),
        ("throttled", 429),
        ("throttled_retry_after", 429),
    ],
)
async def test_a_call_can_be_turned_away(api: Api, route: str, fault: str, status: int) -> None:
    request_id = await api.accepted()
    before = await api.paid()
    await api.order(fault, route=route, seconds=7)
    answer = await call(api, route, request_id)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("7" if fault == "throttled_retry_after" else None)
    if fault == "html":
        assert answer.headers["content-type"].startswith("text/html")
    else:
        assert answer.json()["error_code"]
    assert await api.paid() == before
    assert (await api.status(request_id))["status"] == "in_queue"
    assert (await call(api, route, request_id)).status_code == 200


async def call(api: Api, route: str, request_id: str) -> httpx.Response:
    if route == "submit":
        return await api.submit()
    if route == "cancel":
        return await api.cancel(request_id)
    return await api.get(f"/v1/requests/{request_id}/{route}")


@pytest.mark.parametrize("route", ["status", "result", "cancel"])
async def test_other_answers_can_be_lost_too(api: Api, route: str) -> None:
    request_id = await api.accepted()
    await api.order("answer_lost", route=route)
    with pytest.raises(httpx.RemoteProtocolError):
        await call(api, route, request_id)
    assert (await call(api, route, request_id)).status_code == 200


async def test_a_job_can_fail(api: Api) -> None:
    await api.order("failed")
    failed = await api.accepted()
    await api.order("image_invalid")
    refused = await api.accepted()
    for request_id, words in [(failed, "did not succeed"), (refused, "under 300 pixels")]:
        await api.move(request_id, "finish")
        assert (await api.status(request_id))["status"] == "completed"
        result = await api.result(request_id)
        assert result["status"] == "failed"
        assert words in result["error"]
        assert "output" not in result


async def test_a_job_that_is_accepted_can_still_be_made_to_fail(api: Api) -> None:
    request_id = await api.accepted()
    await api.order("failed", request_id=request_id)
    await api.move(request_id, "finish")
    assert (await api.result(request_id))["status"] == "failed"


async def test_polls_can_say_a_word_never_seen(api: Api) -> None:
    request_id = await api.accepted()
    await api.order("unknown_status", times=2, request_id=request_id)
    assert (await api.status(request_id))["status"] == "warming_up"
    assert (await api.result(request_id))["status"] == "warming_up"
    assert (await api.status(request_id))["status"] == "in_queue"


async def test_a_result_can_lag_behind_the_status(api: Api) -> None:
    request_id = await api.accepted()
    await api.move(request_id, "finish")
    await api.order("result_not_ready", request_id=request_id)
    assert (await call(api, "result", request_id)).status_code == 404
    assert (await api.result(request_id))["status"] == "succeeded"


async def test_no_balance_can_be_ordered(api: Api) -> None:
    await api.order("no_balance", model_id=SEEDREAM)
    assert (await api.submit(SEEDANCE)).status_code == 200
    assert (await api.submit(SEEDREAM)).status_code == 402


async def test_a_marker_in_the_prompt_orders_a_fault(api: Api) -> None:
    marked = "A fox [[sim:throttled]] [[sim:status:error_503*2]] [[sim:failed]]"
    assert (await api.submit(prompt=marked)).status_code == 429
    request_id = await api.accepted(prompt=marked)
    codes = [(await call(api, "status", request_id)).status_code for _ in range(3)]
    await api.move(request_id, "finish")
    assert codes == [503, 503, 200]
    assert (await api.result(request_id))["status"] == "failed"
    assert (await api.submit(prompt="[[sim:nonsense]]")).status_code == 400


async def test_rates_can_be_changed_while_it_runs(api: Api) -> None:
    request_id = await api.accepted()
    rates = {"status": {"error_503": 1.0}}
    assert (await api.put("/_sim/rates", json=rates)).json() == rates
    assert (await call(api, "status", request_id)).status_code == 503
    assert (await call(api, "result", request_id)).status_code == 200
    assert (await api.put("/_sim/rates", json={"status": {"failed": 1}})).status_code == 400


# --- Control -------------------------------------------------------------------------------


async def test_the_ledger_has_what_was_paid_and_no_token(api: Api) -> None:
    first, second = await api.accepted(), await api.accepted(SEEDREAM)
    answer = await api.get("/_sim/ledger?limit=2")
    newest = answer.json()["entries"]
    assert [entry["request_id"] for entry in newest] == [second, first]
    assert newest[1]["model_id"] == SEEDANCE
    assert newest[1]["input"] == a_video_input()
    assert datetime.fromisoformat(newest[1]["accepted_at"]).tzinfo is not None
    assert newest[0]["token"] == newest[1]["token"]
    assert TOKEN not in answer.text


async def test_calls_are_counted_by_route_and_request(api: Api) -> None:
    before = (await api.get("/_sim/stats")).json()["calls"]
    request_id = await api.accepted()
    await api.status(request_id)
    await api.status(request_id)
    stats = (await api.get("/_sim/stats?by_request=true&by_state=true")).json()
    assert stats["calls"]["submit"] == before["submit"] + 1
    assert stats["requests"][request_id] == {"status": 2}
    assert sum(stats["states"].values()) == stats["accepted"]
    assert (await api.get(f"/_sim/requests/{request_id}")).json()["calls"] == {"status": 2}


async def test_ordered_faults_can_be_seen_and_cleared(api: Api) -> None:
    await api.order("hang", route="any", times=3)
    (order,) = (await api.get("/_sim/faults")).json()["faults"]
    assert (order["fault"], order["route"], order["left"]) == ("hang", "any", 3)
    assert (await api.delete("/_sim/faults")).json() == {"faults": []}


async def test_everything_held_can_be_moved_at_once(api: Api) -> None:
    request_id = await api.accepted()
    assert (await api.post("/_sim/requests/start")).json()["moved"] >= 1
    assert (await api.status(request_id))["status"] == "in_progress"
    assert (await api.post("/_sim/requests/finish")).json()["moved"] >= 1
    assert (await api.status(request_id))["status"] == "completed"
    assert (await api.post("/_sim/requests/finish")).json()["moved"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/_sim/faults", {"fault": "unheard_of"}),
        ("POST", "/_sim/faults", {"fault": "failed", "request_id": "nothing"}),
        ("PUT", "/_sim/hold", {"everything": True}),
    ],
)
async def test_a_control_call_that_makes_no_sense_says_so(
    api: Api, method: str, path: str, body: Json
) -> None:
    answer = await api.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_it_is_healthy(api: Api) -> None:
    assert (await api.get("/_sim/health")).json() == {"status": "ok"}
    assert (await api.get("/_sim/requests/nothing")).status_code == 404


async def test_the_balance_is_what_is_left_on_the_account(api: Api) -> None:
    before = (await api.get("/prod/v2/balance")).json()
    assert before["currency"] == "USD"
    request_id = await api.accepted(NANO_BANANA)
    await api.move(request_id, "start")
    await api.move(request_id, "finish", outcome="succeeded")
    after = (await api.get("/prod/v2/balance")).json()
    assert after["balance_usd"] < before["balance_usd"]
    nobody = await api.get("/prod/v2/balance", headers={"Authorization": ""})
    assert nobody.status_code == 401
