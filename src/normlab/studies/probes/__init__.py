"""What a training history cannot tell, measured on the nets and images themselves: a record each."""

from __future__ import annotations

from normlab.studies.probes.batch_gap import BATCH_GAP
from normlab.studies.probes.first_step import FIRST_STEP
from normlab.studies.probes.preprocessing import PREPROCESSING
from normlab.studies.probes.record import Probe
from normlab.studies.probes.statistics_at_test import STATISTICS_AT_TEST

__all__ = ["BATCH_GAP", "FIRST_STEP", "PREPROCESSING", "STATISTICS_AT_TEST", "Probe"]
