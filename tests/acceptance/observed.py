"""A stack that is watched: its metrics are exported, its spans collected, and Flower runs."""

import sys
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ops.local.ports import choose_ports, out_of_the_way
from tests.acceptance.collector import Collector
from tests.acceptance.program import Program
from tests.acceptance.stack import HOST, Stack

FLOWER_LOGIN: Final = ("watcher", "a-password-that-nobody-may-show")
#: Names of the exporters.
GATEWAY, WORKER = "gateway-metrics", "worker-metrics"


class Observed:
    """The stack, with two gateway processes, and whatever watches it."""

    def __init__(self, folder: Path) -> None:
        self._ports, _ = choose_ports(out_of_the_way([GATEWAY, WORKER, "flower"]))
        self.collector = Collector()
        settings = {
            "DARKROOM_GATEWAY_METRICS_PORT": str(self._ports[GATEWAY]),
            "DARKROOM_WORKER_METRICS_PORT": str(self._ports[WORKER]),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            # What others would tell of a request if they were asked to: its query and its errors.
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        }
        self.stack = Stack(folder, workers=("worker-1",), settings=settings, gateway_processes=2)
        self.flower_url = f"http://{HOST}:{self._ports['flower']}"
        self.flower = Program(
            "flower",
            (
                *(sys.executable, "-m", "celery", "-A", "worker", "flower"),
                *(f"--address={HOST}", f"--port={self._ports['flower']}", "--read-only"),
            ),
            environment={**self.stack.environment, "FLOWER_BASIC_AUTH": ":".join(FLOWER_LOGIN)},
            log=folder / "flower.log",
            is_ready=lambda _: self._flower_answers(),
            warden=self.stack.warden,
        )

    def start(self) -> None:
        """Start all of it."""
        self.stack.start()
        self.flower.start()
        self.flower.wait_until_ready()

    def close(self) -> None:
        """End all of it."""
        self.flower.kill()
        self.stack.close()
        self.collector.close()

    @property
    def exporters(self) -> dict[str, int]:
        """The ports of the exporters."""
        return {name: self._ports[name] for name in (GATEWAY, WORKER)}

    def exported(self, exporter: str) -> list[Sample]:
        """Every sample that a program exports."""
        families = text_string_to_metric_families(self.exposition(exporter))
        return [sample for family in families for sample in family.samples]

    def exposition(self, exporter: str) -> str:
        """As it is told."""
        url = f"http://{HOST}:{self._ports[exporter]}/metrics"
        return httpx.get(url, timeout=30, trust_env=False).raise_for_status().text

    def ask_flower(self, path: str) -> str:
        """What Flower's API says."""
        answer = httpx.get(
            f"{self.flower_url}{path}", auth=FLOWER_LOGIN, timeout=30, trust_env=False
        )
        return answer.raise_for_status().text

    def _flower_answers(self) -> bool:
        try:
            return httpx.get(f"{self.flower_url}/healthcheck", trust_env=False).is_success
        except httpx.HTTPError:
            return False
