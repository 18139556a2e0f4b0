"""The page and its few files, served from this package."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

router = APIRouter()

_FOLDER: Final = Path(__file__).parent
_FILES: Final = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "card.js": ("card.js", "text/javascript; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS: Final = {
    # Outputs may lie anywhere; everything that can act must come from here.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' http: https:; media-src 'self' http: https:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@router.get("/")
@router.get("/{name}")
async def show_file(name: str = "") -> FileResponse:
    if name not in _FILES:
        raise HTTPException(404, "No such page.")
    file, media_type = _FILES[name]
    return FileResponse(_FOLDER / file, media_type=media_type, headers=_HEADERS)
