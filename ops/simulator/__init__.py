"""RunComfy's Model API, played locally over real HTTP.

``python -m ops.simulator`` runs it. It accepts what RunComfy would, takes the time that RunComfy
would, makes real files, goes wrong to order, and keeps a ledger of what would have been paid.
"""

from ops.simulator.app import create_app
from ops.simulator.server import serve
from ops.simulator.settings import SimulatorSettings

__all__ = ["SimulatorSettings", "create_app", "serve"]
