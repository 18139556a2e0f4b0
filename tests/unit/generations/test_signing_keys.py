"""Signing keys as Standard Webhooks writes them."""

import base64

import pytest

from generations.public_keys import jwk
from generations.signing_keys import SigningKey, parse_signing_keys

# RFC 8037, appendix A: a key pair and its thumbprint.
SEED = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def written(held: bytes) -> str:
    return f"whsk_{base64.b64encode(held).decode()}"


def test_a_pair_is_written_with_both_its_halves_and_read_back() -> None:
    key = SigningKey.of_seed(SEED)
    assert key.public == base64.urlsafe_b64decode(X + "=")
    assert base64.b64decode(key.private_text.removeprefix("whsk_")) == SEED + key.public
    assert base64.b64decode(key.public_text.removeprefix("whpk_")) == key.public
    assert SigningKey.parse(key.private_text).public == key.public


def test_a_seed_alone_is_a_key_too() -> None:
    assert SigningKey.parse(written(SEED)).public == SigningKey.of_seed(SEED).public


def test_a_public_key_as_jwk_has_its_thumbprint_for_an_id() -> None:
    expected = {"kty": "OKP", "crv": "Ed25519", "x": X, "alg": "EdDSA", "use": "sig"}
    assert jwk(X) == {**expected, "kid": THUMBPRINT}


def test_several_stand_in_a_list() -> None:
    keys = [SigningKey.of_seed(SEED), SigningKey.of_seed(bytes(32))]
    listed = " , ".join(key.private_text for key in keys)
    assert [key.public for key in parse_signing_keys(listed + ",")] == [k.public for k in keys]


@pytest.mark.parametrize(
    "text",
    [
        "whsec_" + base64.b64encode(SEED).decode(),
        "whpk_" + base64.b64encode(SEED).decode(),
        "whsk_",
        "whsk_not base64!",
        written(SEED[:31]),
        written(SEED + bytes(1)),
        written(SEED + bytes(32)),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"whsk_|halves") as refused:
        SigningKey.parse(text)
    assert text.partition("_")[2] == "" or text.partition("_")[2] not in str(refused.value)


def test_a_private_key_is_not_shown() -> None:
    key = SigningKey.of_seed(SEED)
    assert key.private_text.removeprefix("whsk_")[:20] not in repr(key)
