"""An event as it is sent."""

from api_gateway.events import event_text
from generations.lifecycle import Status
from generations.model import ErrorCode, GenerationError
from generations.presentation import event_body
from tests.builders import a_generation
from tests.event_streams import events_in


def test_an_event_is_four_lines_whatever_its_texts_hold() -> None:
    error = GenerationError(ErrorCode.GENERATION_FAILED, "odd\u2028words\x85and\r\nlines\x1c: é")
    failed = a_generation(status=Status.FAILED, error=error)
    text = event_text(failed, 5)
    assert len(text.splitlines()) == 4
    (event,) = events_in(text.splitlines())
    assert (event.id, event.name) == ("5", "generation.failed")
    assert event.body == event_body(failed, 5)
