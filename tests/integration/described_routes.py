"""The gateway's own description of its routes, as something that can be called.

A route that cannot be called from what it says of itself fails whoever walks over all of them:
then it is to be taught here, not left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.builders import UNLISTED

#: Path parameters that name a generation, or what belongs to one.
IDS: Final = frozenset({"generation_id", "request_id", "delivery_id"})
#: Bodies of operations that describe none as a whole.
BODIES: Final[Mapping[str, Any]] = {
    "create_generations": {"generations": [{"model": UNLISTED, "input": {}}] * 2},
    "cancel_generations": {"all": True},
    "redeliver_deliveries": {"all": True},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route."""

    method: str
    path: str
    described: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scope(self) -> str | None:
        """What a key needs; None where none is asked for."""
        asked = self.described.get("security")
        if asked is None:
            return None
        ((scope,),) = [one["api_key"] for one in asked]
        return str(scope)

    @property
    def names_a_generation(self) -> bool:
        return any(parameter["name"] in IDS for parameter in self._in("path"))

    @property
    def takes_cursor(self) -> bool:
        return any(parameter["name"] == "cursor" for parameter in self._in("query"))

    def _in(self, place: str) -> list[dict[str, Any]]:
        return [one for one in self.described.get("parameters", ()) if one["in"] == place]

    async def call(
        self, client: httpx.AsyncClient, generation_id: str = "gen_1", **more: Any
    ) -> httpx.Response:
        """Call it as its description says, about this generation where it names one."""
        places = {one["name"]: _value(one, generation_id) for one in self._in("path")}
        if "requestBody" in self.described:
            more.setdefault("json", self._body())
        return await client.request(self.method, self.path.format(**places), **more)

    def _body(self) -> Any:
        described = self.described["requestBody"]["content"]["application/json"]
        if "example" in described:
            return described["example"]
        examples = described["schema"].get("examples")
        return examples[0] if examples else BODIES[self.described["operationId"]]


def _value(parameter: Mapping[str, Any], generation_id: str) -> str:
    if parameter["name"] in IDS:
        return generation_id
    return str(parameter["schema"]["examples"][0])


async def read_operations(client: httpx.AsyncClient) -> list[Operation]:
    """Every operation that a gateway describes."""
    document = (await client.get("/openapi.json")).json()
    return list(_operations(document))


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield Operation(method.upper(), path, described)
