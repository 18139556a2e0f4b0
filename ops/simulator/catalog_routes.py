"""RunComfy's catalog over HTTP (section 1.11 of the reference)."""

from aiohttp import web

from ops.simulator.refusals import RefusedError
from ops.simulator.routes import SIMULATOR, account_in


async def models(request: web.Request) -> web.Response:
    simulator = request.app[SIMULATOR]
    account_in(request)
    query = request.query
    found = simulator.catalog.search(
        text=query.get("search", ""), category=query.get("category"), kind=query.get("kind")
    )
    offset = whole_number(request, "offset", default=0, most=1_000_000)
    limit = whole_number(request, "limit", default=100, most=500)
    with_schema = query.get("include_schema") == "true"
    page = [m.public_record(include_schema=with_schema) for m in found[offset : offset + limit]]
    return web.json_response({"models": page, "total": len(found)})


async def categories(request: web.Request) -> web.Response:
    account_in(request)
    return web.json_response({"categories": request.app[SIMULATOR].catalog.categories()})


async def model(request: web.Request) -> web.Response:
    account_in(request)
    found = request.app[SIMULATOR].model(request.match_info["model_id"])
    return web.json_response(found.public_record(include_schema=True))


def whole_number(request: web.Request, name: str, *, default: int, most: int) -> int:
    """A query parameter between 0 and ``most``; raises RefusedError for anything else."""
    text = request.query.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        detail = {"loc": ["query", name], "msg": f"A number from 0 to {most}.", "type": "range"}
        raise RefusedError(422, 422001, f"Validation error: {name}.", detail=[detail])
    return int(text)
