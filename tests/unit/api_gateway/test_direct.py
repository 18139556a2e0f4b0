"""Arguments that are bound in one pass are those that FastAPI would bind."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from api_gateway.direct import DirectRoute
from generations.errors import Unauthorized


class Asked(BaseModel):
    often: int = Field(default=1, ge=1)
    aloud: bool = False


class Told(BaseModel):
    found: dict[str, Any]
    more: int = 0


async def who(request: Request) -> str:
    if "x-who" not in request.headers:
        raise Unauthorized
    return str(request.headers["x-who"])


async def route(
    caller: Annotated[str, Depends(who)],
    place: Annotated[str, Path()],
    asked: Annotated[Asked, Query()],
    request: Request,
    response: Response,
    several: Annotated[list[str] | None, Header()] = None,
    one_word: Annotated[str | None, Header(min_length=2)] = None,
) -> Told:
    """The same function for both."""
    response.headers["X-Method"] = request.method
    found = {"caller": caller, "place": place, **asked.model_dump()}
    return Told(found=found | {"several": several, "one_word": one_word})


def client_of(route_class: type[APIRoute]) -> httpx.AsyncClient:
    app = FastAPI()
    router = APIRouter(prefix="/v1", route_class=route_class)
    router.post("/places/{place}", status_code=201, response_model_exclude_unset=True)(route)
    app.include_router(router)
    app.add_exception_handler(Unauthorized, lambda *_: Response(status_code=401))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://both")


@pytest.fixture(scope="module")
def both() -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    return client_of(APIRoute), client_of(DirectRoute)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?often=3&aloud=true", {"One-Word": "yes"}),
        ("?often=1&often=2&other=x", {}),
        ("", [("several", "a"), ("several", "b, c")]),
        ("?often=0", {}),
        ("?often=many&aloud=perhaps", {"one-word": "y"}),
        ("?often=", {"one-word": ""}),
    ],
)
async def test_what_is_sent_is_bound_as_fastapi_binds_it(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient], query: str, headers: Any
) -> None:
    sent = [("x-who", "me"), *(headers.items() if isinstance(headers, dict) else headers)]
    usual, direct = [await c.post(f"/v1/places/here{query}", headers=sent) for c in both]

    assert direct.status_code == usual.status_code
    if usual.is_success:
        assert direct.headers == usual.headers
        assert direct.json() == usual.json()
    else:
        # FastAPI tells what was sent as well; the gateway leaves that out.
        told = [{key: one[key] for key in ("loc", "msg", "type")} for one in usual.json()["detail"]]
        found = [{key: e[key] for key in ("loc", "msg", "type")} for e in direct.json()["detail"]]
        assert found == told


async def test_who_is_unknown_is_not_told_what_else_is_wrong(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    answers = [await client.post("/v1/places/here?often=0") for client in both]

    assert [answer.status_code for answer in answers] == [401, 401]


async def test_both_are_described_alike(both: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    usual, direct = [(await client.get("/openapi.json")).json() for client in both]

    assert direct == usual


def test_what_it_cannot_bind_is_refused_at_the_start() -> None:
    async def takes_a_body(body: dict[str, str]) -> Told:
        return Told(found=body)

    router = APIRouter(route_class=DirectRoute)
    with pytest.raises(TypeError, match="cannot take body"):
        router.post("/places")(takes_a_body)
