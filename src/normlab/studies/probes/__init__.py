"""What a training history cannot tell, measured on the nets and images themselves.

A probe is a function of a run's spec (or an operation and a seed) and the data; it returns names with numbers,
curves or pictures, ready for JSON. `FIRST_STEP` looks at a net before its first update, `BATCH_GAP` at a net
after training, and PREPROCESSING needs no net.
"""

from __future__ import annotations

from normlab.studies.probes.batch_gap import trained_and_measured
from normlab.studies.probes.first_step import first_step
from normlab.studies.probes.preprocessing import preprocessing

__all__ = ["first_step", "preprocessing", "trained_and_measured"]
