"""Which texts can be model ids; whether there is such a model is for the catalog to say."""

import re
from typing import Any, Final

from generations.errors import InvalidModelId

LONGEST_MODEL_ID: Final = 200
# A segment of dots alone would name another path in the URL that a worker makes of it.
_SEGMENT: Final = r"\.*[A-Za-z0-9_-][A-Za-z0-9._-]*"
_MODEL_ID: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})+")
#: The same for the API's description.
MODEL_ID_SCHEMA: Final[dict[str, Any]] = {
    "pattern": f"^{_SEGMENT}(?:/{_SEGMENT})+$",
    "maxLength": LONGEST_MODEL_ID,
}


def check_model_id(model_id: str) -> None:
    """Accept a text as a model id.

    Raises:
        InvalidModelId: it cannot be one.
    """
    if len(model_id) > LONGEST_MODEL_ID or not _MODEL_ID.fullmatch(model_id):
        raise InvalidModelId
