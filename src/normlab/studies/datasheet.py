"""The datasheet: a row a norm, a column a question that an engineer asks, each cell an interval over seeds.

A column is a record: the study whose runs it reads, and the number that it takes from one seed of
one norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from normlab.findings import Datasheet, DatasheetCell, DatasheetColumn
from normlab.layers import norms
from normlab.studies.axes import norm_title
from normlab.studies.observations import Observation, best_of, select
from normlab.studies.spec import Where
from normlab.studies.statistics import effect_interval, median_interval
from normlab.studies.wording import signed

POINT = 0.01
VALIDATION = "best validation accuracy"
LIMITS = (
    "What it cannot tell: these are small fully connected nets on small images, trained for ten "
    "epochs. A norm that is "
    "ahead here may be behind in a large net, with convolutions or attention, or after a longer "
    "training. Cells with a "
    "dash were not measured; `reproduce --full` measures more."
)

Value = Callable[[Sequence[Observation]], float | None]


@dataclass(frozen=True)
class Column:
    """A question: `value` takes its answer from the observations of one seed and one norm; None where it has none.

    `kind` says how it is written: 'percent' and 'points' are shares, 'decades' and 'times' numbers;
    of a 'number' the median is shown, with its exact interval.
    """

    title: str
    study: str
    value: Value
    kind: str
    note: str = ""
    where: Where | None = None
    of_running: bool = False
    """Asked only of norms with running statistics: of others the answer is known."""


def _or_lowest(accuracy: float) -> float:
    """An accuracy; 0 for that of a net which diverged before it had one."""
    return 0.0 if math.isnan(accuracy) else accuracy


def tuned_accuracy(of_norm: Sequence[Observation]) -> float | None:
    """Test accuracy at the rate, start and epoch that are best on validation images."""
    if not of_norm:
        return None
    best = max(of_norm, key=lambda seen: _or_lowest(seen.numbers[VALIDATION]))
    return best.numbers["test accuracy"]


def decades_within_a_point(axis: str, others: tuple[str, ...]) -> Value:
    """Over how many decades of an axis a norm, at the best of the others, stays within a point of its best.

    Each value of the axis stands for its share of the range: n values over d decades are d / (n -
    1) each.
    """

    def value(of_norm: Sequence[Observation]) -> float | None:
        if not of_norm:
            return None
        seen = best_of(of_norm, others, VALIDATION) if others else list(of_norm)
        places = sorted({float(each.place[axis]) for each in seen})
        step = math.log10(places[-1] / places[0]) / (len(places) - 1)
        accuracies = [_or_lowest(each.numbers["test accuracy"]) for each in seen]
        return step * sum(each >= max(accuracies) - POINT for each in accuracies)

    return value


def smallest_batch(of_norm: Sequence[Observation]) -> float | None:
    """The smallest batch whose test accuracy is within a point of the best batch's."""
    if not of_norm:
        return None
    best = max(_or_lowest(each.numbers["final test accuracy"]) for each in of_norm)
    return min(
        float(each.place["batch size"])
        for each in of_norm
        if _or_lowest(each.numbers["final test accuracy"]) >= best - POINT
    )


def deepest(of_norm: Sequence[Observation]) -> float | None:
    """The largest number of hidden layers at which a norm, at its best start and rate, stays within ten points."""
    if not of_norm:
        return None
    seen = best_of(of_norm, ("start", "learning rate"), VALIDATION)
    best = max(_or_lowest(each.numbers["test accuracy"]) for each in seen)
    return max(
        float(each.place["hidden layers"])
        for each in seen
        if _or_lowest(each.numbers["test accuracy"]) >= best - 10 * POINT
    )


def train_test_difference(of_norm: Sequence[Observation]) -> float | None:
    """Training accuracy with running statistics less that with a batch's own."""
    if len(of_norm) != 1:
        return None
    numbers = of_norm[0].numbers
    return numbers["accuracy with running statistics"] - numbers["accuracy with batch statistics"]


COLUMNS = (
    Column(
        "Test accuracy, tuned",
        "tuned",
        tuned_accuracy,
        "percent",
        "rate, start and epoch chosen on validation",
    ),
    Column(
        "Learning rates within a point",
        "tuned",
        decades_within_a_point("learning rate", ("start",)),
        "decades",
        "of 3.5 decades, Adam",
    ),
    Column(
        "Initial scales within a point",
        "scale-or-step",
        decades_within_a_point("weight scale", ("ratio",)),
        "decades",
        "of 5 decades, the rate matched to the scale",
        {"rate": "matched to the scale", "eps": "1e-5"},
    ),
    Column(
        "Smallest batch within a point",
        "batch-size-layernorm",
        smallest_batch,
        "number",
        "equal epochs, one rate",
        {"compared at": "equal epochs"},
    ),
    Column(
        "Deepest net that trains",
        "layernorm-limits",
        deepest,
        "number",
        "of 5 and 20 hidden layers; within ten points",
        {"varies": "depth"},
    ),
    Column(
        "Test mode less training mode",
        "batch-size",
        train_test_difference,
        "points",
        "training accuracy at batch 5",
        {"compared at": "equal steps", "batch size": 5},
        of_running=True,
    ),
)
COSTS = (
    DatasheetColumn(
        "Time of a training step", "tuned", "against the plain net's, same seed and rate"
    ),
    DatasheetColumn("Work at inference", "by definition", "beside the affine layers"),
)


def datasheet(
    seen: Mapping[str, Sequence[Observation]], names: Sequence[str | None]
) -> Datasheet | None:
    """The datasheet from the observations of each study; None where none of its studies has any."""
    if not any(seen.get(column.study) for column in COLUMNS):
        return None
    rows = []
    there = {each.place.get("norm") for each in seen.get("tuned", ())}
    for name in names:
        title = norm_title(name)
        if there and title not in there:
            continue
        cells = [_cell(column, name, seen.get(column.study, ())) for column in COLUMNS]
        rows.append((title, (*cells, _step_cost(title, seen.get("tuned", ())), _inference(name))))
    columns = [DatasheetColumn(column.title, column.study, column.note) for column in COLUMNS]
    return Datasheet((*columns, *COSTS), tuple(rows), LIMITS)


def _cell(column: Column, name: str | None, observations: Sequence[Observation]) -> DatasheetCell:
    title = norm_title(name)
    if column.of_running and not (name and norms.BY_NAME[name].running):
        return DatasheetCell("none", 0.0, 0.0, 0.0, 0, "the same in training and in test mode")
    chosen = select(observations, {**(column.where or {}), "norm": title})
    by_seed: dict[int, list[Observation]] = {}
    for each in chosen:
        by_seed.setdefault(each.seed, []).append(each)
    sizes = {len(group) for group in by_seed.values()}
    whole = [group for group in by_seed.values() if len(group) == max(sizes)]
    values = [value for group in whole if (value := column.value(group)) is not None]
    return _interval_cell(values, column.kind)


def _step_cost(title: str, observations: Sequence[Observation]) -> DatasheetCell:
    """Seconds of a run against those of the plain net with the same seed, rate and start: the mean ratio a seed."""
    plain_net = {
        (each.seed, each.place["learning rate"], each.place["start"]): each.seconds
        for each in select(observations, {"norm": "no norm"})
    }
    by_seed: dict[int, list[float]] = {}
    for each in select(observations, {"norm": title}):
        base = plain_net.get((each.seed, each.place["learning rate"], each.place["start"]))
        if base and each.seconds:
            by_seed.setdefault(each.seed, []).append(each.seconds / base)
    return _interval_cell([float(np.median(ratios)) for ratios in by_seed.values()], "times")


def _inference(name: str | None) -> DatasheetCell:
    if name is None:
        return DatasheetCell("nothing", note="no norm")
    record = norms.BY_NAME[name]
    if record.running:
        return DatasheetCell("nothing", note="its constants fold into the weights before it")
    if record.over is None:
        return DatasheetCell("a function", note="a function of each number, and its parameters")
    return DatasheetCell("statistics", note="statistics of each image, in every layer")


def _interval_cell(values: Sequence[float], kind: str) -> DatasheetCell:
    if not values:
        return DatasheetCell("–", note="not measured")
    # a mean of a few whole numbers would be a number that no net has: there the median
    estimate = median_interval(values) if kind == "number" else effect_interval(values)
    text = _said(estimate.centre, kind)
    interval = ""
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        interval = f"{_said(estimate.low, kind)} to {_said(estimate.high, kind)}"
    return DatasheetCell(text, estimate.centre, estimate.low, estimate.high, len(values), interval)


def _said(value: float, kind: str) -> str:
    if kind == "percent":
        return f"{100 * value:.1f} %"
    if kind == "points":
        return f"{signed(100 * value, 1)} points"
    if kind == "decades":
        return f"{value:.1f} decades"
    return f"× {value:.2f}" if kind == "times" else f"{value:g}"
