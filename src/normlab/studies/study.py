"""`Study`: one question as a record, refused as a whole if anything in it cannot work."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from normlab.errors import OptionError
from normlab.studies import checking
from normlab.studies.measures import STANDARD, Curve, Measure, by_name
from normlab.studies.spec import Claim, Demonstration, Gallery, Grid, Heat, Lines, Reason

FIRST_SEED = 231
"""The notebook's seed; the others follow it."""


@dataclass(frozen=True, eq=False)
class Study:
    """One question: what is run, what is measured, what is claimed, drawn and answered.

    `measures` are the numbers that its tables show: names of `measures.STANDARD` or of what its
    probes give, or records of its own (a `Measure` or `Curve` with `read`). `seeds` is how many
    seeds are run unless another number is asked for, from `first_seed` on; a claim that these do
    not decide goes on up to `most_seeds`.

    `leaves_out` says what the notebook's figure does not show and this study adds, `literature` who
    asked before, and where the paper is silent. `full_only` is a study that a job asks for only if
    it is asked for all.

    Raises OptionError with a sentence for each thing that is wrong, before any net is trained.
    """

    name: str
    title: str
    question: str
    figure: tuple[Lines | Heat | Gallery, ...]
    claims: tuple[Claim, ...]
    answer: tuple[Reason, ...]
    measures: tuple[str | Measure | Curve, ...]
    grids: tuple[Grid, ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()
    seeds: int = 10
    most_seeds: int = 40
    first_seed: int = FIRST_SEED
    leaves_out: str = ""
    literature: tuple[str, ...] = ()
    full_only: bool = False
    edition: str = ""

    def __post_init__(self) -> None:
        problems = checking.problems(self)
        if problems:
            count = "one thing" if len(problems) == 1 else f"{len(problems)} things"
            listed = "\n".join(f"- {problem}" for problem in problems)
            raise OptionError(f"the study {self.name!r} has {count} to mend:\n{listed}")

    def __str__(self) -> str:
        return self.name

    @functools.cached_property
    def known(self) -> dict[str, Measure | Curve]:
        """Every measure and curve that this study may name: the standard ones, its probes' and its own."""
        probes = [probe for grid in self.grids for probe in grid.probes]
        probes += [shown.probe for shown in self.demonstrations]
        given = [record for probe in probes for record in probe.gives]
        return STANDARD | by_name(*given, *self.own)

    @property
    def own(self) -> tuple[Measure | Curve, ...]:
        """The measures that the study brings itself."""
        return tuple(each for each in self.measures if not isinstance(each, str))

    @property
    def table(self) -> tuple[str, ...]:
        """The names of the numbers that its tables show, in order."""
        names = (each if isinstance(each, str) else each.name for each in self.measures)
        return tuple(name for name in names if isinstance(self.known.get(name), Measure))

    def axis_title(self, name: str) -> str:
        """The title of an axis of its grids; empty where there is none."""
        axes = [axis for grid in self.grids for axis in grid.axes]
        axes += [shown.axis for shown in self.demonstrations]
        return next((axis.title for axis in axes if axis.name == name and axis.title), "")

    def axis_label(self, name: str) -> str:
        """How a value of an axis is said in the name of a line."""
        axes = [axis for grid in self.grids for axis in grid.axes]
        return next((axis.label for axis in axes if axis.name == name), "{}")
