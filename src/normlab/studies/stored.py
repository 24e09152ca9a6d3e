"""A study as JSON, so that the records hold it and `report` draws it where its file is not at hand.

Everything is kept but the functions: what a study's own measures and probes have found stands in
the records itself. Reading it runs no code of the study's author.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from normlab.errors import RecordsError
from normlab.studies.axes import Axis
from normlab.studies.measures import Curve, Measure
from normlab.studies.probes.record import Probe
from normlab.studies.spec import (
    Claim,
    Demonstration,
    Gallery,
    Grid,
    Heat,
    Lines,
    Quantity,
    Reason,
)
from normlab.studies.study import Study

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Axis,
        Claim,
        Curve,
        Demonstration,
        Gallery,
        Grid,
        Heat,
        Lines,
        Measure,
        Probe,
        Quantity,
        Reason,
        Study,
    )
}
TAG = "is"


def to_json(study: Study) -> str:
    """Canonical JSON of a study, without its functions."""
    return json.dumps(_plain(study), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> Study:
    """The study that `to_json` wrote. Raises RecordsError for any other text."""
    try:
        study = _record(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordsError(
            f"a stored study cannot be read ({type(error).__name__}: {error}); it was written by "
            f"another version"
        ) from error
    if not isinstance(study, Study):
        raise RecordsError("a stored study is no study")
    return study


def design_hash(study: Study) -> str:
    """A hash of what is asked: grids, claims with their text and margins, seeds. Titles and figures stay out."""
    asked = {
        "grids": _plain(study.grids),
        "demonstrations": _plain(study.demonstrations),
        "claims": _plain(study.claims),
        "seeds": [study.seeds, study.most_seeds, study.first_seed],
    }
    return _sha256(asked)


def text_hash(text: str) -> str:
    """A hash of a study's whole text."""
    return hashlib.sha256(text.encode()).hexdigest()


def claim_hash(study: Study, name: str) -> str:
    """A hash of one claim, with the grids and demonstrations that it can be about, and the seeds."""
    (claim,) = (claim for claim in study.claims if claim.name == name)
    axes = {axis for axis in _places_named(claim)}
    grids = [
        each for each in study.grids if axes <= {*each.tags, *(axis.name for axis in each.axes)}
    ]
    shown = [each for each in study.demonstrations if axes <= {each.axis.name}]
    seeds = [study.seeds, study.most_seeds, study.first_seed]
    return _sha256([_plain(claim), _plain(grids), _plain(shown), seeds])


def _places_named(claim: Claim) -> set[str]:
    """The axes that every quantity of a claim names."""
    named: list[set[str]] = []
    quantity: Quantity | None
    for quantity in (claim.left, claim.right):
        while quantity is not None:
            named.append(set(quantity.where))
            quantity = quantity.minus
    return set.intersection(*named) if named else set()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        kept = {
            field.name: _plain(item)
            for field in fields(value)
            if not callable(item := getattr(value, field.name)) and not _is_default(item, field)
        }
        return {TAG: type(value).__name__, **kept}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _is_default(item: Any, field: Field[Any]) -> bool:
    """What a field added later leaves out, so that older studies keep their hash."""
    if field.default_factory is not MISSING:
        return bool(item == field.default_factory())
    return bool(field.default is not MISSING and item == field.default)


def _record(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_record, value))
    if not isinstance(value, dict):
        return value
    items = {name: _record(item) for name, item in value.items() if name != TAG}
    if TAG not in value:
        return items
    kind = KINDS[value[TAG]]
    known = {field.name for field in fields(kind)}
    items = {name: item for name, item in items.items() if name in known}
    return kind(**items)


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
