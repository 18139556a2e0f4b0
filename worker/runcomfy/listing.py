"""RunComfy's catalog routes without I/O: paths out, records in.

https://docs.runcomfy.com/model-apis/model-catalog-endpoints
"""

from dataclasses import dataclass
from typing import Any, Final

from generations.errors import RunComfyUnavailable
from generations.records import dump_json
from worker.answers import Answer
from worker.runcomfy.protocol import NotThere, body_of

#: What RunComfy's own command line asks for at once.
PAGE: Final = 100
#: A record beyond this is none that anyone could use; in characters of JSON.
LONGEST_RECORD: Final = 256 * 1024
LONGEST_MODEL_ID: Final = 200

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListedModels:
    """One page of the catalog."""

    #: Those that can be used.
    records: tuple[Record, ...]
    #: How many the page had, usable or not.
    listed: int
    #: How many there are on all pages; None where RunComfy does not say.
    total: int | None


def models_path(*, offset: int) -> str:
    """Where a page of the catalog is."""
    return f"/models?include_schema=true&limit={PAGE}&offset={offset}"


def read_models(answer: Answer) -> ListedModels:
    """A page of the catalog.

    Raises:
        RunComfyUnavailable: the answer holds none.
    """
    body = body_of(answer)
    listed = None if isinstance(body, NotThere) else body.get("models")
    if isinstance(body, NotThere) or not isinstance(listed, list):
        raise RunComfyUnavailable("RunComfy answered no catalog.")
    total = body.get("total")
    return ListedModels(
        records=tuple(record for record in listed if _is_usable(record)),
        listed=len(listed),
        total=total if type(total) is int else None,
    )


def read_model(answer: Answer) -> Record | None:
    """One model's record; None where RunComfy has none that can be used.

    Raises:
        RunComfyUnavailable: no usable answer; ask again later.
    """
    body = body_of(answer)
    return None if isinstance(body, NotThere) or not _is_usable(body) else body


def _is_usable(record: Any) -> bool:
    model_id = record.get("model_id") if isinstance(record, dict) else None
    if not isinstance(model_id, str) or not 0 < len(model_id) <= LONGEST_MODEL_ID:
        return False
    return len(dump_json(record)) <= LONGEST_RECORD
