"""The stacks, and two origins on each; what a failed test shows of the logs."""

from collections.abc import Generator, Iterator

import httpx
import pytest

from tests.acceptance.contract import Both, Caller
from tests.acceptance.observed import Observed
from tests.acceptance.origins import OriginClient
from tests.acceptance.receiver import Receiver
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import TOKEN, Stack

#: Seconds. Leases end soon after, which is good for tests that wait for one.
SHORT_TIMEOUTS = {
    "DARKROOM_PREFLIGHT_TIMEOUT": "1",
    "DARKROOM_SUBMIT_TIMEOUT": "5",
    "DARKROOM_POLL_TIMEOUT": "5",
    "DARKROOM_ATTEMPT_TIMEOUT": "5",
}


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("shared")
    yield from running(Stack(folder, workers=("worker-1", "worker-2")))


@pytest.fixture(scope="session")
def stack_to_break(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("broken")
    yield from running(Stack(folder, workers=("worker-1",), settings=SHORT_TIMEOUTS))


def running(stack: Stack) -> Iterator[Stack]:
    try:
        stack.start()
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A stack with metrics, traces and Flower."""
    observed = Observed(tmp_path_factory.mktemp("observed"))
    try:
        observed.start()
        yield observed
    finally:
        observed.close()


@pytest.fixture(scope="session")
def watched(observed: Observed, receiver: Receiver) -> Iterator[OriginClient]:
    """An origin of the stack that is watched."""
    yield from origin_of(observed.stack, "watched-origin", receiver)


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """A stack with two workers, for tests that break nothing of it."""
    yield shared_stack
    shared_stack.runcomfy.reset()


@pytest.fixture
def breakable(stack_to_break: Stack) -> Iterator[Stack]:
    """A stack with one worker, whole again before each test, which may break it."""
    stack_to_break.start()
    stack_to_break.runcomfy.reset()
    yield stack_to_break
    for worker in stack_to_break.workers[1:]:
        stack_to_break.remove(worker)


@pytest.fixture
def runcomfy(stack: Stack) -> RunComfy:
    return stack.runcomfy


@pytest.fixture(scope="session")
def north_of_all(shared_stack: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    yield from origin_of(shared_stack, "north", receiver)


@pytest.fixture
def north(north_of_all: OriginClient, stack: Stack) -> OriginClient:
    """An origin of the shared stack."""
    del stack  # Asked for so that RunComfy is reset afterwards.
    return north_of_all


@pytest.fixture(scope="session")
def south(shared_stack: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    """Another origin of the shared stack."""
    yield from origin_of(shared_stack, "south", receiver)


@pytest.fixture(scope="session")
def brave(stack_to_break: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    """An origin of the stack that is broken."""
    yield from origin_of(stack_to_break, "brave", receiver)


@pytest.fixture(scope="session")
def runcomfy_itself(shared_stack: Stack) -> Iterator[Caller]:
    """A RunComfy client of the account that the shared stack has."""
    with httpx.Client(timeout=30, trust_env=False) as http:
        yield Caller("RunComfy", shared_stack.runcomfy.url, TOKEN, http)


@pytest.fixture
def both(runcomfy_itself: Caller, north: OriginClient, stack: Stack) -> Both:
    """RunComfy itself, and an origin that takes the gateway for it."""
    gateway = Caller("Darkroom", stack.gateway_url, north.api_key, north.http)
    return Both(runcomfy_itself, gateway)


def origin_of(stack: Stack, name: str, receiver: Receiver) -> Iterator[OriginClient]:
    key = stack.create_origin(name)
    # Longer than a cancel waits for RunComfy's word.
    with httpx.Client(base_url=stack.gateway_url, timeout=30, trust_env=False) as http:
        yield OriginClient(name, key.api_key, key.webhook_secret, http, receiver)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for name in ("shared_stack", "stack_to_break"):
            stack = getattr(item, "funcargs", {}).get(name)
            if stack is not None:
                report.sections.append((f"logs of {name}", stack.logs()))
    return report
