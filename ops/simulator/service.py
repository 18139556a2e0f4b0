"""RunComfy's side of a request, without HTTP: who may call, what is accepted, what is cancelled.

Everything is in the memory of one process, and no method waits, so calls never interleave.
"""

import hmac
import random
import re
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ops.simulator import refusals
from ops.simulator.catalog import Catalog, Input, Model
from ops.simulator.faults import Fault
from ops.simulator.ledger import Ledger, Outcome, Submission, account_of
from ops.simulator.orders import OrderBook
from ops.simulator.settings import SimulatorSettings
from ops.simulator.timeline import NEVER, State, Timeline, plan

_MODEL_ID: Final = re.compile(r"[\w.-]+(?:/[\w.-]+)+", re.ASCII)


def check_model_id(model_id: str) -> None:
    """Raise RefusedError for what cannot be a model's id."""
    if not _MODEL_ID.fullmatch(model_id):
        raise refusals.malformed_model(model_id)


@dataclass(slots=True)
class Hold:
    """Which states new requests do not leave on their own."""

    queue: bool
    progress: bool

    def hold(self, timeline: Timeline) -> Timeline:
        if self.progress:
            timeline = replace(timeline, run=NEVER)
        return replace(timeline, started_at=NEVER) if self.queue else timeline


class Simulator:
    """All the state there is."""

    def __init__(
        self, settings: SimulatorSettings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.catalog = Catalog.from_files()
        self.ledger = Ledger()
        self.orders = OrderBook(settings.fault_rates, seed=settings.seed)
        self.hold = Hold(queue=settings.hold_queue, progress=settings.hold_progress)
        self.calls: Counter[str] = Counter()
        self._random = random.Random(settings.seed)
        self._submits: deque[float] = deque()
        tokens = [settings.token, settings.other_token]
        self._accounts = {
            token.get_secret_value().encode(): account_of(token.get_secret_value())
            for token in tokens
            if token is not None
        }

    def account(self, token: str) -> str:
        """The account of a bearer token; raises RefusedError for a token of nobody's."""
        given = token.encode()
        for known, account in self._accounts.items():
            if hmac.compare_digest(given, known):
                return account
        raise refusals.unauthorized(self.settings)

    def model(self, model_id: str) -> Model:
        """A model of the catalog; raises RefusedError for an id that is none, or no model's."""
        check_model_id(model_id)
        model = self.catalog.find(model_id)
        if model is None:
            raise refusals.unknown_model(self.settings, model_id)
        return model

    def find(self, request_id: str, account: str) -> Submission:
        """A request of the account's own; raises RefusedError if foreign, unknown or expired."""
        submission = self.ledger.find(request_id)
        if submission is None or self._is_expired(submission):
            raise refusals.unknown_request()
        if submission.account != account:
            raise refusals.foreign_request(self.settings)
        return submission

    def _is_expired(self, submission: Submission) -> bool:
        age = self.clock() - submission.timeline.ended_at
        return age > self.settings.retention.total_seconds()

    def accept(
        self, model: Model, body: Input, *, account: str, ordered: Fault | None = None
    ) -> Submission:
        """Take a job and its money, or raise RefusedError. ``ordered`` is the job's own fault."""
        self._check_rate()
        self._check_input(model, body, ordered)
        self._check_balance(model.price_of(body), account)
        submission = Submission(
            request_id=self._new_id(),
            model=model,
            input=body,
            account=account,
            timeline=self._new_timeline(model),
            outcome=Outcome.SUCCEEDED if ordered is None else Outcome(ordered.value),
        )
        self.ledger.add(submission)
        return submission

    def _check_rate(self) -> None:
        if self.settings.rate_limit is None:
            return
        now = self.clock()
        while self._submits and self._submits[0] <= now - self.settings.rate_window.total_seconds():
            self._submits.popleft()
        if len(self._submits) >= self.settings.rate_limit:
            raise refusals.throttled()
        self._submits.append(now)

    def _check_input(self, model: Model, body: Input, ordered: Fault | None) -> None:
        found = model.violations(body)
        if found:
            raise refusals.violation(self.settings, found)
        if ordered is Fault.IMAGE_INVALID and self.settings.image_validation == "422":
            detail = {"loc": ["body"], "msg": "The image is not acceptable.", "type": "image"}
            raise refusals.violation(self.settings, [detail])

    def _check_balance(self, price: float, account: str) -> None:
        balance = self.settings.balance_usd
        if balance is not None and self.ledger.spent_by(account) + price > balance:
            raise refusals.no_balance(self.settings)

    def _new_id(self) -> str:
        # Never from the seed: ids of an earlier process may still be polled for.
        drawn = uuid.uuid4()
        return f"req_{drawn.hex}" if self.settings.request_id_format == "req" else str(drawn)

    def _new_timeline(self, model: Model) -> Timeline:
        drawn = plan(
            self.clock(),
            queue=model.queue.draw(self._random, speed=self.settings.speed),
            run=model.run.draw(self._random, speed=self.settings.speed),
            skip=self.settings.skip_states,
        )
        return self.hold.hold(drawn)

    def cancel(self, submission: Submission) -> str:
        """Cancel a queued request, and say what came of it in RunComfy's word."""
        now = self.clock()
        match submission.timeline.state_at(now):
            case State.IN_QUEUE:
                submission.timeline = submission.timeline.cancel(now)
                return self.settings.cancelled_word
            case State.IN_PROGRESS if self.settings.cancel_running == "cancellation_requested":
                delay = self.settings.cancel_takes.total_seconds() / self.settings.speed
                submission.timeline = submission.timeline.cancel(now + delay)
                return "cancellation_requested"
            case _:
                return "not_cancellable"
