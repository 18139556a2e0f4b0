"""What one attempt sends, composed anew at each attempt. Pure.

How it is sent is the sender's, when and how often ``delivery.py``'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from generations.model import Delivery, Generation, Origin
from generations.presentation import callback_body
from generations.records import dump_json
from generations.signing_keys import SigningKey
from generations.trace import Trace
from worker.webhooks.signing import sign


@dataclass(frozen=True, slots=True)
class Callback:
    """One POST."""

    body: bytes = field(repr=False)
    #: Some of them are secrets.
    headers: dict[str, str] = field(repr=False)


def compose(
    delivery: Delivery,
    generation: Generation | None,
    origin: Origin | None,
    *,
    at: datetime,
    keys: Sequence[SigningKey],
    trace: Trace | None = None,
) -> Callback:
    """What the delivery's endpoint is sent in an attempt at an instant, signed by all that sign."""
    body = dump_json(callback_body(delivery, generation)).encode()
    signatures = sign(
        body,
        event_id=delivery.event_id,
        at=at,
        secrets=origin.secrets_at(at) if origin else (),
        keys=keys,
    )
    own = origin.headers_for(delivery.endpoint) if origin else {}
    plain = {"content-type": "application/json", "user-agent": "darkroom"}
    traced = trace.headers if trace else {}
    return Callback(body, {**own, **plain, **traced, **signatures})
