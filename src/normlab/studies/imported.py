"""Nets that were trained elsewhere: the same statistics, verdicts and page for runs from a table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Literal

from normlab.errors import OptionError, not_one_of
from normlab.findings import Findings, replace
from normlab.specs import DataSpec
from normlab.studies.axes import Axis
from normlab.studies.collection import with_adjusted
from normlab.studies.evaluation import findings_of
from normlab.studies.measures import Curve, Measure, Unit
from normlab.studies.observations import Observation
from normlab.studies.probes.record import Probe
from normlab.studies.runs_file import Run
from normlab.studies.spec import Claim, Demonstration, Lines, Quantity, Reason
from normlab.studies.study import Study

_CLAIM = re.compile(r"^(?P<more>.+?)\s*>\s*(?P<less>.+?)(?:\s+by\s+(?P<margin>[-+.\deE]+))?$")
Better = Literal["higher", "lower"]


def findings_from(
    runs: Sequence[Run],
    *,
    measure: str | None = None,
    better: Better | None = None,
    claims: Sequence[str] = (),
    source: str = "",
    command: str = "",
) -> Findings:
    """What these runs say: a claim for each pair of arms on one measure, or the claims that are given.

    Arguments:
        measure: what is compared, by default the first measure that all arms have.
        better: whether more of it is better; by default not for what is called a loss or an error.
        claims: such as 'batchnorm > none by 0.01': the first arm's value is higher by more than the
            margin.

    Raises OptionError for fewer than two arms, unknown arms and measures, and claims that cannot be
    read.
    """
    study, observations = study_of(runs, measure, better, claims)
    seeds = sorted({run.seed for run in runs})
    data = DataSpec("runs trained elsewhere")
    found = findings_of(study, observations, seeds, data, expected=len(runs))
    written = (
        ()
        if claims
        else ("The claims are every pair of arms: none was chosen after a look at the results.",)
    )
    found = replace(found, answer=(*written, *_unpaired(runs)) or found.answer)
    return Findings(
        data=data.name,
        data_title="Runs trained elsewhere",
        command=command,
        studies=with_adjusted((found,)),
        provenance=(("Command", command), ("Runs", f"{len(runs)} from {source}")),
    )


def study_of(
    runs: Sequence[Run], measure: str | None, better: Better | None, claims: Sequence[str]
) -> tuple[Study, list[Observation]]:
    """A study without nets of its own, whose points are the arms, and its observations."""
    arms = list(dict.fromkeys(run.arm for run in runs))
    if len(arms) < 2:
        raise OptionError(
            f"there is one arm, {arms[0]!r}; a comparison needs at least two" if arms else "no runs"
        )
    shared = [name for name in runs[0].numbers if all(name in run.numbers for run in runs)]
    if not shared:
        raise OptionError(
            "no measure is there in every run; give each run a value of the one that is compared"
        )
    if measure is not None and measure not in shared:
        raise not_one_of("measure", measure, shared)
    chosen = measure or next((name for name in shared if "acc" in name.lower()), shared[0])
    curves = [name for name in runs[0].curves if all(name in run.curves for run in runs)]
    records: list[Measure | Curve] = [
        Measure(name, name, _unit(name, runs), counted_on="") for name in shared
    ]
    records += [Curve(f"{name} along the run", name, _unit(name, runs), "step") for name in curves]
    lower = better == "lower" or (
        better is None and re.search("loss|error|perplexity", chosen, re.I) is not None
    )
    unit = _unit(chosen, runs)
    given = [_given(text, arms, chosen, unit) for text in claims]
    pairs = [_pair(b, a, chosen, unit, lower) for a, b in itertools.combinations(arms, 2)]
    study = Study(
        name="runs",
        title=f"{chosen} of {len(arms)} arms",
        question=f"Which of {', '.join(arms)} has the {'lower' if lower else 'higher'} {chosen}?",
        demonstrations=(
            Demonstration(
                Axis("arm", tuple(arms), tuple({} for _ in arms), "Arm"),
                Probe("runs", "images", gives=tuple(records)),
            ),
        ),
        measures=tuple(shared),
        figure=tuple(
            Lines(f"{name} along the run", f"{name} along the run", x="step", lines=("arm",))
            for name in curves
        ),
        claims=tuple(given or pairs),
        answer=(Reason("The table has a row an arm."),),
        seeds=max(len({run.seed for run in runs}), 3),
        most_seeds=max(len({run.seed for run in runs}), 3),
        leaves_out="How these nets were trained, tuned and chosen is not known here: an arm that was tuned more than "
        "another is ahead for that reason, too.",
    )
    observations = [
        Observation(
            {"arm": run.arm},
            run.seed,
            run.numbers,
            {
                f"{name} along the run": curve
                for name, curve in run.curves.items()
                if name in curves
            },
        )
        for run in runs
    ]
    return study, observations


def _unit(name: str, runs: Sequence[Run]) -> Unit:
    values = [run.numbers[name] for run in runs if name in run.numbers]
    if "acc" in name.lower() and all(0 <= value <= 1 for value in values):
        return "accuracy"
    return "loss" if "loss" in name.lower() else "correlation"


def _pair(one: str, other: str, measure: str, unit: Unit, lower: bool) -> Claim:
    word = "lower" if lower else "higher"
    left, right = Quantity(measure, {"arm": one}), Quantity(measure, {"arm": other})
    return Claim(
        name=f"{one} over {other}",
        statement=f"{measure} is {word} with {one} than with {other}.",
        left=left,
        right=right,
        expect="below" if lower else "above",
        unit=unit,
        holds=f"{measure} is {{left}} with {one} and {{right}} with {other}.",
        fails=f"{measure} is not {word} with {one}: {{left}}, against {{right}} with {other}.",
    )


def _given(text: str, arms: Sequence[str], measure: str, unit: Unit) -> Claim:
    found = _CLAIM.match(text.strip())
    if found is None:
        raise OptionError(f"--claim {text!r} is none; write 'ARM > ARM', or 'ARM > ARM by MARGIN'")
    for arm in (found["more"], found["less"]):
        if arm not in arms:
            raise not_one_of("arm", arm, arms)
    try:
        margin = float(found["margin"] or 0)
    except ValueError:
        raise OptionError(
            f"--claim {text!r}: the margin {found['margin']!r} is no number"
        ) from None
    by = f" by more than {margin:g}" if margin else ""
    return Claim(
        name=text.strip(),
        statement=f"{measure} is higher with {found['more']} than with {found['less']}{by}.",
        left=Quantity(measure, {"arm": found["more"]}),
        right=Quantity(measure, {"arm": found["less"]}),
        margin=margin,
        why="given with the claim" if margin else "",
        unit=unit,
        holds=f"{measure} is {{left}} with {found['more']} and {{right}} with {found['less']}.",
        fails=f"{measure} is not higher{by} with {found['more']}: {{left}}, against {{right}}.",
    )


def _unpaired(runs: Sequence[Run]) -> tuple[str, ...]:
    """A sentence where some seeds are not there in every arm: comparisons leave them out."""
    of_arm: dict[str, set[int]] = {}
    for run in runs:
        of_arm.setdefault(run.arm, set()).add(run.seed)
    everywhere = set.intersection(*of_arm.values())
    alone = sorted(set.union(*of_arm.values()) - everywhere)
    if not alone:
        return ()
    return (
        "Runs are compared seed by seed. Not every arm has the seeds "
        f"{', '.join(map(str, alone[:10]))}: a comparison leaves out those that one of its arms "
        "lacks.",
    )
