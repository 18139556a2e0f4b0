"""The API's description is complete: every route, its answers, its problems, its key."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from api_gateway import create_app
from api_gateway.problems import MEDIA_TYPE
from generations.settings import GatewaySettings
from tests.builders import SEEDANCE

OPEN = {"/healthz", "/readyz", "/.well-known/jwks.json"}
ROUTES = {
    ("get", "/v1/models"),
    ("get", "/v1/models/categories"),
    ("get", "/v1/models/{model_id}"),
    ("post", "/v1/models/{model_id}"),
    ("get", "/v1/requests/{request_id}/status"),
    ("get", "/v1/requests/{request_id}/result"),
    ("post", "/v1/requests/{request_id}/cancel"),
    ("post", "/v1/generations"),
    ("get", "/v1/generations"),
    ("get", "/v1/generations/{generation_id}"),
    ("get", "/v1/generations/{generation_id}/events"),
    ("post", "/v1/generations/{generation_id}/cancel"),
    ("post", "/v1/generations/batch"),
    ("post", "/v1/generations/cancel"),
    ("get", "/v1/generations/{generation_id}/deliveries"),
    ("get", "/v1/generations/{generation_id}/deliveries/{delivery_id}"),
    ("post", "/v1/generations/{generation_id}/deliveries/{delivery_id}/redeliver"),
    ("get", "/v1/deliveries"),
    ("get", "/v1/deliveries/{delivery_id}"),
    ("post", "/v1/deliveries/redeliver"),
    ("post", "/v1/endpoints/test"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/.well-known/jwks.json"),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(GatewaySettings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def references(value: Any) -> Iterator[str]:
    """Every ``$ref`` in a document."""
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_route_is_described(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == ROUTES


def test_every_route_asks_for_a_key_but_those_that_tell_nothing_of_an_origin(
    document: dict[str, Any],
) -> None:
    for _, path, operation in operations(document):
        assert ("security" in operation) == (path not in OPEN)
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"


def test_every_route_for_origins_names_its_problems(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        if path not in OPEN:
            assert {"401", "422", "500", "503"} <= set(operation["responses"])


def test_every_failure_is_a_problem(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        failures = [a for status, a in operation["responses"].items() if int(status) >= 400]
        assert all(list(answer["content"]) == [MEDIA_TYPE] for answer in failures)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= schemas


def test_a_parameter_is_never_null(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert {"type": "null"} not in parameter["schema"].get("anyOf", ())
            assert set(parameter["schema"]) & {"type", "$ref", "anyOf"}


def test_a_model_id_is_described_by_what_is_checked(document: dict[str, Any]) -> None:
    (described, *_) = document["paths"]["/v1/models/{model_id}"]["post"]["parameters"]
    pattern = described["schema"]["pattern"]
    assert re.search(pattern, SEEDANCE)
    assert not re.search(pattern, "vendor/..")


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
