"""Which model ids can be ones."""

import pytest

from api_gateway.model_ids import LONGEST_MODEL_ID, check_model_id
from generations.errors import InvalidModelId


@pytest.mark.parametrize(
    "model_id",
    [
        "bytedance/seedance-v1.5-pro/image-to-video",
        "vendor/model",
        "a/b/c/d/e",
        "A_b.c-1/.hidden",
        "a/" + "b" * (LONGEST_MODEL_ID - 2),
    ],
)
def test_a_catalog_id_is_accepted(model_id: str) -> None:
    check_model_id(model_id)


@pytest.mark.parametrize(
    "model_id",
    [
        "",
        "/",
        "vendor",
        "/vendor/model",
        "vendor/model/",
        "vendor//model",
        "vendor/../model",
        "../model",
        "vendor/.",
        "vendor/..",
        "vendor/mo del",
        "vendor/model?x=1",
        "vendor/model#x",
        "vendor/%2e%2e",
        "vendor\\model",
        "vendor/modèle",
        "vendor/model\n",
        "vendor/mo\x00del",
        "https://elsewhere/vendor/model",
        "a/" + "b" * (LONGEST_MODEL_ID - 1),
    ],
)
def test_anything_else_is_refused(model_id: str) -> None:
    with pytest.raises(InvalidModelId):
        check_model_id(model_id)
