"""What the simulator's settings choose between, and what it makes, over sockets of this process."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import av
import httpx
import pytest
from aiohttp import web
from PIL import Image
from pydantic import SecretStr

from ops.simulator import SimulatorSettings, create_app

SEEDANCE = "bytedance/seedance-v1.5-pro/image-to-video"
NANO_BANANA = "google/nano-banana-2/text-to-image"
SEEDREAM = "bytedance/seedream-5.0-pro/text-to-image"
DEADLINE = 10.0


@asynccontextmanager
async def a_simulator(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(SimulatorSettings(token=SecretStr("a-token"), **settings))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
            headers={"Authorization": "Bearer a-token"},
            timeout=DEADLINE,
            verify=False,  # Nothing is encrypted here, and reading certificates takes longest.
        ) as client:
            yield client
    finally:
        await runner.cleanup()


async def submit(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.post(f"/v1/models/{SEEDREAM}", json={"prompt": "A fox"} | fields)


async def accepted(client: httpx.AsyncClient, **fields: object) -> str:
    return str((await submit(client, **fields)).json()["request_id"])


async def finished(client: httpx.AsyncClient, **fields: object) -> str:
    request_id = await accepted(client, **fields)
    (await client.post(f"/_sim/requests/{request_id}/finish")).raise_for_status()
    return request_id


def status_url(request_id: str) -> str:
    return f"/v1/requests/{request_id}/status"


def result_url(request_id: str) -> str:
    return f"/v1/requests/{request_id}/result?include_cost=true"


async def test_a_request_left_alone_goes_through_every_status() -> None:
    async with a_simulator(speed=20, seed=1) as client, asyncio.timeout(DEADLINE):
        request_id = await accepted(client)
        seen = [(await client.get(status_url(request_id))).json()]
        while seen[-1]["status"] != "completed":
            seen.append((await client.get(status_url(request_id))).json())
    words = list(dict.fromkeys(answer["status"] for answer in seen))
    positions = [answer["queue_position"] for answer in seen if "queue_position" in answer]
    assert words == ["in_queue", "in_progress", "completed"]
    assert positions == sorted(positions, reverse=True)
    assert min(positions) >= 1


@pytest.mark.parametrize("skipped", ["in_queue", "in_progress"])
async def test_a_state_can_be_skipped(skipped: str) -> None:
    async with a_simulator(skip_states=skipped) as client:
        request_id = await accepted(client)
        word = (await client.get(status_url(request_id))).json()["status"]
    assert {word, skipped} == {"in_queue", "in_progress"}


async def test_the_same_seed_draws_the_same_durations() -> None:
    async def durations() -> list[float]:
        async with a_simulator(seed=7) as client:
            ids = [await accepted(client) for _ in range(3)]
            views = [(await client.get(f"/_sim/requests/{i}")).json() for i in ids]
        starts = [datetime.fromisoformat(view["started_at"]) for view in views]
        ends = [datetime.fromisoformat(view["ended_at"]) for view in views]
        return [(e - s).total_seconds() for s, e in zip(starts, ends, strict=True)]

    assert await durations() == pytest.approx(await durations(), abs=0.001)


async def test_a_submission_can_be_answered_with_202_and_another_kind_of_id() -> None:
    async with a_simulator(submit_status=202, request_id_format="req") as client:
        answer = await submit(client)
    assert answer.status_code == 202
    assert answer.json()["request_id"].startswith("req_")


async def test_queue_positions_can_start_at_0() -> None:
    async with a_simulator(queue_position_base=0, hold_queue=True) as client:
        answer = await client.get(status_url(await accepted(client)))
    assert answer.json()["queue_position"] == 3


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({}, 401, 400004),
        ({"unauthorized": "400"}, 400, 400004),
    ],
)
async def test_a_bad_token_can_be_400(settings: dict[str, Any], status: int, code: int) -> None:
    async with a_simulator(**settings) as client:
        answer = await client.get("/v1/models", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


@pytest.mark.parametrize(("choice", "code"), [("402", 402001), ("400", 400002)])
async def test_the_balance_ends(choice: str, code: int) -> None:
    async with a_simulator(balance_usd=0.1, no_balance=choice) as client:
        assert (await submit(client)).status_code == 200
        answer = await submit(client)
    assert (answer.status_code, answer.json()["error_code"]) == (int(choice), code)


async def test_refusals_of_a_submission_can_be_400() -> None:
    async with a_simulator(schema_violation="400", unknown_model="400") as client:
        violation = await submit(client, prompt=3)
        unknown = await client.post("/v1/models/no/model", json={})
    assert (violation.status_code, unknown.status_code) == (400, 400)
    assert violation.json()["detail"]


async def test_a_foreign_request_can_look_unknown() -> None:
    async with a_simulator(other_token="other", foreign_request="404") as client:
        request_id = await accepted(client)
        other = {"Authorization": "Bearer other"}
        answer = await client.get(status_url(request_id), headers=other)
    assert answer.json()["error_code"] == 404001


async def test_errors_come_in_other_envelopes() -> None:
    async def refused(envelope: str) -> httpx.Response:
        async with a_simulator(error_envelope=envelope) as client:
            return await client.get(status_url("nothing"))

    message, ok, html = [await refused(e) for e in ("message", "ok_200", "html")]
    assert (message.status_code, list(message.json())) == (404, ["message"])
    assert (ok.status_code, ok.json()["error_code"]) == (200, 404001)
    assert (html.status_code, html.headers["content-type"][:9]) == (404, "text/html")


async def test_an_invalid_image_can_be_refused_at_once() -> None:
    async with a_simulator(image_validation="422") as client:
        answer = await submit(client, prompt="[[sim:image_invalid]]")
        assert (await client.get("/_sim/ledger")).json()["total"] == 0
    assert answer.status_code == 422


@pytest.mark.parametrize("choice", ["404", "409"])
async def test_a_result_that_is_not_ready_can_be_an_error(choice: str) -> None:
    async with a_simulator(result_not_ready=choice, hold_queue=True) as client:
        request_id = await accepted(client)
        assert (await client.get(result_url(request_id))).status_code == int(choice)
        await client.post(f"/_sim/requests/{request_id}/finish")
        assert (await client.get(result_url(request_id))).status_code == 200


async def test_a_failure_can_show_on_the_status_and_have_an_object_for_error() -> None:
    async with a_simulator(failed_on_status="failed", failed_error="object") as client:
        request_id = await finished(client, prompt="[[sim:failed]]")
        status = (await client.get(status_url(request_id))).json()
        result = (await client.get(result_url(request_id))).json()
    assert status["status"] == "failed"
    assert set(result["error"]) == {"type", "message"}


async def test_a_running_job_can_be_cancelled_a_little_later() -> None:
    choices = {"cancel_running": "cancellation_requested", "cancelled_word": "canceled"}
    async with (
        a_simulator(**choices, cancel_takes=0.05, hold_progress=True) as client,
        asyncio.timeout(DEADLINE),
    ):
        request_id = await accepted(client)
        await client.post(f"/_sim/requests/{request_id}/start")
        answer = await client.post(f"/v1/requests/{request_id}/cancel")
        words = ["in_progress"]
        while words[-1] == "in_progress":
            words.append((await client.get(status_url(request_id))).json()["status"])
    assert (answer.status_code, answer.json()["outcome"]) == (202, "cancellation_requested")
    assert words[-1] == "canceled"


async def test_a_late_cost_comes_after_the_result() -> None:
    async with (
        a_simulator(cost_takes=0.3, echo_input=False) as client,
        asyncio.timeout(DEADLINE),
    ):
        request_id = await finished(client)
        results = [(await client.get(result_url(request_id))).json()]
        while "cost" not in results[-1]:
            results.append((await client.get(result_url(request_id))).json())
    assert results[0]["status"] == "succeeded"
    assert "cost" not in results[0]
    assert "input" not in results[0]
    assert results[-1]["cost"] == 0.08


async def test_requests_expire() -> None:
    async with a_simulator(retention=0.05) as client, asyncio.timeout(DEADLINE):
        request_id = await finished(client)
        while (answer := await client.get(status_url(request_id))).status_code == 200:
            pass
    assert (answer.status_code, answer.json()["error_code"]) == (404, 404001)


async def test_submissions_are_limited_by_rate() -> None:
    async with a_simulator(rate_limit=2, rate_window=0.2) as client, asyncio.timeout(DEADLINE):
        answers = [await submit(client) for _ in range(3)]
        while (await submit(client)).status_code == 429:
            pass
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert "retry-after" not in answers[-1].headers


async def test_faults_come_at_the_rates_of_the_settings() -> None:
    async with a_simulator(fault_rates={"submit": {"answer_lost": 1.0}}) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await submit(client)
        assert (await client.get("/_sim/ledger")).json()["total"] == 1


async def test_a_hold_is_for_the_requests_after_it() -> None:
    async with a_simulator(speed=1000) as client, asyncio.timeout(DEADLINE):
        held = {"queue": False, "progress": True}
        assert (await client.put("/_sim/hold", json=held)).json() == held
        request_id = await accepted(client)
        while (await client.get(status_url(request_id))).json()["status"] == "in_queue":
            pass
        assert (await client.put("/_sim/hold", json={})).json()["progress"] is False
        view = (await client.get(f"/_sim/requests/{request_id}")).json()
    assert (view["state"], view["ended_at"]) == ("in_progress", None)


async def test_the_catalog_can_be_searched_and_paged() -> None:
    async with a_simulator() as client:

        async def ids(query: str) -> list[str]:
            models = (await client.get(f"/v1/models?{query}")).json()["models"]
            return [model["model_id"] for model in models]

        assert await ids("") == [SEEDANCE, SEEDREAM, NANO_BANANA]
        assert await ids("search=SEEDREAM") == [SEEDREAM]
        assert await ids("category=image-to-video") == [SEEDANCE]
        assert await ids("kind=workflow") == []
        assert await ids("limit=1&offset=1") == [SEEDREAM]
        assert (await client.get("/v1/models?limit=501")).status_code == 422


async def test_a_catalog_record_has_its_schema_when_asked() -> None:
    async with a_simulator() as client:
        short = (await client.get("/v1/models")).json()["models"][0]
        full = (await client.get("/v1/models?include_schema=true")).json()["models"][0]
        one = (await client.get(f"/v1/models/{SEEDANCE}")).json()
        categories = (await client.get("/v1/models/categories")).json()
    assert "input_schema" not in short
    assert short["required_inputs"] == ["prompt", "first_frame_image_url"]
    assert one == full
    assert full["input_schema"]["properties"]["resolution"]["default"] == "480p"
    assert categories == {"categories": ["image-to-video", "text-to-image"]}


async def submit_video(client: httpx.AsyncClient, **fields: object) -> str:
    body = {"prompt": "A fox", "first_frame_image_url": "https://example.com/a.png"} | fields
    answer = await client.post(f"/v1/models/{SEEDANCE}", json=body)
    return str(answer.json()["request_id"])


@pytest.mark.parametrize("generate_audio", [True, False])
async def test_a_video_plays(*, generate_audio: bool) -> None:
    async with a_simulator() as client:
        request_id = await submit_video(
            client, duration=4, ratio="9:16", generate_audio=generate_audio
        )
        await client.post(f"/_sim/requests/{request_id}/finish")
        url = (await client.get(result_url(request_id))).json()["output"]["video"]
        del client.headers["Authorization"]
        answer = await client.get(url)
        part = await client.get(url, headers={"Range": "bytes=4-7"})
    assert answer.headers["content-type"] == "video/mp4"
    assert (part.status_code, part.content) == (206, b"ftyp")
    with av.open(io.BytesIO(answer.content), "r") as container:
        frames = list(container.decode(video=0))
        codecs = [stream.codec_context.name for stream in container.streams]
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(4, abs=0.2)
    assert codecs == (["h264", "aac"] if generate_audio else ["h264"])
    assert (len(frames), frames[0].width, frames[0].height) == (32, 360, 640)
    assert bytes(frames[0].planes[0]) != bytes(frames[-1].planes[0])


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
async def test_an_image_opens(output_format: str) -> None:
    async with a_simulator() as client:
        request_id = await finished(client, aspect_ratio="3:2", output_format=output_format)
        output = (await client.get(result_url(request_id))).json()["output"]
        answer = await client.get(output["image"])
    assert output["images"] == [output["image"]]
    assert answer.headers["content-type"] == f"image/{output_format}"
    assert Image.open(io.BytesIO(answer.content)).size == (1536, 1024)


async def test_there_is_no_output_before_the_end_nor_of_a_failure() -> None:
    async with a_simulator(hold_queue=True) as client:
        request_id = await submit_video(client)
        assert (await client.get(f"/outputs/{request_id}.mp4")).status_code == 404
        await client.post(f"/_sim/requests/{request_id}/finish", json={"outcome": "failed"})
        assert (await client.get(f"/outputs/{request_id}.mp4")).status_code == 404
