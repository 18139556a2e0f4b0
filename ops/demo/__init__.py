"""The demo: one generation from its submission to its verified callback, with every part real.

``run`` plays it, ``client`` asks the parts, ``story`` turns what they say into lines,
``screen`` shows them, ``verdict`` says whether all of it held.
"""

from ops.demo.run import run_demo

__all__ = ["run_demo"]
