"""What an attempt carries."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from standardwebhooks import Webhook

from generations.lifecycle import Status
from generations.model import Endpoint, Origin, WebhookSecret
from tests.builders import ENDPOINT, NOW, a_delivery, a_generation
from worker.callbacks import compose

OLD, NEW = (f"whsec_{letter * 43}=" for letter in "oN")
HOUR = timedelta(hours=1)
ELSEWHERE = "https://studio.example/elsewhere"


def an_origin(*endpoints: Endpoint, **fields: Any) -> Origin:
    return Origin("studio", NOW, endpoints=endpoints, **fields)


def headers_sent(origin: Origin | None, *, endpoint: str = ENDPOINT) -> dict[str, str]:
    generation = a_generation(status=Status.SUCCEEDED)
    delivery = a_delivery(endpoint=endpoint, sequence=5)
    return compose(delivery, generation, origin, at=NOW, keys=()).headers


def test_only_the_very_url_that_is_registered_has_its_headers() -> None:
    origin = an_origin(Endpoint(ENDPOINT, {"Authorization": "Bearer s3cret"}))
    assert headers_sent(origin)["Authorization"] == "Bearer s3cret"
    for other in (ELSEWHERE, f"{ENDPOINT}?", f"{ENDPOINT}/", ENDPOINT.upper()):
        assert "Authorization" not in headers_sent(origin, endpoint=other)


def test_a_replaced_secret_signs_until_its_end_and_not_at_it() -> None:
    secrets = (WebhookSecret(NEW), WebhookSecret(OLD, ends_at=NOW + HOUR))
    origin = an_origin(webhook_secrets=secrets)
    generation = a_generation(status=Status.SUCCEEDED)
    delivery = a_delivery(sequence=5)

    for at, count in ((NOW, 2), (NOW + HOUR - timedelta.resolution, 2), (NOW + HOUR, 1)):
        sent = compose(delivery, generation, origin, at=at, keys=())
        signatures = sent.headers["webhook-signature"].split()
        assert len(signatures) == count
        theirs = Webhook(NEW).sign(delivery.event_id, at, sent.body.decode())
        assert signatures[0] == theirs


def test_nothing_secret_is_in_what_is_printed() -> None:
    origin = an_origin(
        Endpoint(ENDPOINT, {"Authorization": "Bearer s3cret"}),
        webhook_secrets=(WebhookSecret(NEW), WebhookSecret(OLD, ends_at=NOW)),
    )
    sent = compose(
        a_delivery(sequence=5), a_generation(status=Status.FAILED), origin, at=NOW, keys=()
    )
    shown = repr((origin, origin.endpoints, origin.webhook_secrets, sent))
    assert "s3cret" not in shown
    assert "whsec_" not in shown


def test_an_attempt_later_says_the_same_under_another_signature() -> None:
    origin = an_origin(webhook_secrets=(WebhookSecret(NEW),))
    before = a_generation(status=Status.SUCCEEDED, output={"video": "https://a.example/1.mp4"})
    delivery = a_delivery(sequence=5)
    first = compose(delivery, before, origin, at=NOW, keys=())
    second = compose(delivery, replace(before, polls=7), origin, at=NOW + HOUR, keys=())
    assert first.body == second.body
    assert json.loads(first.body)["type"] == "generation.succeeded"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
