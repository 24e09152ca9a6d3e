"""The studies, one question a file, in the order the page tells them.

To add a study, write its file and add one line here.
"""

from __future__ import annotations

from normlab.errors import not_one_of
from normlab.studies import Study

# In the order of the page.
# isort: off
from normlab.studies.catalog.tuned import TUNED as TUNED
from normlab.studies.catalog.depth import DEPTH as DEPTH
from normlab.studies.catalog.initialization import INITIALIZATION as INITIALIZATION
from normlab.studies.catalog.scale_or_step import SCALE_OR_STEP as SCALE_OR_STEP
from normlab.studies.catalog.batch_size import BATCH_SIZE as BATCH_SIZE
from normlab.studies.catalog.batch_size_layernorm import (
    BATCH_SIZE_LAYERNORM as BATCH_SIZE_LAYERNORM,
)
from normlab.studies.catalog.preprocessing import PREPROCESSING as PREPROCESSING
from normlab.studies.catalog.layernorm_limits import LAYERNORM_LIMITS as LAYERNORM_LIMITS
from normlab.studies.catalog.tuned import TUNED_SGD as TUNED_SGD
from normlab.studies.catalog.ghost import GHOST_BATCHES as GHOST_BATCHES
from normlab.studies.catalog.mismatch import TEST_MODE as TEST_MODE
from normlab.studies.catalog.decay import NORM_AND_PENALTY as NORM_AND_PENALTY
from normlab.studies.catalog.convolutions import CONVOLUTIONS as CONVOLUTIONS
from normlab.studies.catalog.residual import RESIDUAL_DEPTH as RESIDUAL_DEPTH
from normlab.studies.catalog.scales_with_sgd import SCALES_WITH_SGD as SCALES_WITH_SGD
# isort: on

STUDIES: dict[str, Study] = {
    study.name: study for study in tuple(globals().values()) if isinstance(study, Study)
}


def studies(names: tuple[str, ...] | None = None, full: bool = False) -> tuple[Study, ...]:
    """The studies of these names, in the catalogue's order; without names those of the default job, or all of them.

    >>> [study.name for study in studies(("initialization", "depth"))]
    ['depth', 'initialization']
    """
    for name in names or ():
        if name not in STUDIES:
            raise not_one_of("studies", name, STUDIES)
    if names is None:
        return tuple(study for study in STUDIES.values() if full or not study.full_only)
    return tuple(study for study in STUDIES.values() if study.name in names)
