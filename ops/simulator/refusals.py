"""RunComfy's refusals: their codes (section 1.8 of the reference), and the envelope around them."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from ops.simulator.settings import SimulatorSettings


class RefusedError(Exception):
    """The call is answered with an error of RunComfy's."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        detail: Sequence[Mapping[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers


def unauthorized(settings: SimulatorSettings) -> RefusedError:
    if settings.unauthorized == "400":
        return RefusedError(400, 400004, "UserAccountError: the token is missing or not valid.")
    return RefusedError(401, 400004, "UserAccountError: the token is missing or not valid.")


def no_balance(settings: SimulatorSettings) -> RefusedError:
    if settings.no_balance == "400":
        return RefusedError(400, 400002, "InsufficientResources: the balance is used up.")
    return RefusedError(402, 402001, "InsufficientResources: the balance is used up.")


def unknown_model(settings: SimulatorSettings, model_id: str) -> RefusedError:
    if settings.unknown_model == "400":
        return RefusedError(400, 400001, f"InvalidResourceIdentifier: no model {model_id!r}.")
    return RefusedError(404, 404001, f"ResourceNotFound: no model {model_id!r}.")


def malformed_model(model_id: str) -> RefusedError:
    # https://docs.runcomfy.com/model-apis/error-codes: a malformed model_id.
    return RefusedError(400, 400001, f"InvalidResourceIdentifier: no id of a model: {model_id!r}.")


def violation(settings: SimulatorSettings, detail: Sequence[Mapping[str, Any]]) -> RefusedError:
    message = "Validation error: the input does not match the model's schema."
    if settings.schema_violation == "400":
        return RefusedError(400, 400001, message, detail=detail)
    return RefusedError(422, 422001, message, detail=detail)


def malformed() -> RefusedError:
    # No page has a code for it; the nearest is the Serverless API's for input that is wrong.
    return RefusedError(400, 422001, "ValidationError: the body is not a JSON object.")


def unknown_request() -> RefusedError:
    return RefusedError(404, 404001, "ResourceNotFound: no such request, or it has expired.")


def by_the_server(error: web.HTTPClientError) -> RefusedError:
    name = "ResourceNotFound: no route here" if error.status == 404 else error.reason
    return RefusedError(error.status, error.status * 1000 + 1, f"{name}.")


def foreign_request(settings: SimulatorSettings) -> RefusedError:
    if settings.foreign_request == "404":
        return unknown_request()
    return RefusedError(403, 403001, "PermissionDeniedError: the request is somebody else's.")


def not_ready(status: int) -> RefusedError:
    return RefusedError(status, status * 1000 + 1, "The result is not ready.")


def throttled(retry_after: float | None = None) -> RefusedError:
    # Retry-After is whole seconds; rounding up keeps the promise.
    headers = None if retry_after is None else {"Retry-After": str(-int(-retry_after // 1))}
    return RefusedError(429, 429001, "Too many requests.", headers=headers)


def server_error(status: int) -> RefusedError:
    return RefusedError(status, status * 1000 + 1, f"Simulated failure {status}.")


def full_envelope(refused: RefusedError) -> dict[str, Any]:
    body: dict[str, Any] = {"error_code": refused.code, "error_message": str(refused)}
    return body if refused.detail is None else body | {"detail": refused.detail}


def html_page(status: int) -> web.Response:
    """What stands between a client and RunComfy says when it speaks for itself."""
    text = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
    return web.Response(status=status, text=text, content_type="text/html")


def answer(refused: RefusedError, settings: SimulatorSettings) -> web.Response:
    """A refusal as it crosses HTTP, in the envelope that the settings ask for."""
    match settings.error_envelope:
        case "html":
            return html_page(refused.status)
        case "ok_200":
            return web.json_response(full_envelope(refused))
        case "message":
            return web.json_response(
                {"message": str(refused)}, status=refused.status, headers=refused.headers
            )
        case "full":
            return web.json_response(
                full_envelope(refused), status=refused.status, headers=refused.headers
            )
