"""A batch: many creates in one request, each accepted or refused by itself.

The whole is answered with 200 once each has its own answer, as bulk routes elsewhere do it
(Elasticsearch, SQS, DynamoDB): 207 is WebDAV's, and promises its XML.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response
from fastapi.exceptions import RequestValidationError

from api_gateway.acceptance import accept_all
from api_gateway.asking import new_generation, read_as
from api_gateway.many_schemas import BatchAnswer, BatchItem, BatchResult, CreateBatch
from api_gateway.parts import Parts
from api_gateway.problems import describe, describe_invalid
from api_gateway.reading import bodies_of
from api_gateway.schemas import GenerationBody, Problem
from generations.accepting import Ask
from generations.errors import BodyTooLarge, Refusal
from generations.metrics import REFUSALS
from generations.model import Generation
from generations.records import dump_json
from generations.trace import Trace

#: The route's path.
BATCH: Final = "/v1/generations/batch"
#: Creates that are settled together: few round trips, and the other requests get in between.
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of one origin, and where its answer goes."""

    origin: str
    parts: Parts
    #: For the whole; each create that has none gets one of its own that is derived from it.
    idempotency_key: str | None
    trace: Trace | None
    #: Is told what is left of the origin's limits.
    response: Response

    async def accept(self, body: Mapping[str, Any]) -> BatchAnswer:
        """Accept each create that can be accepted.

        Raises:
            RequestValidationError: it is no batch.
            IdempotencyConflict: the key's batch was another one.
            StoreUnavailable: some may be on record; with a key, send it again.
        """
        items = read_as(CreateBatch, body).generations
        if self.idempotency_key is not None:
            await self.parts.store.promise_batch(self.origin, self.idempotency_key, items)
        results: list[BatchResult] = []
        for start in range(0, len(items), AT_ONCE):
            some = dict(enumerate(items[start : start + AT_ONCE], start))
            results += await self._settle(some)
        accepted = sum(result.generation is not None for result in results)
        return BatchAnswer(accepted=accepted, refused=len(results) - accepted, results=results)

    async def _settle(self, items: Mapping[int, Any]) -> list[BatchResult]:
        """What became of some creates, which are given by their places."""
        asks: dict[int, Ask] = {}
        results: dict[int, BatchResult] = {}
        for place, item in items.items():
            try:
                asks[place] = self._read(item, place)
            except RequestValidationError as exc:
                results[place] = _refused(describe_invalid(exc), place)
            except BodyTooLarge as exc:
                results[place] = _refused(describe(exc), place)
        results |= await self._accept(asks)
        return [results[place] for place in items]

    def _read(self, item: Any, place: int) -> Ask:
        if not isinstance(item, dict):
            wrong = {"loc": ("body",), "msg": "It must be an object", "type": "object"}
            raise RequestValidationError([wrong])
        if len(dump_json(item).encode()) > self.parts.settings.max_body_bytes:
            raise BodyTooLarge
        asked = read_as(BatchItem, item)
        whole = self.idempotency_key
        derived = None if whole is None else f"{whole}\n{place}"
        return Ask(new_generation(self.origin, asked, self.trace), asked.idempotency_key or derived)

    async def _accept(self, asks: Mapping[int, Ask]) -> dict[int, BatchResult]:
        settled = await accept_all(list(asks.values()), self.parts, response=self.response)
        accepted = [one for one in settled if isinstance(one, Generation)]
        bodies = iter(await bodies_of(accepted, self.parts))
        return {
            place: _refused(describe(one), place)
            if isinstance(one, Refusal)
            else _accepted(next(bodies), ask)
            for (place, ask), one in zip(asks.items(), settled, strict=True)
        }


def _accepted(body: GenerationBody, ask: Ask) -> BatchResult:
    replayed = body.id != ask.new.id
    return BatchResult(status=201, replayed=replayed, generation=body, problem=None)


def _refused(problem: Problem, place: int) -> BatchResult:
    """The problem of one create, its pointers from the batch's root."""
    REFUSALS.labels(problem.code).inc()
    errors = [
        error.model_copy(update={"pointer": f"#/generations/{place}{error.pointer[1:]}"})
        for error in problem.errors or ()
    ]
    placed = problem.model_copy(update={"errors": errors or None})
    return BatchResult(status=problem.status, replayed=False, generation=None, problem=placed)
