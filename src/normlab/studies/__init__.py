"""The studies: questions asked as data, answered over many seeds.

`catalog` holds one question a file; `grid` turns it into runs, `running` has them trained and
recorded, `claims` and `statistics` weigh what came out, and `evaluation` hands the findings to
whoever draws them.

Everything that a study file needs has a name here.
"""

from normlab.studies.axes import Axis, over, over_field, over_norms
from normlab.studies.loading import check, load
from normlab.studies.measures import Curve, Measure
from normlab.studies.probes import BATCH_GAP, FIRST_STEP, PREPROCESSING, Probe
from normlab.studies.running import run
from normlab.studies.spec import Claim, Demonstration, Gallery, Grid, Heat, Lines, Quantity, Reason
from normlab.studies.study import Study

__all__ = [
    "BATCH_GAP",
    "FIRST_STEP",
    "PREPROCESSING",
    "Axis",
    "Claim",
    "Curve",
    "Demonstration",
    "Gallery",
    "Grid",
    "Heat",
    "Lines",
    "Measure",
    "Probe",
    "Quantity",
    "Reason",
    "Study",
    "check",
    "load",
    "over",
    "over_field",
    "over_norms",
    "run",
]
