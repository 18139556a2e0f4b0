"""What follows an attempt to deliver."""

from datetime import timedelta

import pytest

from generations.endpoint_health import Verdict
from generations.errors import (
    AddressNotAllowed,
    EgressProxyUnavailable,
    EndpointUnavailable,
    HttpsRequired,
)
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Attempt
from generations.pacing import last_call
from generations.steps import Due, Lane, Step, is_pointless
from tests.builders import NOW, a_delivery, a_generation, an_answer, an_attempt
from worker.answers import Answer
from worker.delivery import Attempted, asked_for, decide_delivery, judge

SECOND = timedelta(seconds=1)
#: A draw in the middle adds no jitter.
MIDDLE = 0.5
SCHEDULE = (5 * SECOND, 300 * SECOND)


def decided(attempt: Attempt, *, retry_after: timedelta | None = None) -> Step:
    return decide_delivery(Attempted(attempt, retry_after), schedule=SCHEDULE, draw=MIDDLE)


@pytest.mark.parametrize("status_code", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_2xx_is_a_delivery(status_code: int, number: int) -> None:
    attempt = an_attempt(number=number, status_code=status_code)
    assert decided(attempt) == Step(due=None, to=DeliveryStatus.DELIVERED, attempt=attempt)


@pytest.mark.parametrize("status_code", [100, 199, 300, 301, 302, 307, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again_by_the_schedule(status_code: int) -> None:
    attempt = an_attempt(status_code=status_code)
    assert decided(attempt) == Step(due=Due(Lane.DELIVERIES, 5 * SECOND), attempt=attempt)


def test_no_answer_is_tried_again_too() -> None:
    attempt = an_attempt(number=2, status_code=None, error="The endpoint did not answer in time.")
    assert decided(attempt) == Step(due=Due(Lane.DELIVERIES, 300 * SECOND), attempt=attempt)


@pytest.mark.parametrize("status_code", [500, None])
def test_after_the_last_attempt_it_is_exhausted(status_code: int | None) -> None:
    attempt = an_attempt(number=3, status_code=status_code)
    assert decided(attempt) == Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=attempt)


def test_a_410_wants_no_more() -> None:
    attempt = an_attempt(status_code=410)
    assert decided(attempt) == Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=attempt)


def test_an_endpoint_may_ask_for_more_time() -> None:
    step = decided(an_attempt(status_code=503), retry_after=60 * SECOND)
    assert step.due == Due(Lane.DELIVERIES, 60 * SECOND)


def test_a_delivery_past_its_last_call_is_exhausted() -> None:
    attempted = Attempted(an_attempt(status_code=503), age=last_call(SCHEDULE))
    step = decide_delivery(attempted, schedule=SCHEDULE, draw=MIDDLE)
    assert step.to is DeliveryStatus.EXHAUSTED


@pytest.mark.parametrize(
    ("sent", "verdict"),
    [
        *((an_answer(code), Verdict.ANSWERED) for code in (200, 204, 301, 400, 401, 404, 410)),
        *((an_answer(code), Verdict.FAILED) for code in (429, 500, 502, 503, 504, 599)),
        (EndpointUnavailable(), Verdict.FAILED),
        (EgressProxyUnavailable(), Verdict.NONE),
        (AddressNotAllowed(), Verdict.NONE),
        (HttpsRequired(), Verdict.NONE),
    ],
)
def test_what_an_attempt_says_about_a_server(
    sent: Answer | AddressNotAllowed | EndpointUnavailable, verdict: Verdict
) -> None:
    assert judge(sent) is verdict


@pytest.mark.parametrize("code", [200, 301, 404, 410, 500, 502, 504])
def test_only_two_answers_may_ask_for_time(code: int) -> None:
    asked = [asked_for(an_answer(status, retry_after="9"), now=NOW) for status in (code, 429, 503)]
    assert asked == [None, 9 * SECOND, 9 * SECOND]
    assert asked_for(EndpointUnavailable(), now=NOW) is None


@pytest.mark.parametrize(
    ("told", "later", "pointless"),
    [
        (Status.IN_QUEUE, (), False),
        (Status.IN_QUEUE, ("dlv_2",), True),
        (Status.IN_PROGRESS, ("dlv_2",), True),
        (Status.IN_PROGRESS, (), False),
        (Status.SUCCEEDED, (), False),
        (Status.FAILED, (), False),
        (Status.CANCELLED, ("dlv_2",), False),
    ],
)
def test_an_intermediate_event_is_pointless_once_a_later_one_is_owed(
    told: Status, later: tuple[str, ...], pointless: bool
) -> None:
    delivery = a_delivery(id="dlv_1", told=told, sequence=4)
    generation = a_generation(status=Status.IN_PROGRESS, delivery_ids=("dlv_0", "dlv_1", *later))
    assert is_pointless(delivery, generation) is pointless


@pytest.mark.parametrize(("sequence", "pointless"), [(4, True), (5, False)])
def test_an_end_is_pointless_once_an_operator_took_it_back(sequence: int, pointless: bool) -> None:
    delivery = a_delivery(id="dlv_1", told=Status.FAILED, sequence=sequence)
    generation = a_generation(status=Status.FAILED, delivery_ids=("dlv_1",))
    assert is_pointless(delivery, generation) is pointless


def test_a_schedule_that_began_anew_counts_its_own_attempts_only() -> None:
    schedule = (timedelta(seconds=5), timedelta(minutes=5))
    failed = an_attempt(number=4, status_code=500)
    again = decide_delivery(Attempted(failed, attempts_before=3), schedule=schedule, draw=0.5)
    assert again.due == Due(Lane.DELIVERIES, timedelta(seconds=5))
    last = an_attempt(number=6, status_code=500)
    given_up = decide_delivery(Attempted(last, attempts_before=3), schedule=schedule, draw=0.5)
    assert given_up.to is DeliveryStatus.EXHAUSTED
