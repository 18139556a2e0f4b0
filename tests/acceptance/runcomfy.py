"""RunComfy as the simulator plays it: orders for it, and its ledger."""

from typing import Any, Final, cast

import httpx

from tests.acceptance.waiting import eventually

IMAGE_MODEL: Final = "bytedance/seedream-5.0-pro/text-to-image"

Entry = dict[str, Any]


class RunComfy:
    """The simulator's control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_sim", timeout=10, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def hold(self, *, queue: bool = False, progress: bool = False) -> None:
        """Keep what is accepted from now on in its queue, or running."""
        self._call("PUT", "/hold", {"queue": queue, "progress": progress})

    def start_all(self) -> None:
        """Let everything that is held in the queue run."""
        self._call("POST", "/requests/start")

    def finish_all(self) -> None:
        """Let everything that is held running end."""
        self._call("POST", "/requests/finish")

    def order(
        self, fault: str, *, route: str, times: int = 1, seconds: float | None = None
    ) -> None:
        """The next calls of a route meet a fault. (One generation's own: a prompt's marker.)"""
        order = {"fault": fault, "route": route, "times": times, "seconds": seconds}
        self._call("POST", "/faults", order)

    def reset(self) -> None:
        """No holds and no faults, and nothing held any longer."""
        self.hold()
        self._call("DELETE", "/faults")
        self.start_all()
        self.finish_all()

    def calls_made(self) -> int:
        """How many calls of generations it got, of whatever kind."""
        return sum(self._call("GET", "/stats")["calls"].values())

    def paid_for(self, given: Any) -> list[Entry]:
        """The accepted, that is paid, submissions of exactly this input."""
        ledger = self._call("GET", "/ledger?limit=100000")
        return [entry for entry in ledger["entries"] if entry["input"] == given]

    def wait_for_call(self, given: Any, route: str) -> None:
        """Come back once a route was called for the generation with this input."""

        def look() -> bool:
            return any(
                self.request(e["request_id"])["calls"].get(route) for e in self.paid_for(given)
            )

        eventually(look, f"{route} is called")

    def request(self, request_id: str) -> dict[str, Any]:
        """All that the simulator knows of one request."""
        return self._call("GET", f"/requests/{request_id}")

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return cast("dict[str, Any]", answer.json())
