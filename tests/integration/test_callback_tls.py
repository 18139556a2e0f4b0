"""Callbacks over https to real TLS servers, straight and through a proxy, and who is trusted."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_process import ROOT
from tests.integration.raw_server import Behaviour, responding, serving

HOST = "127.0.0.1"


class Certificate:
    """One that signs itself, for these names."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.file = folder / f"{len(list(folder.iterdir()))}.pem"
        key = self.file.with_suffix(".key")
        made = f"-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -keyout {key}"
        named = f"-out {self.file} -subj /CN=test -addext subjectAltName={','.join(names)}"
        command = ["openssl", "req", *made.split(), *named.split()]
        subprocess.run(command, check=True, capture_output=True)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.file, key)


def tunnel_to(port: int) -> Behaviour:
    """A proxy that connects whatever it is asked for to this port."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    return behave


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(4096):
        writer.write(some)
    writer.close()


async def sent(trusted: list[Certificate], *asked: tuple[str, str | None]) -> list[dict[str, Any]]:
    """What a process that trusts these certificates makes of each."""
    bundle = trusted[0].file.with_name("trusted.bundle")
    bundle.write_text("".join(one.file.read_text() for one in trusted))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.sending", json.dumps(asked)),
        cwd=ROOT,
        env=os.environ | {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(bundle.parent / "no")},
        stdout=subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    found: list[dict[str, Any]] = json.loads(said)
    return found


@pytest.mark.timeout(60)
async def test_https_is_spoken_straight_and_through_a_tunnel_to_whom_the_name_belongs(
    tmp_path: Path,
) -> None:
    mine = Certificate(tmp_path, f"IP:{HOST}", "DNS:studio.example")
    foreign = Certificate(tmp_path, "DNS:other.example")
    unknown = Certificate(tmp_path, f"IP:{HOST}", "DNS:studio.example")
    async with (
        serving(responding(b"mine"), tls=mine.context) as good,
        serving(responding(b"foreign"), tls=foreign.context) as misnamed,
        serving(responding(b"unknown"), tls=unknown.context) as untrusted,
        serving(tunnel_to(good.port)) as proxy,
        serving(tunnel_to(misnamed.port)) as misled,
    ):
        name = "https://studio.example/hook"
        found = await sent(
            [mine, foreign],
            (f"https://{HOST}:{good.port}/hook", None),
            (name, proxy.url),
            (f"https://{HOST}:{misnamed.port}/hook", None),
            (f"https://{HOST}:{untrusted.port}/hook", None),
            (name, misled.url),
        )
        straight, tunnelled, *refused = found
        assert straight == tunnelled == {"status_code": 200, "body": "mine"}
        assert [request.split(b" ")[:2] for request in good.requests] == [[b"POST", b"/hook"]] * 2
        assert proxy.requests[0].startswith(b"CONNECT studio.example:443 HTTP/1.1\r\n")
        # Whoever cannot prove the name is told nothing.
        assert misnamed.requests == untrusted.requests == []
        for one in refused:
            assert "ClientConnectorCertificateError" in one["error"], one
