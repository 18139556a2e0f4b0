"""``python -m ops.simulator``: the simulator as a process of its own."""

import sys
from typing import Annotated, Any

import typer
import uvloop
from pydantic import ValidationError

from ops.simulator.server import serve
from ops.simulator.settings import SimulatorSettings


def main(
    host: Annotated[str | None, typer.Option(help="Default: the setting, else loopback.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one. Default: 8090.")] = None,
) -> None:
    """Play RunComfy's Model API on a local address."""
    given: dict[str, Any] = {"host": host, "port": port}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        settings = SimulatorSettings(**given)
    except ValidationError as error:
        typer.echo(f"{error}\nSettings are DARKROOM_SIMULATOR_… in the environment.", err=True)
        sys.exit(2)
    uvloop.run(serve(settings, when_ready=_announce))


def _announce(url: str) -> None:
    typer.echo(f"simulator listening on {url}")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
