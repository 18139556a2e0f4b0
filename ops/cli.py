"""The ``darkroom`` command. What it needs is imported when it is needed, so that it is quick."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import (
    deliveries_commands,
    endpoint_test_command,
    endpoints_commands,
    generations_commands,
    keys_commands,
    secrets_commands,
)
from ops.endings import ending_in_sentences
from ops.submit_command import submit

if TYPE_CHECKING:
    from ops.local.settings import LocalSettings

app = typer.Typer(
    name="darkroom",
    help="A small, durable front for RunComfy: one POST, one signed callback.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys_commands.app, name="keys")
keys_commands.app.command("rotate-secret")(secrets_commands.rotate_secret)
keys_commands.app.command("signing-key")(secrets_commands.signing_key)
app.add_typer(endpoints_commands.app, name="endpoints")
endpoints_commands.app.command("test")(endpoint_test_command.try_endpoint)
app.add_typer(generations_commands.app, name="generations")
app.add_typer(deliveries_commands.app, name="deliveries")
app.command()(submit)

FolderOption = Annotated[Path, typer.Option(help="Where data, logs and keys are kept.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HostOption = Annotated[str, typer.Option(help="The address to listen on.")]
PortOption = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Default: the setting of this name.")
]
MoreArguments = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def up(  # noqa: PLR0913  # Each is an option of the command.
    *,
    folder: FolderOption = Path(".darkroom"),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    gateway_port: PortOption = None,
    flower_port: PortOption = None,
    simulator_port: PortOption = None,
    inspector_port: PortOption = None,
    valkey_port: PortOption = None,
    verbose: Annotated[bool, typer.Option(help="Show what the parts log.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run everything on this machine until Ctrl-C.

    DARKROOM_REDIS_URL replaces the embedded server, RUNCOMFY_API_TOKEN the simulator.
    """
    import asyncio

    from ops.local.folder import Folder
    from ops.local.settings import inherited_environment
    from ops.local.stack import Wishes
    from ops.local.up import run_up

    given = {
        "gateway_port": gateway_port,
        "flower_port": flower_port,
        "simulator_port": simulator_port,
        "inspector_port": inspector_port,
        "valkey_port": valkey_port,
    }
    kept = Folder(folder)
    with ending_in_sentences(kept):
        settings = _local_settings({name: port for name, port in given.items() if port})
        wishes = Wishes(settings, inherited_environment(), settings.ports, workers=workers)
        asyncio.run(run_up(wishes, kept, verbose=verbose, as_json=as_json))


@app.command()
def demo() -> None:
    """Show one generation from its submission to its callback; ends by itself."""
    from ops.demo import run_demo

    raise typer.Exit(run_demo())


@app.command()
def gateway(
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Run a gateway (granian)."""
    from ops.local.parts import gateway_command

    with ending_in_sentences():
        port = port or _local_settings({}).gateway_port
    _become(gateway_command(host=host, port=port, workers=workers))


@app.command(context_settings=MoreArguments)
def worker(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Its name in Flower, before the @.")] = "worker",
) -> None:
    """Run a worker (celery); further options are Celery's."""
    from ops.local.parts import worker_command

    _become(worker_command(name, *context.args))


@app.command()
def simulator(host: HostOption = "127.0.0.1", port: PortOption = None) -> None:
    """Run the RunComfy simulator; DARKROOM_SIMULATOR_TOKEN is the token that it takes."""
    with ending_in_sentences():
        port = port or _local_settings({}).simulator_port
    _become_module("ops.simulator", host, port)


@app.command()
def inspector(host: HostOption = "127.0.0.1", port: PortOption = None) -> None:
    """Run the callback inspector.

    It verifies with DARKROOM_INSPECTOR_SECRET and DARKROOM_INSPECTOR_PUBLIC_KEYS.
    """
    with ending_in_sentences():
        port = port or _local_settings({}).inspector_port
    _become_module("ops.inspector", host, port)


@app.command()
def doctor(
    *,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Whether callbacks may go there; may be repeated."),
    ] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Only list every setting, and what it means.")
    ] = False,
    folder: FolderOption = Path(".darkroom"),
    as_json: JsonOption = False,
) -> None:
    """Check what Darkroom depends on, and say what to do; exit code 1 on a problem."""
    import asyncio

    from ops.doctor import print_settings, run_doctor, settings_now
    from ops.local.folder import Folder

    if settings:
        print_settings(settings_now(os.environ), as_json=as_json)
        return
    with ending_in_sentences():
        found = run_doctor(Folder(folder), endpoints=endpoint or (), as_json=as_json)
        raise typer.Exit(asyncio.run(found))


def _local_settings(given: dict[str, Any]) -> "LocalSettings":
    from ops.local.settings import LocalSettings

    return LocalSettings(**given)


def _become_module(module: str, host: str, port: int) -> None:
    from ops.local.parts import python_command

    _become(python_command(module, "--host", host, "--port", str(port)))


def _become(command: Sequence[str]) -> None:
    """Go on as another program, with the same process id."""
    from ops.local.settings import inherited_environment

    os.execve(command[0], list(command), inherited_environment())  # noqa: S606  # A command of ours.


if __name__ == "__main__":
    app()
