"""What the settings make of the application."""

import httpx
import pytest

from api_gateway import create_app
from generations.settings import GatewaySettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BODY_BYTES", "much"),
        ("CANCEL_WAIT", "-1"),
        ("REDIS_URL", "http://:hunter2@127.0.0.1"),
        ("PUBLIC_URL", "darkroom.example"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_bad_settings_are_one_clear_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(f"DARKROOM_{name}", value)
    with pytest.raises(SystemExit) as ended:
        create_app()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"DARKROOM_{name}" in line
    assert value not in line


async def test_the_documentation_can_be_switched_off() -> None:
    transport = httpx.ASGITransport(create_app(GatewaySettings(docs=False)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        for path in ("/docs", "/redoc", "/openapi.json"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert answer.json()["code"] == "route_not_found"
