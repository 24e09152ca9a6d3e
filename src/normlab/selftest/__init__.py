"""The promises, measured on this machine: numerics, conformance, files, crashes and determinism.

Each part is a module that yields `Measured` rows; the command `normlab selftest` runs the quick size of all of them.
"""

from normlab.selftest.measured import Area, Measured

__all__ = ["Area", "Measured"]
