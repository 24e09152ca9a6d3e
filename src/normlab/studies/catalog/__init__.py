"""The studies, one question a file, in the order the page tells them."""

from __future__ import annotations

from normlab.errors import not_one_of
from normlab.studies import Study
from normlab.studies.catalog.batch_size import BATCH_SIZE
from normlab.studies.catalog.batch_size_layernorm import BATCH_SIZE_LAYERNORM
from normlab.studies.catalog.depth import DEPTH
from normlab.studies.catalog.initialization import INITIALIZATION
from normlab.studies.catalog.layernorm_limits import LAYERNORM_LIMITS
from normlab.studies.catalog.preprocessing import PREPROCESSING

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        DEPTH,
        INITIALIZATION,
        BATCH_SIZE,
        BATCH_SIZE_LAYERNORM,
        PREPROCESSING,
        LAYERNORM_LIMITS,
    )
}


def studies(names: tuple[str, ...] | None = None) -> tuple[Study, ...]:
    """The studies of these names, in the catalogue's order; all of them without names.

    >>> [study.name for study in studies(("initialization", "depth"))]
    ['depth', 'initialization']
    """
    for name in names or ():
        if name not in STUDIES:
            raise not_one_of("studies", name, STUDIES)
    return tuple(study for study in STUDIES.values() if names is None or study.name in names)
