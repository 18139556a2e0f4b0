"""What schemathesis is told beside the API's description. Its command line loads this module."""

import os
from typing import Any, Final

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.specs.openapi.checks import positive_data_acceptance

#: Refusals of valid data that no schema can foresee, and who decides them instead.
UNFORESEEABLE: Final = {
    "address_not_allowed",  # Which names lead to public addresses: DNS and the operator.
    "https_required",  # The operator's choice.
    "idempotency_conflict",  # What the key was used for before.
    "invalid_cursor",  # A cursor is for the list that gave it to understand.
    "invalid_input",  # The model's own schema, which is RunComfy's.
    "invalid_webhook",  # A URL without credentials, of all that are URIs.
}
ENDED: Final = os.environ["ENDED"]
DELIVERY: Final = os.environ["DELIVERY"]
EVENTS: Final = "/v1/generations/{generation_id}/events"


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Valid data that would keep the run waiting becomes valid data that does not."""
    if is_wait(case.query.get("wait")):
        case.query["wait"] = 0
    if "wait" in str(case.headers.get("prefer", "")):
        case.headers["prefer"] = "wait=0"
    generation_id = str(case.path_parameters.get("generation_id"))
    if case.path == EVENTS and generation_id.startswith("gen_"):
        # The stream of one that goes on goes on as well.
        case.path_parameters["generation_id"] = ENDED
    if case.path_parameters.get("delivery_id") == DELIVERY:
        # Under any other generation it is none.
        case.path_parameters["generation_id"] = ENDED


def is_wait(value: object) -> bool:
    """Whether it is a number of seconds that the API takes."""
    return str(value).isdecimal() and int(str(value)) <= 60


@schemathesis.check
def valid_data_is_accepted(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """``positive_data_acceptance``, but for what no schema can foresee."""
    if response.status_code in {400, 422} and response.json().get("code") in UNFORESEEABLE:
        return None
    return positive_data_acceptance(ctx, response, case)
