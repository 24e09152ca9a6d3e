"""Toys that `test_planting` plants into a copy of the package: one of each kind.

`PLANTS` says where each file goes, and the one line elsewhere by which it is found.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Plant(NamedTuple):
    """A toy: its file here, where it goes, and a line for an existing file, after another line."""

    file: str | None
    goes_to: str | None
    existing: str
    line: str
    after: str


PLANTS = {
    "norm": Plant(
        "toy_norm.py",
        "layers/toynorm.py",
        "layers/norms.py",
        "from normlab.layers.toynorm import TOY_NORM as TOY_NORM",
        "from normlab.layers.rmsnorm import",
    ),
    "update rule": Plant(
        "toy_rule.py",
        "signsgd.py",
        "optim.py",
        "from normlab.signsgd import SIGN_SGD as SIGN_SGD",
        "from normlab.update_rule import",
    ),
    "data set": Plant(
        "toy_data.py",
        "data/stripes.py",
        "data/data_sets.py",
        "from normlab.data.stripes import STRIPES as STRIPES",
        "from normlab.data.mnist import",
    ),
    "engine": Plant(
        "toy_engine.py",
        "engines/patient.py",
        "engines/__init__.py",
        "from normlab.engines.patient import PATIENT as PATIENT",
        "from normlab.engines.engine import",
    ),
    "study": Plant(
        "toy_study.py",
        "studies/catalog/toy.py",
        "studies/catalog/__init__.py",
        "from normlab.studies.catalog.toy import TOY as TOY",
        "from normlab.studies.catalog.depth import",
    ),
    # an entry of a catalogue, beside the others on the same function: no file of its own
    "mistake": Plant(
        None,
        None,
        "checker/mistakes/relu.py",
        '    _forward("doubled", "doubles the values that it keeps", "Positive values stay.", '
        'wrong={"value": lambda x: 2 * np.maximum(x, 0)}),',
        "RELU_FORWARD = by_key((",
    ),
}


def planted(source: Path, to: Path, *kinds: str) -> list[str]:
    """Copy the packages in `source` with toys planted; the existing files that were touched."""
    shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for plant in (PLANTS[kind] for kind in kinds):
        if plant.file is not None and plant.goes_to is not None:
            assert not (to / "normlab" / plant.goes_to).exists()
            shutil.copy(HERE / plant.file, to / "normlab" / plant.goes_to)
        path = to / "normlab" / plant.existing
        lines = path.read_text(encoding="utf-8").splitlines()
        place = next(number for number, line in enumerate(lines) if line.startswith(plant.after))
        path.write_text(
            "\n".join([*lines[: place + 1], plant.line, *lines[place + 1 :], ""]), encoding="utf-8"
        )
    return sorted(
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and "egg-info" not in str(path)
        and path.read_bytes() != (to / path.relative_to(source)).read_bytes()
    )
