"""Whether all that the demo promises held, and what it measured. Pure: facts in, verdict out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ops.demo.client import Output
from ops.local import parts
from ops.local.example import INPUT, MODEL_ID
from ops.story import Json, Step, instant

TASKS: Final = ("darkroom.submit", "darkroom.poll", "darkroom.deliver")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was found out about one generation."""

    record: Json
    result: Json
    callbacks: Sequence[Json]
    tasks: Sequence[Json]
    ledger: Sequence[Json]
    output: Output | None

    @property
    def tasks_by_name(self) -> Counter[str]:
        """How many tasks of each kind Flower saw."""
        return Counter(str(task["name"]) for task in self.tasks)

    @property
    def attempts(self) -> list[Json]:
        """Every attempt of every delivery."""
        return [a for delivery in self.record["deliveries"] for a in delivery["attempts"]]


def has_all_tasks(tasks: Sequence[Json]) -> bool:
    """Whether every kind of task is there, and each of them succeeded."""
    is_complete = set(TASKS) <= {task["name"] for task in tasks}
    return is_complete and all(task["state"] == "SUCCESS" for task in tasks)


@dataclass(frozen=True, slots=True)
class Check:
    """One promise; where it did not hold, what was found, and whose log may say why."""

    promise: str
    held: bool
    found: str
    part: str


def judge(facts: Facts) -> list[Check]:
    """Every promise of the demo."""
    return [
        *_about_the_generation(facts),
        *_about_the_callback(facts),
        Check(
            "Flower saw submit, poll and deliver, all SUCCESS",
            has_all_tasks(facts.tasks),
            f"it saw {[(task['name'], task['state']) for task in facts.tasks]}",
            parts.FLOWER,
        ),
        *_about_the_output(facts.output),
    ]


def _about_the_generation(facts: Facts) -> Iterator[Check]:
    record, result = facts.record, facts.result
    status, error = record["status"], record["error"]
    said = f"it is {status}{f', {error}' if error else ''}"
    yield Check("the generation succeeded", status == "succeeded", said, parts.WORKER)
    same = (result["status"], result.get("output")) == (status, record["output"])
    found = f"it says {result['status']}"
    yield Check("RunComfy's result route says the same", same, found, parts.GATEWAY)
    paid = [(entry["model_id"], entry["input"]) for entry in facts.ledger]
    found = f"the ledger has {len(paid)}: {paid}"
    held = paid == [(MODEL_ID, dict(INPUT))] and record["submissions"] == 1
    yield Check("exactly the page's example was paid for, once", held, found, parts.SIMULATOR)


def _about_the_callback(facts: Facts) -> Iterator[Check]:
    answers = [attempt["status_code"] or attempt["error"] for attempt in facts.attempts]
    found = f"attempts were answered {answers}"
    yield Check("one callback attempt was answered 200", answers == [200], found, parts.WORKER)
    told = [(seen["verified"], _told(seen)) for seen in facts.callbacks]
    wanted = [(True, (facts.record["id"], facts.record["status"]))]
    found = f"the inspector has {[seen['verdict'] for seen in facts.callbacks]}, about {told}"
    promise = "one callback arrived, its signature verified"
    yield Check(promise, told == wanted, found, parts.INSPECTOR)


def _told(callback: Json) -> tuple[str | None, str | None]:
    data = (callback["body"] or {}).get("data") or {}
    return data.get("request_id"), data.get("status")


def _about_the_output(output: Output | None) -> Iterator[Check]:
    promise = "the output URL gives an MP4"
    if output is None:
        yield Check(promise, held=False, found="there is no output", part=parts.WORKER)
        return
    is_mp4 = output.content_type == "video/mp4" and output.content[4:8] == b"ftyp"
    found = f"{output.status}, {output.content_type}, {len(output.content)} bytes"
    yield Check(promise, output.status == 200 and is_mp4, found, parts.SIMULATOR)


def output_url(record: Json) -> str | None:
    """The video's URL, in the two shapes that RunComfy's output schema has."""
    output = record["output"] or {}
    videos = [output.get("video"), *output.get("videos", [])]
    return next((str(url) for url in videos if url), None)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds; None where it did not come to that."""

    to_submitted: float | None
    to_end: float | None
    end_to_callback: float | None


def timings(facts: Facts) -> Timings:
    """How long the steps took."""
    moments = {moment["status"]: instant(moment["at"]) for moment in facts.record["timeline"]}
    accepted = instant(facts.record["created_at"])
    # RunComfy may have begun at once; then there is no time in its queue.
    submitted = moments.get(Step.IN_QUEUE.value) or moments.get(Step.IN_PROGRESS.value)
    ended = moments.get(Step.SUCCEEDED.value)
    told = instant(facts.callbacks[0]["received_at"]) if facts.callbacks else None
    return Timings(_between(accepted, submitted), _between(accepted, ended), _between(ended, told))


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
