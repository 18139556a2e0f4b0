"""RunComfy's catalog routes, over the copy of its catalog that this gateway has.

https://docs.runcomfy.com/model-apis/model-catalog-endpoints
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from api_gateway.auth import KNOWN
from api_gateway.model_ids import MODEL_ID_SCHEMA, check_model_id
from api_gateway.openapi import refusals
from api_gateway.parts import Wired
from api_gateway.runcomfy_schemas import CategoryList, ModelList, ModelRecord
from api_gateway.schemas import MODEL_ID
from generations.errors import InvalidModelId, ModelNotFound

#: As RunComfy's own command line has them.
USUAL_PAGE: Final = 100
LONGEST_PAGE: Final = 500

router = APIRouter(prefix="/v1/models", tags=["RunComfy"], dependencies=[KNOWN])


#: The model id in a path, but for what :func:`whole_model_id` adds.
ModelId = Annotated[
    str,
    Path(
        description="RunComfy's model id, slashes included.",
        examples=[MODEL_ID],
        json_schema_extra=MODEL_ID_SCHEMA,
    ),
]


def whole_model_id(request: Request, model_id: str) -> str:
    """The model id with what the router leaves out: a newline at the end of the path."""
    # Its pattern ends in "$", which passes over one.
    return f"{model_id}\n" if request.scope["path"].endswith("\n") else model_id


@router.get(
    "",
    operation_id="list_models",
    summary="List models",
    response_model=ModelList,
    responses=refusals(),
)
async def list_models(
    parts: Wired,
    search: Annotated[str, Query(description="In id, name or description.")] = "",
    category: Annotated[str | None, Query(examples=["image-to-video"])] = None,
    kind: Annotated[str | None, Query(description="model, workflow or inference.")] = None,
    include_schema: Annotated[bool, Query(description="Whether to show the schemas.")] = False,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = USUAL_PAGE,
    offset: Annotated[int, Query(ge=0, description="How many to leave out.")] = 0,
) -> Response:
    """The models of RunComfy's catalog, a page of them, and how many there are."""
    found = parts.catalog.current.search(text=search, category=category, kind=kind)
    page = [model.shown(include_schema=include_schema) for model in found[offset : offset + limit]]
    # As RunComfy wrote them: a record is not ours to reshape.
    return JSONResponse({"models": page, "total": len(found)})


@router.get(
    "/categories",
    operation_id="list_categories",
    summary="List the categories of models",
    responses=refusals(),
)
async def list_categories(parts: Wired) -> CategoryList:
    """Every category that a model is of."""
    return CategoryList(categories=parts.catalog.current.categories())


@router.get(
    "/{model_id:path}",
    operation_id="get_model",
    summary="Get a model",
    response_model=ModelRecord,
    responses=refusals(InvalidModelId, ModelNotFound),
)
async def get_model(request: Request, model_id: ModelId, parts: Wired) -> Response:
    """A model's record, with the schema of its input and its price where that is known."""
    model_id = whole_model_id(request, model_id)
    check_model_id(model_id)
    model = parts.catalog.current.find(model_id)
    if model is None:
        raise ModelNotFound
    return JSONResponse(model.shown(include_schema=True))
