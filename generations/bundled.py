"""The models whose schema comes with Darkroom, so that a gateway without network checks them.

One JSON file each, under ``models/``: what the model's page says, and no more. Prices are not
on the pages, so there are none.
"""

import json
from importlib.resources import files
from typing import Any, Final


def _read() -> list[dict[str, Any]]:
    folder = files("generations").joinpath("models")
    found = sorted(folder.iterdir(), key=lambda file: file.name)
    return [json.loads(file.read_text(encoding="utf-8")) for file in found]


#: Their records, as RunComfy's catalog would have them.
BUNDLED: Final = tuple(_read())
