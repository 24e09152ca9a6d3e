"""What is trained for the comparison: the notebook's own studies, as lists of runs.

Every net of the notebook, on its thousand training images, with an accuracy on training and
validation images after the first step and after each epoch. More seeds make a workload longer,
where two or four nets would be too few for two workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from normlab.errors import not_one_of
from normlab.specs import DataSpec, NetSpec, RunSpec, TrainingSpec
from normlab.studies.catalog.initialization import SCALES
from normlab.studies.study import FIRST_SEED

__all__ = ["WORKLOADS", "Workload", "subset", "workload"]


@dataclass(frozen=True)
class Workload:
    """A study of the notebook: its title and its runs on given data, ordered so that like nets stand together."""

    name: str
    title: str
    runs: Callable[[DataSpec], list[RunSpec]]
    alike: bool = True
    """Whether each net takes about as long, so that some of them can stand for all."""


def initialization(data: DataSpec) -> list[RunSpec]:
    """Twenty weight scales, without and with batch norm: 40 nets of seven hidden layers of 50."""
    training = TrainingSpec(batch_size=50, num_epochs=10, learning_rate=1e-3)
    return [
        RunSpec(NetSpec((50,) * 7, norm, weight_scale=scale), training, data, FIRST_SEED)
        for norm in (None, "batchnorm")
        for scale in SCALES
    ]


def depth(data: DataSpec) -> list[RunSpec]:
    """Five hidden layers of 100 without and with batch norm, on four seeds: 8 nets."""
    training = TrainingSpec(batch_size=50, num_epochs=10, learning_rate=1e-3)
    return [
        RunSpec(NetSpec((100,) * 5, norm, weight_scale=2e-2), training, data, seed)
        for norm in (None, "batchnorm")
        for seed in range(FIRST_SEED, FIRST_SEED + 4)
    ]


def batch_size(data: DataSpec) -> list[RunSpec]:
    """The plain net at batch 5; batch norm and layer norm at 5, 10 and 50: 7 nets, of 200 to 2,000 steps."""
    kinds = [
        (None, 5),
        *((norm, size) for norm in ("batchnorm", "layernorm") for size in (5, 10, 50)),
    ]
    return [
        RunSpec(
            NetSpec((100,) * 5, norm, weight_scale=2e-2),
            TrainingSpec(batch_size=size, num_epochs=10, learning_rate=10**-3.5),
            data,
            FIRST_SEED,
        )
        for norm, size in kinds
    ]


WORKLOADS = {
    each.name: each
    for each in (
        Workload("initialization", "the 40-net initialization study", initialization),
        Workload("depth", "the depth study on four seeds", depth),
        Workload(
            "batch-size",
            "the batch-size studies, batch norm and layer norm",
            batch_size,
            alike=False,
        ),
    )
}


def workload(name: str) -> Workload:
    """The workload of that name. Raises OptionError for others."""
    if name not in WORKLOADS:
        raise not_one_of("workload", name, WORKLOADS)
    return WORKLOADS[name]


def subset(total: int, wanted: int | None, turn: int = 0) -> list[int]:
    """`wanted` of the numbers below `total`, evenly spread, moved on by `turn`; all of them without `wanted`.

    So over the turns a slow trainer meets different nets, each time of all kinds.

    >>> subset(40, 4), subset(40, 4, turn=1), subset(3, None)
    ([0, 10, 20, 30], [1, 11, 21, 31], [0, 1, 2])
    """
    if wanted is None or wanted >= total:
        return list(range(total))
    return sorted((turn + number * total // wanted) % total for number in range(wanted))


def dealt(nets: Sequence[int], hands: int) -> list[list[int]]:
    """The nets in `hands` shares, dealt in turn: each share has as many of every kind.

    >>> dealt([0, 1, 2, 3, 4], 2)
    [[0, 2, 4], [1, 3]]
    """
    return [list(nets[hand::hands]) for hand in range(hands)]
