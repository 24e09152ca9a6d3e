"""How far the compiled engine's histories are from the reference's, over the notebook's studies.

    python -m proof.agreement [--studies NAMES] [--data digits] [--data-dir FOLDER] [--seeds 1]

float64 runs must agree to the bit. float32 runs cannot: the engine adds in another order, and Adam
under a norm amplifies a last bit into the first digits within some hundred steps. So the same is
asked of the reference itself: how far does it go from its own history when the weight scale is
changed in its last bit? An engine that strays as far as that is as right as the reference, and no
engine can be righter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import normlab
from normlab.specs import History, RunSpec, replace
from normlab.studies import grid
from normlab.studies.catalog import studies

NOTEBOOK = ("depth", "initialization", "batch-size", "batch-size-layernorm")
EARLY = 10  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", default=",".join(NOTEBOOK), help="names with commas between")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    data = normlab.data.load(arguments.data, arguments.data_dir)
    table = Table(
        title=f"compiled engine against the reference, {arguments.data}, {arguments.seeds} seed(s)"
    )
    for title in (
        "study", "runs", "float64: losses that differ", "float32: first step", f"first {EARLY} steps",
        "median step", "the reference, nudged", "mean best val. accuracy", "the reference, nudged", "diverged alike",
    ):  # fmt: skip
        table.add_column(title, justify="left" if title == "study" else "right")
    for study in studies(tuple(arguments.studies.split(","))):
        specs = grid.runs(study, data.spec, arguments.seeds)
        double = [replace(spec, net=replace(spec.net, dtype="float64")) for spec in specs]
        nudged = [
            replace(spec, net=replace(spec.net, weight_scale=_next(spec.net.weight_scale)))
            for spec in specs
        ]
        reference, moved, exact = (
            normlab.train(each, data, engine="reference") for each in (specs, nudged, double)
        )
        fast, fast_exact = (
            normlab.train(each, data, engine="compiled") for each in (specs, double)
        )
        table.add_row(study.name, *_figures(specs, reference, moved, fast, exact, fast_exact))
    Console(width=170).print(table)


def _figures(
    specs: list[RunSpec],
    reference: list[History],
    moved: list[History],
    fast: list[History],
    exact: list[History],
    fast_exact: list[History],
) -> list[str]:
    pairs = list(zip(exact, fast_exact, strict=True))
    differing = sum(
        a != b and not np.isnan([a, b]).all()
        for x, y in pairs
        for a, b in zip(x.loss, y.loss, strict=True)
    )
    ours, control = _distances(fast, reference), _distances(moved, reference)
    accuracy, accuracy_moved = (_accuracies(each, reference) for each in (fast, moved))
    alike = sum(a.diverged == b.diverged for a, b in zip(fast, reference, strict=True))
    return [
        str(len(specs)),
        f"{differing} of {sum(len(x.loss) for x in exact)}",
        f"{max(distances[0] for distances in ours):.0e}",
        f"{max(distances[:EARLY].max() for distances in ours):.0e}",
        f"{np.median([np.median(distances) for distances in ours]):.0e}",
        f"{np.median([np.median(distances) for distances in control]):.0e}",
        accuracy,
        accuracy_moved,
        f"{alike} of {len(specs)}",
    ]


def _distances(some: list[History], others: list[History]) -> list[np.ndarray]:
    """For each run the relative distance of its losses from the other's, a step each, where both are finite."""
    found = []
    for one, other in zip(some, others, strict=True):
        a, b = np.array(one.loss), np.array(other.loss)
        finite = np.isfinite(a) & np.isfinite(b)
        found.append(np.abs(a - b)[finite] / np.abs(b)[finite] if finite.any() else np.zeros(1))
    return found


def _accuracies(some: list[History], others: list[History]) -> str:
    differences = [
        100 * (one.best_val_acc - other.best_val_acc)
        for one, other in zip(some, others, strict=True)
    ]
    return f"{np.mean(differences):+.2f} ± {np.std(differences) / np.sqrt(len(differences)):.2f} points"


def _next(scale: float) -> float:
    """The scale with the smallest change that float32 weights notice."""
    return scale * (1 + 2**-23)


if __name__ == "__main__":
    main()
