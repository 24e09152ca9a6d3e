"""What is wrong with a study, found before a net is trained: a sentence for each thing."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from normlab.errors import UserError, did_you_mean, quoted
from normlab.studies import grid
from normlab.studies.measures import OVER_TITLES, STANDARD, Curve, Measure
from normlab.studies.spec import Claim, Gallery, Heat, Lines, Quantity, Value, Where

if TYPE_CHECKING:
    from normlab.studies.study import Study

FEWEST_SEEDS = 3
"""Fewer give no verdict: with two, one coincidence decides."""

WORDS = ("left", "right", "effect")


def problems(study: Study) -> list[str]:
    """Everything that cannot work in this study, in the order of its parts; empty where nothing is wrong."""
    found = list(_of_the_whole(study))
    try:
        places = grid.places(study)
    except (UserError, TypeError, ValueError) as error:
        return [*found, f"a grid makes no net: {error}"]
    found += _of_grids(study)
    for number, claim in enumerate(study.claims):
        found += (f"claim {claim.name!r}: {what}" for what in _of_claim(claim, study, places))
        if claim.name in [other.name for other in study.claims[:number]]:
            found.append(f"two claims have the name {claim.name!r}; each needs its own")
    for panel in study.figure:
        found += (f"panel {panel.title!r}: {what}" for what in _of_panel(panel, study, places))
    found += _of_answer(study)
    found += (
        f"measures name {name!r}, which nothing measures{did_you_mean(name, study.known)}"
        for name in study.measures
        if isinstance(name, str) and name not in study.known
    )
    return found


def _of_the_whole(study: Study) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", study.name):
        yield (
            f"name={study.name!r} names its figures' files: use small letters, digits and hyphens"
        )
    if study.claims and study.seeds < FEWEST_SEEDS:
        yield f"seeds={study.seeds} decide no claim: ask for at least {FEWEST_SEEDS}"
    if not study.grids and not study.demonstrations:
        yield "nothing is run: give it a grid of nets, or a demonstration on images"
    for own in study.own:
        if own.name in STANDARD:
            yield f"its own measure {own.name!r} has the name of a standard one; choose another"


def _of_grids(study: Study) -> Iterator[str]:
    seen: dict[frozenset[tuple[str, Value]], grid.Point] = {}
    for point in grid.points(study):
        place = frozenset(point.place.items())
        before = seen.setdefault(place, point)
        if (before.net, before.training) != (point.net, point.training):
            yield (
                f"two different nets stand at {dict(point.place)}: they differ in "
                f"{_difference(before, point)}; "
                f"make that an axis, or a tag"
            )
            return
        for probe in point.probes:
            if probe.looks_at == "images":
                yield f"the probe {probe.name!r} looks at images: it belongs to a demonstration, not to a grid"
                return


def _difference(one: grid.Point, other: grid.Point) -> str:
    names = [*vars(one.net), *vars(one.training)]
    before, after = ({**vars(each.net), **vars(each.training)} for each in (one, other))
    return ", ".join(name for name in names if before[name] != after[name])


def _of_claim(claim: Claim, study: Study, places: Sequence[Mapping[str, Value]]) -> Iterator[str]:
    for name in ("statement", "holds", "fails"):
        text = getattr(claim, name)
        if not text.endswith("."):
            yield f"{name} is no sentence: it does not end with a full stop"
        try:
            words = {word for _, word, _, _ in string.Formatter().parse(text) if word is not None}
        except ValueError as error:
            yield f"{name} cannot be read: {error}"
            continue
        allowed = () if name == "statement" else WORDS
        for word in sorted(words - set(allowed)):
            yield f"{name} has the place {{{word}}}; there are {quoted(allowed)}{did_you_mean(word, allowed)}"
        if "right" in words and claim.right is None:
            yield f"{name} speaks of {{right}}, and the claim has no right side"
    if claim.margin and not claim.why:
        yield f"margin={claim.margin} is not argued for: say in `why` why a smaller effect would not matter"
    for quantity in (claim.left, claim.right):
        if quantity is not None:
            yield from _of_quantity(quantity, claim.unit, study, places)


def _of_quantity(
    quantity: Quantity, unit: str, study: Study, places: Sequence[Mapping[str, Value]]
) -> Iterator[str]:
    measure = study.known.get(quantity.measure)
    if measure is None:
        yield f"nothing measures {quantity.measure!r}{did_you_mean(quantity.measure, _numbers(study))}"
        return
    if isinstance(measure, Curve):
        yield f"{quantity.measure!r} is a curve; a claim needs a number: {quoted(_numbers(study))}"
        return
    of = "share" if quantity.reduce in ("share above", "within") else measure.unit
    if of != unit:
        yield f"unit={unit!r}, but {quantity.measure!r} ({quantity.reduce}) is measured in {of!r}"
    yield from _of_where(quantity.where, places)
    chosen = [place for place in places if grid.matches(place, quantity.where)]
    names = [quantity.measure, *([quantity.chosen_by] if quantity.chosen_by else [])]
    yield from _not_measured(names, chosen, study)
    yield from _of_axes(quantity.best_of, chosen)
    if quantity.minus is not None:
        yield from _of_quantity(quantity.minus, unit, study, places)


def _numbers(study: Study) -> list[str]:
    return [name for name, record in study.known.items() if isinstance(record, Measure)]


def _of_where(where: Where, places: Sequence[Mapping[str, Value]]) -> Iterator[str]:
    """Axes and values that stand at no point."""
    axes = {axis for place in places for axis in place}
    wrong = False
    for axis, values in where.items():
        if axis not in axes:
            wrong = True
            yield f"there is no axis {axis!r}{did_you_mean(axis, axes)}; there are {quoted(sorted(axes))}"
            continue
        there = list(dict.fromkeys(place[axis] for place in places if axis in place))
        for value in grid.as_values(values):
            if not any(grid.same(value, each) for each in there):
                wrong = True
                yield f"no point has {axis} {value!r}{did_you_mean(value, there)}; there are {quoted(there)}"
    if not wrong and not any(grid.matches(place, where) for place in places):
        yield f"no point has all of {dict(where)}"


def _of_axes(
    axes: str | tuple[str, ...] | None, chosen: Sequence[Mapping[str, Value]]
) -> Iterator[str]:
    for axis in grid.as_names(axes):
        if chosen and not all(axis in place for place in chosen):
            yield f"best_of names {axis!r}, and not all its points stand on such an axis"


def _not_measured(
    names: Iterable[str], chosen: Sequence[Mapping[str, Value]], study: Study
) -> Iterator[str]:
    """Measures that are not taken at some of these points."""
    history = {
        name
        for name, record in (STANDARD | {own.name: own for own in study.own}).items()
        if record.read
    }
    frozen = {frozenset(place.items()) for place in chosen}
    for name in names:
        if name not in study.known:
            yield f"nothing measures {name!r}{did_you_mean(name, study.known)}"
            continue
        taken = set()
        for point in grid.points(study):
            given = {record.name for probe in point.probes for record in probe.gives}
            if name in given or name in history or study.known[name] in study.own:
                taken.add(frozenset(point.place.items()))
        for shown in study.demonstrations:
            if name in {record.name for record in shown.probe.gives}:
                taken |= {frozenset(place.items()) for place in grid.demonstrated(shown)}
        if missing := frozen - taken:
            yield f"{name!r} is not measured at {dict(min(missing, key=repr))}: give that grid a probe that does"


def _of_panel(
    panel: Lines | Heat | Gallery, study: Study, places: Sequence[Mapping[str, Value]]
) -> Iterator[str]:
    if isinstance(panel, Gallery):
        if not any(panel.axis in place for place in places):
            yield f"there is no axis {panel.axis!r}"
        return
    yield from _of_where(panel.where, places)
    chosen = [place for place in places if grid.matches(place, panel.where)]
    measures = (panel.measure,) if isinstance(panel.measure, str) else panel.measure
    unknown = [name for name in measures if name not in study.known]
    for name in unknown:
        yield f"nothing measures {name!r}{did_you_mean(name, study.known)}"
    if unknown or not chosen:
        return
    yield from _not_measured(measures, chosen, study)
    along = panel.x if isinstance(panel, Lines) else panel.y
    for name in measures:
        record = study.known[name]
        if isinstance(record, Curve) and record.over != along:
            yield f"{name!r} is a curve over {record.over}s; draw it over {record.over!r}, not {along!r}"
        if isinstance(record, Measure) and along in OVER_TITLES:
            yield f"{name!r} is one number a run; it cannot be drawn over {along!r}"
    if isinstance(panel, Heat):
        axes = [axis for axis in (panel.x, panel.y) if axis not in (*OVER_TITLES, "measure")]
    else:
        axes = [*([] if panel.x in OVER_TITLES else [panel.x]), *panel.lines]
        yield from _of_lines(panel, study, chosen)
    for axis in dict.fromkeys(axes):
        if not all(axis in place for place in chosen):
            yield f"not all its points stand on an axis {axis!r}: narrow `where`, or leave that axis out"


def _of_lines(panel: Lines, study: Study, chosen: Sequence[Mapping[str, Value]]) -> Iterator[str]:
    yield from _of_axes(panel.best_of, chosen)
    if panel.x not in OVER_TITLES:
        if not study.axis_title(panel.x):
            yield f"the axis {panel.x!r} has no title to print: give `over` or `over_field` a title"
        if any(isinstance(place.get(panel.x), str) for place in chosen):
            yield f"the axis {panel.x!r} has values that are words; lines need numbers"
    measures = (panel.measure,) if isinstance(panel.measure, str) else panel.measure
    titles = {study.known[name].title for name in measures}
    if len(titles) > 1 and not panel.y_title:
        yield "it shows several measures: give it a y_title that names what they have in common"
    if len({study.known[name].unit for name in measures}) > 1:
        yield "its measures have different units"


def _of_answer(study: Study) -> Iterator[str]:
    names = [claim.name for claim in study.claims]
    for reason in study.answer:
        for named in (*reason.rests_on, *reason.against, *reason.undecided):
            if named not in names:
                hint = did_you_mean(named, names)
                yield f"the answer rests on a claim {named!r} that does not exist{hint}"
