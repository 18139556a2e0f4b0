"""TLS as granian serves it, and what ``DARKROOM_PUBLIC_URL`` is for behind a proxy."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders import UNLISTED
from tests.conftest import RedisServer
from tests.integration.gateway_process import GatewayProcess

SUBMIT = f"/v1/models/{UNLISTED}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = f"-x509 -newkey rsa:2048 -nodes -days 1 -keyout {key} -out {certificate}"
    named = "-subj /CN=gateway -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", "req", *made.split(), *named.split()]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def served(
    certificate: tuple[Path, Path],
    valkey_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """A gateway that speaks TLS itself."""
    files = ("--ssl-certificate", str(certificate[0]), "--ssl-keyfile", str(certificate[1]))
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    started = GatewayProcess(log, redis_url=valkey_server.url(), options=files)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def proxied(
    valkey_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway that is told its name in the world."""
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    started = GatewayProcess(
        log, redis_url=valkey_server.url(), PUBLIC_URL="https://darkroom.example/api"
    )
    yield started
    started.stop()


def test_granian_speaks_tls_and_urls_say_so(
    served: GatewayProcess, certificate: tuple[Path, Path], studio_key: str
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    headers = {"Authorization": f"Bearer {studio_key}"}
    with httpx.Client(base_url=served.url, verify=trusting, headers=headers) as client:
        assert client.get("/healthz").status_code == 200
        made = client.post(SUBMIT, json={}).json()
        assert made["status_url"].startswith(f"{served.url}/v1/requests/")
        assert client.get(made["status_url"]).status_code == 200


def test_older_tls_is_refused(served: GatewayProcess) -> None:
    old = ssl.create_default_context()
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/healthz", verify=old)


def test_behind_a_proxy_urls_are_as_the_public_url_has_them(
    proxied: GatewayProcess, studio_key: str
) -> None:
    headers = {"Authorization": f"Bearer {studio_key}"}
    made = httpx.post(f"{proxied.url}{SUBMIT}", json={}, headers=headers, verify=False).json()
    for name in ("status_url", "result_url", "cancel_url"):
        assert made[name].startswith("https://darkroom.example/api/v1/requests/gen_")
