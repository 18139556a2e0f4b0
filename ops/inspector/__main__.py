"""``python -m ops.inspector``: the inspector as a program."""

import argparse
import asyncio
import sys

from pydantic import ValidationError

from ops.inspector import InspectorSettings, create_app
from ops.inspector.server import serve


def main() -> None:
    arguments = _parser().parse_args()
    try:
        app = create_app(InspectorSettings())
        asyncio.run(serve(app, host=arguments.host, port=arguments.port, announce=_announce))
    except (OSError, ValidationError) as error:
        sys.exit(f"inspector cannot start: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ops.inspector", description="Receives callbacks and shows them."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8091, help="0 takes a free one")
    return parser


def _announce(url: str) -> None:
    sys.stdout.write(f"inspector listening on {url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
