import pytest
from pydantic import ValidationError

from ops.simulator.faults import (
    CALL_FAULTS,
    OUTCOMES,
    Call,
    Fault,
    Order,
    Route,
    check_rates,
    draw_fault,
    read_markers,
    routes_of,
)
from ops.simulator.orders import OrderBook

SUBMIT = Call(Route.SUBMIT, "maker/model")
STATUS = Call(Route.STATUS, "maker/model", "r1")


def test_every_fault_can_happen_somewhere() -> None:
    assert all(routes_of(fault) for fault in Fault)
    assert set(Fault) == CALL_FAULTS | OUTCOMES


@pytest.mark.parametrize(
    ("order", "is_met"),
    [
        (Order(fault=Fault.ERROR_503), True),
        (Order(fault=Fault.ERROR_503, route=Route.STATUS), True),
        (Order(fault=Fault.ERROR_503, route=Route.RESULT), False),
        (Order(fault=Fault.ERROR_503, request_id="r1"), True),
        (Order(fault=Fault.ERROR_503, request_id="r2"), False),
        (Order(fault=Fault.ERROR_503, model_id="maker/model"), True),
        (Order(fault=Fault.ERROR_503, model_id="maker/other"), False),
        (Order(fault=Fault.NO_BALANCE), False),
    ],
)
def test_an_order_is_met_by_the_calls_it_names(order: Order, *, is_met: bool) -> None:
    assert order.matches(STATUS) is is_met


def test_any_is_every_route() -> None:
    assert Order.model_validate({"fault": "hang", "route": "any"}).route is None


def test_a_fault_cannot_be_ordered_where_it_cannot_happen() -> None:
    with pytest.raises(ValidationError, match="cannot happen"):
        Order(fault=Fault.FAILED, route=Route.STATUS)


def test_a_draw_falls_on_each_fault_as_often_as_its_rate_says() -> None:
    rates = {Route.STATUS: {Fault.ERROR_503: 0.25, Fault.HANG: 0.25}}
    drawn = [
        draw_fault(STATUS, rates, draw=hundredth / 100, among=CALL_FAULTS)
        for hundredth in range(100)
    ]
    faults = [order.fault if order else None for order in drawn]
    assert [faults.count(f) for f in (Fault.ERROR_503, Fault.HANG, None)] == [25, 25, 50]


@pytest.mark.parametrize(
    "rates",
    [
        {Route.STATUS: {Fault.FAILED: 0.1}},
        {Route.STATUS: {Fault.HANG: -0.1}},
        {Route.STATUS: {Fault.HANG: 0.6, Fault.HTML: 0.6}},
    ],
)
def test_impossible_rates_are_refused(rates: dict[Route, dict[Fault, float]]) -> None:
    with pytest.raises(ValueError, match=r"cannot happen|not chances"):
        check_rates(rates)


def test_an_order_is_met_as_often_as_it_says() -> None:
    book = OrderBook({})
    book.add(Order(fault=Fault.ERROR_503, times=2))
    met = [book.meet(STATUS) for _ in range(3)]
    assert [order.fault if order else None for order in met] == [Fault.ERROR_503] * 2 + [None]
    assert book.standing() == []
    assert book.met[Route.STATUS] == {Fault.ERROR_503: 2}


def test_markers_name_a_fault_and_perhaps_a_route_and_a_count() -> None:
    prompt = "a fox [[sim:failed]] [[sim:status:error_503*3]] [[sim:result_not_ready]]"
    assert list(read_markers(prompt)) == [
        Order(fault=Fault.FAILED, route=Route.SUBMIT),
        Order(fault=Fault.ERROR_503, route=Route.STATUS, times=3),
        Order(fault=Fault.RESULT_NOT_READY, route=Route.RESULT),
    ]


def test_a_marked_prompt_gets_through_once_its_faults_are_met() -> None:
    book = OrderBook({})
    markers = list(read_markers("[[sim:throttled*2]]"))
    met = [book.meet_submit(SUBMIT, markers=markers, body=b"x")[0] for _ in range(6)]
    throttled = [order is not None for order in met]
    assert throttled == [True, True, False, True, True, False]


def test_a_call_and_its_job_can_both_go_wrong() -> None:
    book = OrderBook({})
    book.add(Order(fault=Fault.ANSWER_LOST))
    book.add(Order(fault=Fault.FAILED))
    met, outcome = book.meet_submit(SUBMIT, markers=[], body=b"x")
    assert (met and met.fault, outcome and outcome.fault) == (Fault.ANSWER_LOST, Fault.FAILED)
