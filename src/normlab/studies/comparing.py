"""One's own question, asked in one line: which norm for these nets, each at its own learning rate.

`comparison` makes a study of it, with a claim for each pair of norms, written before anything is
trained; `rows_of` and `recommendation` say what came out: a row a norm, and a sentence that
recommends one or says why not.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from normlab.errors import OptionError, not_one_of
from normlab.findings import ClaimFinding, ComparisonRow, ComparisonTable
from normlab.layers import norms
from normlab.studies import arms, grid
from normlab.studies.axes import Axis, over, over_field, over_norms
from normlab.studies.observations import Observation, best_of
from normlab.studies.spec import Claim, Grid, Lines, Quantity, Reason, Where
from normlab.studies.statistics import Estimate, effect_interval
from normlab.studies.study import Study
from normlab.studies.wording import listed, signed, value_text
from normlab.validation import whole_number

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""Two and a half decades, by half decades: what a person would try first."""
SEEDS = 10
PREFIX = "comparison-"
"""How the name of every comparison begins."""
RATE = "learning rate"
CHOSEN_BY, REPORTED = "best validation accuracy", "test accuracy"

OPTIONS: Mapping[str, tuple[str, str, str]] = {
    "batch_size": ("batch size", "Examples a batch", "batch {}"),
    "depth": ("depth", "Hidden layers", "{} layers"),
    "width": ("width", "Units a hidden layer", "width {}"),
    "dropout": ("dropout", "Probability of keeping a unit", "keep {}"),
    "activation": ("activation", "Activation", "{}"),
    "start": ("start", "Initial weights", "{} start"),
    "inputs": ("inputs", "Inputs", "{} inputs"),
    "residual": ("residual", "Residual blocks", "{}"),
    "update_rule": ("optimizer", "Optimizer", "{}"),
    "weight_decay": ("weight decay", "Weight decay", "weight decay {}"),
    "num_epochs": ("epochs", "Epochs", "{} epochs"),
}
"""What may be asked for: the axis, its title, and how a value is said in the name of a line."""
USUAL: Mapping[str, Any] = {
    "batch_size": 50,
    "depth": 5,
    "width": 100,
    "start": "he",
    "inputs": "standardized",
    "num_epochs": 10,
}
"""What is taken where nothing is said: today's usual start and inputs, not the assignment's."""


def comparison(
    names: Sequence[str | None],
    *,
    rates: Sequence[float] = RATES,
    seeds: int = SEEDS,
    groups: int | None = None,
    **options: Any,
) -> Study:
    """The study of a comparison: these norms, crossed with every option that is a list.

    Arguments:
        names: at least two norms; None or 'none' is the plain net.
        rates: learning rates; each norm is shown at the one that is best for it on validation
            examples, seed by seed.
        groups: of group norm, by default some sixteen units a group.
        options: values, or lists of values, for the keys of `OPTIONS`.

    Raises OptionError for names and values that make no net, before anything is trained.

    >>> study = comparison(["none", "batchnorm"], batch_size=[4, 32], rates=[1e-3, 1e-2])
    >>> len(grid.points(study)), [claim.name for claim in study.claims]
    (8, ['batch norm over no norm, batch 4', 'batch norm over no norm, batch 32'])
    """
    chosen = _norms(names)
    seeds = whole_number("seeds", seeds, 1)
    for option in options:
        if option not in OPTIONS:
            raise not_one_of("option", option, OPTIONS)
    given = {name: _several(value) for name, value in (dict(USUAL) | options).items()}
    axes, fixed = _axes(given)
    widths = [value for value in given["width"]]
    norm_axis = over_norms(*chosen, groups=groups or _groups(widths))
    rate_axis = over_field(
        RATE, "learning_rate", tuple(map(float, rates)), "Learning rate", "rate {}"
    )
    if len(rates) < 1:
        raise OptionError("rates is empty; give at least one learning rate")
    titles = norm_axis.values
    settings = [dict(place) for place in _crossed(axes)]
    pairs = [(b, a) for a, b in itertools.combinations(titles, 2)]
    claims = tuple(_claim(str(b), str(a), place, axes) for place in settings for b, a in pairs)
    described = _described(given)
    tuned = len(rates) > 1
    each = f"at the learning rate {rates[0]:g}"
    if tuned:
        each = "each at the learning rate that is best for it on validation"
    fields = {"names": chosen, "rates": list(rates), "groups": groups, "seeds": seeds, **given}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()[
        :8
    ]
    return Study(
        name=PREFIX + digest,
        title=f"Which norm? {described}",
        question=f"Which of {listed(map(str, titles))} classifies test images best, {each}? {described}.",
        grids=(Grid(fixed={"test": True, **fixed}, axes=(norm_axis, *axes, rate_axis)),),
        measures=(REPORTED, CHOSEN_BY, "best training accuracy", "final loss"),
        figure=_figure(axes, settings, tuned),
        claims=claims if seeds >= 3 else (),
        answer=(Reason(f"The table of this comparison has a row a norm, {each}."),),
        seeds=max(seeds, 3),
        most_seeds=max(seeds, 3),
        leaves_out="It says nothing beyond these nets, this optimizer and these images: on larger nets and "
        "data, ask again.",
    )


def _norms(names: Sequence[str | None]) -> list[str | None]:
    chosen = [None if name in (None, "none", "no norm") else str(name) for name in names]
    for name in chosen:
        if name is not None and name not in norms.BY_NAME:
            raise not_one_of("norm", name, ("none", *norms.BY_NAME))
    if len(chosen) < 2 or len(set(chosen)) != len(chosen):
        raise OptionError(
            f"norms={list(names)} makes no comparison; give at least two different ones of "
            f"{', '.join(('none', *norms.BY_NAME))}"
        )
    return chosen


def _several(value: Any) -> tuple[Any, ...]:
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not found:
        raise OptionError(
            "an option has an empty list of values; give at least one, or leave the option out"
        )
    return found


def _axes(given: Mapping[str, tuple[Any, ...]]) -> tuple[tuple[Axis, ...], dict[str, Any]]:
    """An axis for each option with several values, and the fields that the others fix."""
    given = dict(given)
    depths, widths = given.pop("depth"), given.pop("width")
    for name, values in (("depth", depths), ("width", widths)):
        for value in values:
            whole_number(name, value, 1)
    axes: list[Axis] = []
    fixed: dict[str, Any] = {}
    if len(depths) > 1 and len(widths) > 1:
        nets = {f"{d} x {w}": {"hidden_dims": (w,) * d} for d in depths for w in widths}
        axes.append(over("net", nets, "Hidden layers x units", "{}"))
    elif len(depths) > 1:
        table = {depth: {"hidden_dims": (widths[0],) * depth} for depth in depths}
        axes.append(over(*_named("depth", table)))
    elif len(widths) > 1:
        table = {width: {"hidden_dims": (width,) * depths[0]} for width in widths}
        axes.append(over(*_named("width", table)))
    else:
        fixed["hidden_dims"] = (widths[0],) * depths[0]
    for name, values in given.items():
        if len(values) == 1:
            fixed[name] = values[0]
        else:
            axes.append(over(*_named(name, {_shown(value): {name: value} for value in values})))
    return tuple(axes), fixed


def _named(option: str, table: Mapping[Any, Mapping[str, Any]]) -> tuple[Any, ...]:
    axis, title, label = OPTIONS[option]
    return axis, table, title, label


def _shown(value: Any) -> Any:
    return "none" if value is None else value


def _groups(widths: Sequence[int]) -> int:
    """Groups of some sixteen units, as Wu and He's nets have them, that divide every width."""
    divisor = math.gcd(*widths)
    return max(g for g in range(1, divisor + 1) if divisor % g == 0 and g <= max(divisor // 16, 2))


def _crossed(axes: Sequence[Axis]) -> Iterator[Mapping[str, Any]]:
    for values in itertools.product(*(axis.values for axis in axes)):
        yield {axis.name: value for axis, value in zip(axes, values, strict=True)}


def _at(place: Mapping[str, Any], axes: Sequence[Axis]) -> str:
    """A place in words: `batch 4, 20 layers`."""
    return ", ".join(axis.label.format(place[axis.name]) for axis in axes)


def _described(given: Mapping[str, tuple[Any, ...]]) -> str:
    depth, width = (" or ".join(map(str, given[name])) for name in ("depth", "width"))
    batch = " or ".join(map(str, given["batch_size"]))
    rules = " or ".join(map(str, given.get("update_rule", ("adam",))))
    return f"Batches of {batch}, {depth} hidden layers of {width}, {rules}"


def _quantity(norm: str, place: Mapping[str, Any]) -> Quantity:
    where: Where = {"norm": norm, **place}
    return Quantity(REPORTED, where, best_of=RATE, chosen_by=CHOSEN_BY)


def _claim(better: str, than: str, place: Mapping[str, Any], axes: Sequence[Axis]) -> Claim:
    at = _at(place, axes)
    tail, said = (f", {at}", f" ({at})") if at else ("", "")
    return Claim(
        name=f"{better} over {than}{tail}",
        statement=f"With {better} the test accuracy is higher than with {than}{said}.",
        left=_quantity(better, place),
        right=_quantity(than, place),
        holds=f"With {better} {{left}} of the test images are classified right, with {than} {{right}}{said}.",
        fails=f"With {better} {{left}} of the test images are classified right, with {than} more: {{right}}{said}.",
    )


def _figure(
    axes: Sequence[Axis], settings: Sequence[Mapping[str, Any]], tuned: bool
) -> tuple[Lines, ...]:
    panels: list[Lines] = []
    if tuned:
        panels += [
            Lines(
                "Test accuracy over the learning "
                f"rate{': ' + at if (at := _at(place, axes)) else ''}",
                REPORTED,
                x=RATE,
                where=place,
                x_log=True,
            )
            for place in settings[:6]
        ]
    for axis in axes:
        if len(axes) == 1 and all(isinstance(value, int | float) for value in axis.values):
            panels.append(
                Lines(
                    f"Test accuracy over the {axis.name}, each norm at its own rate",
                    REPORTED,
                    x=axis.name,
                    x_log=min(axis.values) > 0,  # type: ignore[operator]
                    best_of=RATE,
                    chosen_by=CHOSEN_BY,
                )
            )
    return tuple(panels)


@dataclass(frozen=True)
class Row:
    """A norm in one setting, at its own learning rate."""

    setting: str
    norm: str
    accuracy: Estimate
    """On the test set, with its 95 % interval over seeds."""
    learned: int
    seeds: int
    rate: float
    """The learning rate chosen most often on validation."""
    seconds: float
    """Of training a net, on average."""


def rows_of(
    study: Study, observations: Sequence[Observation], classes: int, num_test: int
) -> tuple[Row, ...]:
    """A row a norm and setting, from what the records hold."""
    axes, titles = _axes_of(study)
    level = arms.learning_level(classes)
    rows = []
    for place in _crossed(axes):
        for norm in titles:
            where = {"norm": norm, **place}
            seen = [each for each in observations if grid.matches(each.place, where)]
            chosen = best_of(seen, RATE, CHOSEN_BY)
            values = [each.numbers[REPORTED] for each in chosen]
            rates = Counter(float(each.place[RATE]) for each in chosen)
            rows.append(
                Row(
                    setting=_at(place, axes),
                    norm=str(norm),
                    accuracy=effect_interval(values, step=1 / max(num_test, 1)),
                    learned=sum(each.numbers["best training accuracy"] >= level for each in chosen),
                    seeds=len(chosen),
                    rate=rates.most_common(1)[0][0] if rates else math.nan,
                    seconds=sum(each.seconds for each in seen) / max(len(seen), 1),
                )
            )
    return tuple(rows)


def table_of(
    study: Study,
    observations: Sequence[Observation],
    claims: Sequence[ClaimFinding],
    classes: int,
    num_test: int,
) -> ComparisonTable | None:
    """The table of a comparison for the page; None for any other study, and where a row has no run yet."""
    if not study.name.startswith(PREFIX):
        return None
    rows = rows_of(study, observations, classes, num_test)
    if not all(row.seeds for row in rows):
        return None
    return ComparisonTable(
        tuple(
            ComparisonRow(
                row.setting,
                row.norm,
                row.accuracy.centre,
                row.accuracy.low,
                row.accuracy.high,
                row.learned,
                row.seeds,
                row.rate,
                row.seconds,
            )
            for row in rows
        ),
        recommendations(rows, claims),
    )


def recommendation(rows: Sequence[Row], claims: Sequence[ClaimFinding]) -> str:
    """A sentence a setting that recommends a norm, or says why none can be."""
    return " ".join(recommendations(rows, claims))


def recommendations(rows: Sequence[Row], claims: Sequence[ClaimFinding]) -> tuple[str, ...]:
    """The same, a sentence a setting."""
    settings = dict.fromkeys(row.setting for row in rows)
    return tuple(_recommendation(rows, claims, setting) for setting in settings)


def _axes_of(study: Study) -> tuple[list[Axis], list[Any]]:
    axes = [axis for each in study.grids for axis in each.axes]
    titles = [value for axis in axes if axis.name == "norm" for value in axis.values]
    return [axis for axis in axes if axis.name not in ("norm", RATE)], titles


def _recommendation(rows: Sequence[Row], claims: Sequence[ClaimFinding], setting: str) -> str:
    """One sentence: the norm that is ahead of all others, or those that cannot be told apart."""
    here = [row for row in rows if row.setting == setting]
    best = max(here, key=lambda row: (row.accuracy.centre, -here.index(row)))
    lead = f"{setting[0].upper()}{setting[1:]}: " if setting else ""
    if not claims:
        return f"{lead}fewer than three seeds decide nothing; {best.norm} is ahead in these runs."
    ahead: list[tuple[str, float, str]] = []
    open_: list[tuple[str, float, str]] = []
    for row in here:
        if row is best:
            continue
        verdict, effect, interval = _between(best.norm, row.norm, setting, claims)
        (ahead if verdict == "better" else open_).append((row.norm, effect, interval))
    reliable = (
        ""
        if best.learned == best.seeds
        else f" (but it learned on {best.learned} of {best.seeds} seeds)"
    )
    if not open_:
        nearest = min(ahead, key=lambda each: each[1])
        return (
            f"{lead}take {best.norm}: {_percent(best.accuracy.centre)} of the test "
            f"images{reliable}, ahead of every other; the nearest, {nearest[0]}, is {nearest[2]} "
            "behind."
        )
    names = listed([best.norm, *(name for name, *_ in open_)])
    beaten = f"; all are ahead of {listed([name for name, *_ in ahead])}" if ahead else ""
    return (
        f"{lead}nothing is best beyond doubt: {names} cannot be told apart on {here[0].seeds} "
        f"seeds ({best.norm} is ahead of {open_[0][0]} by {open_[0][2]}){beaten}{reliable}. Take "
        "the simplest of them, or more seeds."
    )


def _between(
    best: str, other: str, setting: str, claims: Sequence[ClaimFinding]
) -> tuple[str, float, str]:
    """Whether `best` is better than `other` by the claim on the two, the effect, and its interval in words."""
    tail = f", {setting}" if setting else ""
    for claim in claims:
        if claim.name == f"{best} over {other}{tail}":
            sign = 1.0
        elif claim.name == f"{other} over {best}{tail}":
            sign = -1.0
        else:
            continue
        low, high = sorted((sign * claim.low, sign * claim.high))
        decided = claim.verdict == ("holds" if sign > 0 else "fails") and not claim.close
        words = f"{signed(100 * low, 1, plus=False)} to {signed(100 * high, 1, plus=False)} points"
        return ("better" if decided else "open"), sign * claim.effect, words
    return "open", math.nan, "an unknown distance"


def _percent(value: float) -> str:
    return value_text("accuracy", min(max(value, 0.0), 1.0) if value == value else value)
