"""Generations in a terminal: nothing is cut in a pipe, and what happened is told in order."""

from datetime import timedelta

import pytest

from generations.lifecycle import DeliveryStatus, Status
from generations.model import ErrorCode, GenerationError
from ops.showing import Shown, print_generation, print_table
from tests.builders import NOW, SEEDANCE, a_delivery, a_generation, an_attempt

Output = pytest.CaptureFixture[str]


def test_a_row_holds_the_whole_id_and_model(capsys: Output) -> None:
    generation = a_generation(status=Status.SUCCEEDED)
    print_table([Shown(generation, [a_delivery(status=DeliveryStatus.DELIVERED)], None)])
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[0] == generation.id
    assert row[-1] == SEEDANCE
    assert {"succeeded", "delivered", "4.00", "studio"} <= set(row)


def test_no_generations_are_said_to_be_none(capsys: Output) -> None:
    print_table([])
    assert capsys.readouterr().out == "No generations.\n"


def test_moves_and_attempts_are_told_in_the_order_of_their_instants(capsys: Output) -> None:
    delivery = a_delivery(
        attempts=(
            an_attempt(at=NOW + timedelta(seconds=5), status_code=None, error="ConnectTimeout"),
            an_attempt(number=2, at=NOW + timedelta(seconds=9)),
        )
    )
    print_generation(Shown(a_generation(status=Status.SUCCEEDED), [delivery], None))
    told = [line.strip() for line in capsys.readouterr().out.splitlines() if " s  " in line]
    assert told == [
        "0.00 s  ● queued",
        "1.00 s  ● submitting",
        "2.00 s  ● in_queue",
        "3.00 s  ● in_progress",
        "4.00 s  ● succeeded",
        "5.00 s  → generation.succeeded, callback attempt 1: ConnectTimeout",
        "9.00 s  → generation.succeeded, callback attempt 2: 200",
    ]


def test_a_failure_is_told_with_its_code(capsys: Output) -> None:
    error = GenerationError(ErrorCode.REJECTED, "No such ratio.")
    print_generation(Shown(a_generation(status=Status.FAILED, error=error), [], None))
    assert "rejected: No such ratio." in capsys.readouterr().out


def test_markup_in_a_prompt_is_printed_as_it_is(capsys: Output) -> None:
    print_generation(Shown(a_generation(input={"prompt": "[red]a[/red] [/b]"}), [], 1))
    assert "[red]a[/red] [/b]" in capsys.readouterr().out


def test_json_is_the_native_record_and_whose_it_is() -> None:
    body = Shown(a_generation(cancel_requested_at=NOW), [], 3).as_json()
    assert body["origin"] == "studio"
    assert body["queue_position"] == 3
    assert body["cancel"] == {"requested_at": "2026-11-22T12:00:00.000Z", "outcome": None}
