"""``darkroom endpoints test``: a worker tells an endpoint a test event."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.generations_commands import FOLDER, FolderOption, JsonOption, print_json, with_parts

if TYPE_CHECKING:
    from api_gateway.parts import Parts
    from generations.model import Delivery


def try_endpoint(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="Whose secret signs.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The endpoint.")],
    folder: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Tell an endpoint a test event, once, and show what it answers; exit code 1 unless 2xx."""

    async def tried(parts: "Parts") -> "Delivery":
        from api_gateway import trying
        from ops.local.errors import CannotRun

        if await parts.origins.find(origin) is None:
            # Without a secret nothing could be verified.
            raise CannotRun(f"There is no origin {origin}; its first key makes it.")
        return await trying.try_endpoint(url, parts, origin=origin)

    delivery = with_parts(folder, tried)
    from ops.showing_deliveries import as_json as body_of
    from ops.showing_deliveries import print_delivery

    if as_json:
        print_json(body_of(delivery))
    else:
        print_delivery(delivery)
        if not delivery.is_finished:
            typer.echo(f"\nNo worker has attempted it yet: darkroom deliveries show {delivery.id}")
    if delivery.status != "delivered":
        raise typer.Exit(1)
