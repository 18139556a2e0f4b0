"""The public keys that callbacks are signed with. Nobody needs a key to read them."""

from typing import Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api_gateway.openapi import problems
from api_gateway.parts import Wired
from generations.errors import StoreUnavailable

#: Short enough that a receiver has a new key soon after it begins to sign beside the old one.
CACHED: Final = "public, max-age=300"

router = APIRouter(tags=["callbacks"])


class PublicKey(BaseModel):
    """A public key as JWK (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str = Field(description="The key's 32 bytes, in base64url.")
    kid: str = Field(description="Its id: the key's thumbprint (RFC 7638).")
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class PublicKeySet(BaseModel):
    """Public keys as JWK Set (RFC 7517)."""

    keys: list[PublicKey] = Field(
        description="The newest first; those that signed within the last week are among them. "
        "Empty: callbacks are signed with the origins' secrets only."
    )


@router.get(
    "/.well-known/jwks.json",
    operation_id="list_public_keys",
    summary="With which keys are v1a signatures verified?",
    responses=problems(StoreUnavailable),
)
async def list_public_keys(parts: Wired, response: Response) -> PublicKeySet:
    """The keys that sign callbacks beside each origin's secret, for receivers that hold none.

    A `v1a` signature is good if one of these verifies it over `id.timestamp.body`, as Standard
    Webhooks has it. The keys are the same for all origins: check that the generation is yours.
    """
    response.headers["Cache-Control"] = CACHED
    keys = await parts.public_keys.published()
    return PublicKeySet.model_validate({"keys": keys})
