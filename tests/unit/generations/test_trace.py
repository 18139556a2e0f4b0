"""What of an origin's trace headers is believed."""

import pytest

from generations.trace import LONGEST_STATE, Trace, read_trace

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def test_a_trace_is_passed_on_as_it_came() -> None:
    trace = read_trace([PARENT], ["vendor=opaque,other@system=1"])
    assert trace == Trace(PARENT, "vendor=opaque,other@system=1")
    assert trace.id == TRACE_ID
    assert trace.headers == {"traceparent": PARENT, "tracestate": "vendor=opaque,other@system=1"}


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "garbage",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "0",
        f"{PARENT}-more",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01\nevil: yes",
        PARENT * 1000,
    ],
)
def test_what_is_no_traceparent_is_as_if_it_had_not_been_sent(parent: str) -> None:
    assert read_trace([parent], ["vendor=opaque"]) is None


def test_two_parents_are_none() -> None:
    assert read_trace([PARENT, PARENT]) is None


def test_a_later_version_is_read_as_far_as_it_is_understood() -> None:
    trace = read_trace([f"cc-{TRACE_ID}-{SPAN_ID}-09-what-the-future-brings"])
    assert trace == Trace(PARENT)


def test_several_states_are_one() -> None:
    assert read_trace([PARENT], ["a=1", " b=2 ,"]) == Trace(PARENT, "a=1,b=2")


@pytest.mark.parametrize(
    "state",
    [
        "no-value",
        "UPPER=1",
        "a=1\r\nevil: yes",
        "a=\x00",
        "a=ü",
        ",".join(f"k{number}=1" for number in range(33)),
        ",".join(f"k{number}={'x' * 100}" for number in range(LONGEST_STATE // 100)),
    ],
)
def test_a_state_that_is_not_sound_is_left_out(state: str) -> None:
    assert read_trace([PARENT], [state]) == Trace(PARENT)
