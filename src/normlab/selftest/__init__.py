"""How exact the norms are and what gives the same bits, measured on this machine.

Each part is a module that yields `Measured` rows; the command `normlab selftest` runs the quick
size of all of them.
"""

from normlab.selftest.measured import Measured

__all__ = ["Measured"]
