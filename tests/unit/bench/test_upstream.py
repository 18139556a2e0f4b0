"""The upstream that figures are measured against: what it says of generations, and when."""

import json
import time

from bench.peers.upstream import Plan, Seen

SOON, LONG_AGO = time.time() + 600, time.time() - 600


def ask(seen: Seen, method: bytes, path: str, body: bytes = b"") -> dict[str, str]:
    answer: dict[str, str] = seen.answer(method, path, b"", body)
    return answer


def status(seen: Seen, request_id: str) -> str:
    return ask(seen, b"GET", f"/v1/requests/{request_id}/status")["status"]


def test_one_is_done_at_its_so_many_th_poll() -> None:
    seen = Seen(plan=Plan(polls=3))
    request_id = ask(seen, b"POST", "/v1/models/some/model")["request_id"]

    assert [status(seen, request_id) for _ in range(3)] == [
        "in_progress",
        "in_progress",
        "completed",
    ]


def test_one_is_done_at_the_instant_that_its_id_names() -> None:
    assert status(Seen(), f"until-{SOON:.1f}-1") == "in_progress"
    assert status(Seen(), f"until-{LONG_AGO:.1f}-2") == "completed"


def test_one_that_it_does_not_know_is_never_done() -> None:
    assert status(Seen(), "bench-1") == "in_progress"


def test_a_callback_is_told_with_the_time_since_the_end() -> None:
    seen = Seen(plan=Plan(polls=1))
    request_id = ask(seen, b"POST", "/v1/models/some/model")["request_id"]
    status(seen, request_id)
    result = ask(seen, b"GET", f"/v1/requests/{request_id}/result")

    ask(seen, b"POST", "/callbacks", json.dumps(result).encode())

    ((late, polls),) = seen.told.values()
    assert 0 <= late < 60
    assert polls == 1
