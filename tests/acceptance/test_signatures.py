"""Signatures on real callbacks, during a rotation too, checked by libraries of others."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from generations.model import WebhookSecret
from generations.origins import NotRotated, OriginStore
from tests.acceptance.conftest import origin_of
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.receiver import Callback, Receiver
from tests.acceptance.stack import SIGNING_KEYS, Stack
from tests.acceptance.verifiers import Node, Verdicts, in_python
from tests.acceptance.waiting import eventually

HOUR = timedelta(hours=1)
MOMENT = timedelta(milliseconds=200)


@pytest.fixture(scope="module")
def rotating(shared_stack: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    """An origin whose secret is replaced again and again."""
    yield from origin_of(shared_stack, "rotating", receiver)


def rotate(stack: Stack, origin: OriginClient, *, overlap: timedelta) -> WebhookSecret:
    """A new secret; it alone."""
    outcome = stack.with_store(
        lambda redis: OriginStore(redis).rotate_secret(origin.name, overlap=overlap)
    )
    assert not isinstance(outcome, NotRotated)
    return outcome[0]


def pass_on(stack: Stack, overlap: timedelta) -> None:
    """Come back once so much has passed on Redis's clock."""

    def clock() -> datetime:
        return stack.with_store(lambda redis: OriginStore(redis).clock())

    end = clock() + overlap
    eventually(lambda: clock() > end, "the overlap ends")


def told(origin: OriginClient, secret: str) -> Callback:
    """A real callback, for the end of a generation."""
    endpoint = origin.receiver.endpoint(secret)
    origin.submit(an_input(), webhook=endpoint.url)
    (callback,) = endpoint.wait_for(1)
    return callback


def public_keys(stack: Stack) -> Any:
    """The gateway's JWK Set, as anybody reads it."""
    return httpx.get(f"{stack.gateway_url}/.well-known/jwks.json", trust_env=False).json()


@pytest.fixture(scope="module")
def story(shared_stack: Stack, rotating: OriginClient) -> tuple[list[Callback], list[str]]:
    """Callbacks before, during and after rotations, one that was forged, and the secrets."""
    first = rotating.secret
    callbacks = [told(rotating, first)]
    second = rotate(shared_stack, rotating, overlap=HOUR).secret
    callbacks += [told(rotating, first), told(rotating, second)]
    # The overlap of the first is cut short, and so is that of the second.
    third = rotate(shared_stack, rotating, overlap=MOMENT).secret
    pass_on(shared_stack, MOMENT)
    callbacks.append(told(rotating, third))
    callbacks.append(replace(callbacks[1], raw=callbacks[1].raw + b" "))
    return callbacks, [first, second, third]


#: For each callback of the story: whether the first, the second and the third secret verify it.
BY_SECRET = [
    [True, False, False],
    [True, True, False],
    [True, True, False],
    [False, False, True],
    [False, False, False],
]


def expected(stack: Stack) -> Verdicts:
    keys = len(public_keys(stack)["keys"])
    return Verdicts(v1=BY_SECRET, v1a=[[True] * keys] * 4 + [[False] * keys])


def test_pythons_library_verifies_every_callback_of_a_rotation(
    story: tuple[list[Callback], list[str]], stack: Stack
) -> None:
    assert in_python(*story, public_keys(stack)) == expected(stack)


def test_npms_library_verifies_every_callback_of_a_rotation(
    story: tuple[list[Callback], list[str]], stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    node = Node(tmp_path_factory.mktemp("node"))
    assert node.verdicts(*story, public_keys(stack)) == expected(stack)


def test_a_callback_has_a_signature_of_every_secret_and_key(
    story: tuple[list[Callback], list[str]],
) -> None:
    callbacks, _ = story
    versions = [
        [signature.partition(",")[0] for signature in one.headers["webhook-signature"].split()]
        for one in callbacks
    ]
    keys = ["v1a"] * len(SIGNING_KEYS)
    assert versions[:4] == [["v1", *keys], ["v1", "v1", *keys], ["v1", "v1", *keys], ["v1", *keys]]


def test_the_gateway_shows_the_keys_that_only_the_workers_have(stack: Stack) -> None:
    shown = {base64.urlsafe_b64decode(key["x"] + "=") for key in public_keys(stack)["keys"]}
    assert shown == {key.public for key in SIGNING_KEYS}
    assert "DARKROOM_SIGNING_KEYS" not in stack.gateway.environment
