"""RunComfy's catalog over HTTP (section 1.11 of the reference)."""

from aiohttp import web

from ops.simulator.refusals import RefusedError, unknown_model
from ops.simulator.routes import SIMULATOR, account_in
from ops.simulator.service import check_model_id


async def models(request: web.Request) -> web.Response:
    simulator = request.app[SIMULATOR]
    account_in(request)
    query = request.query
    found = simulator.catalog.public.search(
        text=query.get("search", ""), category=query.get("category"), kind=query.get("kind")
    )
    offset = whole_number(request, "offset", default=0, most=1_000_000)
    limit = whole_number(request, "limit", default=100, least=1, most=500)
    with_schema = query.get("include_schema") == "true"
    page = [m.shown(include_schema=with_schema) for m in found[offset : offset + limit]]
    return web.json_response({"models": page, "total": len(found)})


async def categories(request: web.Request) -> web.Response:
    account_in(request)
    return web.json_response({"categories": request.app[SIMULATOR].catalog.public.categories()})


async def model(request: web.Request) -> web.Response:
    account_in(request)
    simulator, asked_for = request.app[SIMULATOR], request.match_info["model_id"]
    check_model_id(asked_for)
    found = simulator.catalog.public.find(asked_for)
    if found is None:
        raise unknown_model(simulator.settings, asked_for)
    return web.json_response(found.shown(include_schema=True))


def whole_number(
    request: web.Request, name: str, *, default: int, most: int, least: int = 0
) -> int:
    """A query parameter in these limits; raises RefusedError for anything else."""
    text = request.query.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        said = f"A number from {least} to {most}."
        detail = {"loc": ["query", name], "msg": said, "type": "range"}
        raise RefusedError(422, 422001, f"Validation error: {name}.", detail=[detail])
    return int(text)
