"""The inspector: a receiver of callbacks for developers, with a page that shows each one.

It keeps callbacks in memory, says of each whether its signature verifies, and
answers as it is told to. It hides nothing, so it belongs on loopback only, and
it knows nothing of generations beyond the shape of a callback's body.
"""

from ops.inspector.app import create_app
from ops.inspector.settings import InspectorSettings

__all__ = ["InspectorSettings", "create_app"]
