"""One's own question from start to end: `compare` trains, weighs and draws; `Comparison` is what it found.

It stands above the studies and the report, which do not know each other.
"""

from __future__ import annotations

import html
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from normlab.data import Dataset, load
from normlab.errors import need
from normlab.findings import ClaimFinding, Findings, PicturePanel
from normlab.frames import frame_of
from normlab.records import Records
from normlab.studies import grid
from normlab.studies.collection import collect
from normlab.studies.comparing import RATES, SEEDS, Row, comparison, recommendation, rows_of
from normlab.studies.loading import Price, check
from normlab.studies.observations import observe
from normlab.studies.running import Progress, run
from normlab.studies.study import Study
from normlab.studies.wording import value_text

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """What a comparison found. `print(comparison)` is the table and the recommendation."""

    study: Study
    rows: tuple[Row, ...]
    claims: tuple[ClaimFinding, ...]
    recommendation: str
    findings: Findings
    records: Path

    def __str__(self) -> str:
        return f"{_as_text(self.rows)}\n\n{self.recommendation}"

    def __repr__(self) -> str:
        return f"Comparison({self.study.title!r}: {self.recommendation})"

    def _repr_html_(self) -> str:
        cells = ["<table><tr>" + "".join(f"<th>{title}</th>" for title in TITLES) + "</tr>"]
        cells += [
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row)) + "</tr>"
            for row in self.rows
        ]
        return "".join(cells) + f"</table><p>{html.escape(self.recommendation)}</p>"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON's values."""
        return {
            "question": self.study.question,
            "rows": [
                {
                    "setting": row.setting, "norm": row.norm, "test_accuracy": row.accuracy.centre,
                    "low": row.accuracy.low, "high": row.accuracy.high, "learned": row.learned,
                    "seeds": row.seeds, "learning_rate": row.rate, "seconds": row.seconds,
                }
                for row in self.rows
            ],
            "claims": [
                {
                    "name": claim.name, "verdict": claim.verdict, "effect": claim.effect, "low": claim.low,
                    "high": claim.high, "p": None if math.isnan(claim.adjusted) else claim.adjusted,
                }
                for claim in self.claims
            ],
            "recommendation": self.recommendation,
            "records": str(self.records),
        }  # fmt: skip

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame, or a polars one where only polars is installed."""
        return frame_of(self.to_dict()["rows"])

    def plot(self) -> Any:
        """The first panel of its figure as an Altair chart; needs the extra `studies`."""
        need("plot()", {"altair": "Altair"}, "'normlab[studies]'")
        import altair

        from normlab.report.charts import page_spec

        (study,) = (each for each in self.findings.studies if each.name == self.study.name)
        panel = next(each for each in study.panels if not isinstance(each, PicturePanel))
        spec = page_spec(panel) | {"width": 480}
        return altair.Chart.from_dict(spec)


def compare(
    norms: Sequence[str | None] = ("none", "batchnorm", "layernorm"),
    *,
    data: str | Dataset = "digits",
    records: str | os.PathLike[str] | None = None,
    rates: Sequence[float] = RATES,
    seeds: int = SEEDS,
    workers: int | None = None,
    engine: str = "auto",
    budget: Callable[[Price, int], object] | None = None,
    progress: Callable[[Progress], object] | None = None,
    command: str = "",
    **options: Any,
) -> Comparison:
    """Train these norms over learning rates and seeds, and say which is best on test images, if one is.

    Arguments: as for `comparison`, and data: a data set or its name. records: the file that keeps
        the runs; what is there is not trained again. By default a temporary one. budget: called
        before anything is trained with the price, and how many of its nets are recorded already.

    >>> found = compare(["none", "layernorm"], depth=1, width=8, rates=[1e-2], seeds=3, num_epochs=1, workers=1)
    >>> [row.norm for row in found.rows]
    ['no norm', 'layer norm']
    """
    study = comparison(norms, rates=rates, seeds=seeds, **options)
    dataset = load(data) if isinstance(data, str) else data
    place = Path(records) if records is not None else Path(tempfile.mkdtemp()) / "records.sqlite"
    with Records(place) as kept:
        wanted = [point.run(dataset.spec, seed) for point, seed in grid.seeded(study, seeds)]
        if budget is not None:
            budget(check(study, dataset.spec, seeds), sum(spec.key in kept for spec in wanted))
        run(
            [study], dataset, kept, seeds=seeds, workers=workers, engine=engine, progress=progress, command=command
        )  # fmt: skip
        found = observe(study, kept, dataset.spec, grid.seeds_of(study, seeds))
        findings = collect(kept, dataset.name)
    rows = rows_of(study, found, dataset.num_classes, len(dataset.y_test))
    (mine,) = (each for each in findings.studies if each.name == study.name)
    return Comparison(study, rows, mine.claims, recommendation(rows, mine.claims), findings, place)


TITLES = ("setting", "norm", "test accuracy", "95 % interval", "learned", "rate", "s a net")


def _cells(row: Row) -> tuple[str, ...]:
    interval = f"{_percent(row.accuracy.low)} to {_percent(row.accuracy.high)}"
    return (
        row.setting, row.norm, _percent(row.accuracy.centre), "–" if math.isnan(row.accuracy.low) else interval,
        f"{row.learned} of {row.seeds}", f"{row.rate:g}", f"{row.seconds:.2g}",
    )  # fmt: skip


def _as_text(rows: Sequence[Row]) -> str:
    shown = [TITLES, *map(_cells, rows)]
    kept = [i for i in range(len(TITLES)) if i or any(row.setting for row in rows)]
    widths = {i: max(len(line[i]) for line in shown) for i in kept}
    return "\n".join("  ".join(line[i].ljust(widths[i]) for i in kept).rstrip() for line in shown)


def _percent(value: float) -> str:
    return value_text("accuracy", min(max(value, 0.0), 1.0) if value == value else value)
