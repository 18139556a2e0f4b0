"""A Prometheus that scrapes exporters on this machine, every second."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from ops.local.ports import choose_ports, out_of_the_way
from tests.acceptance.program import Program
from tests.acceptance.warden import Warden
from tests.needs import need

HOST: Final = "127.0.0.1"
#: What stands in a query for as long as Grafana would look back for a rate.
RATE_INTERVAL: Final = "30s"


class Prometheus:
    """The program, from its start to :meth:`close`; targets are ports by their job."""

    def __init__(self, targets: Mapping[str, int], folder: Path, warden: Warden) -> None:
        ports, _ = choose_ports(out_of_the_way(["prometheus"]))
        self._url = f"http://{HOST}:{ports['prometheus']}"
        config = folder / "prometheus.yml"
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"{HOST}:{port}"]}]}
            for job, port in targets.items()
        ]
        often = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        # JSON is YAML, too.
        config.write_text(json.dumps({"global": often, "scrape_configs": jobs}))
        self._program = Program(
            "prometheus",
            (
                *(need("prometheus"), f"--config.file={config}"),
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={HOST}:{ports['prometheus']}",
            ),
            environment={},
            log=folder / "prometheus.log",
            is_ready=lambda _: self._is_ready(),
            warden=warden,
        )

    def start(self) -> None:
        """Start it."""
        self._program.start()
        self._program.wait_until_ready()

    def close(self) -> None:
        """End it."""
        self._program.kill()

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What it says to a query as a panel has it.

        Raises:
            AssertionError: it cannot read the query.
        """
        asked = {"query": query.replace("$__rate_interval", RATE_INTERVAL)}
        answer = httpx.get(f"{self._url}/api/v1/query", params=asked, timeout=30, trust_env=False)
        assert answer.status_code == 200, (query, answer.text)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self._url}/-/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False
