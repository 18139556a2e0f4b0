"""How the gateway starts, and how it refuses to."""

import subprocess

import httpx

from tests.integration.gateway_process import (
    PATIENCE,
    ROOT,
    environment,
    granian,
)
from tests.servers import free_port


def test_granian_ends_with_that_line_and_no_traceback() -> None:
    ended = subprocess.run(
        [*granian(), "--port", str(free_port()), "api_gateway:create_app"],
        env=environment(MAX_BODY_BYTES="much"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode != 0
    assert "DARKROOM_MAX_BODY_BYTES" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_health_needs_no_key(stranger: httpx.AsyncClient) -> None:
    wanted = {"/healthz": {"status": "ok"}, "/readyz": {"status": "ok", "warnings": []}}
    for path, body in wanted.items():
        answer = await stranger.get(path)
        assert answer.status_code == 200
        assert answer.json() == body


async def test_the_documentation_is_served(stranger: httpx.AsyncClient) -> None:
    assert "text/html" in (await stranger.get("/docs")).headers["Content-Type"]
    assert (await stranger.get("/openapi.json")).json()["info"]["title"] == "Darkroom"
