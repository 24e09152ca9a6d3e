"""Every claim's effect again, from the records by plain SQL and code that shares nothing with the package's.

A records file is filled with made-up results for every run of every study; the study's own text is
read from it, as anyone could read it. What the page would print must come out of these rows a
second time.
"""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from normlab.data import Dataset
from normlab.findings import ClaimFinding, Findings
from normlab.records import Records
from normlab.specs import History, NetSpec, TrainingSpec
from normlab.studies import grid
from normlab.studies.catalog import STUDIES
from normlab.studies.collection import collect
from normlab.studies.observations import (
    demonstration_text,
    measurement_key,
    own_key,
    own_values,
    spec_text,
)
from normlab.studies.registration import register
from normlab.studies.running import _Plan

SEEDS = 4


def history(rng: np.random.Generator) -> History:
    looks = 11
    val, test = (np.round(rng.uniform(0.2, 1, looks) * 400) / 400 for _ in range(2))
    train = np.round(rng.uniform(0.1, 0.25 if rng.random() < 0.15 else 1, looks) * 1000) / 1000
    loss = rng.exponential(size=30)
    if rng.random() < 0.03:
        loss[20:] = math.inf
    diverged = not np.isfinite(loss).all()
    return History(
        tuple(loss), tuple(train), tuple(val), float(val.max()), diverged, test_acc=tuple(test)
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Findings]:
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(20, 1, 8, 8)), rng.integers(0, 10, size=20)
    data = Dataset("made up", X, y, X, y, X, y)
    path = tmp_path_factory.mktemp("rederived") / "records.sqlite"
    studies = list(STUDIES.values())
    with Records(path) as records:
        register(studies, data.spec, records, SEEDS)
        records.put_sweep(
            json.dumps({**_Plan(studies, data, SEEDS, 1, "").as_dict(), "event": "ended"})
        )
        for study in studies:
            found = []
            for seed in grid.seeds_of(study, SEEDS):
                for point in grid.points(study):
                    spec = point.run(data.spec, seed)
                    if spec.key not in records:
                        records.put(spec, history(rng))
                    for probe in point.probes:
                        text = spec_text(spec)
                        values = {
                            record.name: [float(value) for value in rng.normal(size=5)]
                            if hasattr(record, "over")
                            else float(rng.normal())
                            for record in probe.gives
                        }
                        row = (measurement_key(probe, text), probe.name, text, json.dumps(values))
                        found.append(row)
                    if study.own:
                        values = own_values(study, records.get(spec.key))
                        key = own_key(study, spec)
                        found.append(
                            (key, f"measures of {study.name}", spec_text(spec), json.dumps(values))
                        )
                for shown in study.demonstrations:
                    for place in grid.demonstrated(shown):
                        text = demonstration_text(place, data.spec, seed)
                        values = {record.name: float(rng.uniform()) for record in shown.probe.gives}
                        row = (
                            measurement_key(shown.probe, text),
                            shown.probe.name,
                            text,
                            json.dumps(values),
                        )
                        found.append(row)
            records.put_measurements(found)
        return path, collect(records)


# From here on nothing of the package is used but the defaults of a spec, which the records leave
# out.


def defaults(spec: type) -> dict[str, Any]:
    """As JSON has them: a setting at its default may be left out of the records."""
    given = {field.name: field.default for field in fields(spec) if field.default is not MISSING}
    return json.loads(json.dumps(given))


NET, TRAINING = defaults(NetSpec), defaults(TrainingSpec)

READ = {
    "best validation accuracy": lambda h: max(h["val_acc"]),
    "best training accuracy": lambda h: max(h["train_acc"]),
    "final validation accuracy": lambda h: h["val_acc"][-1],
    "final training accuracy": lambda h: h["train_acc"][-1],
    "first-epoch training accuracy": lambda h: h["train_acc"][1],
    "test accuracy": lambda h: h["test_acc"][h["val_acc"].index(max(h["val_acc"]))],
    "final test accuracy": lambda h: h["test_acc"][-1],
    "final loss": lambda h: float(np.mean([float(value) for value in h["loss"][-100:]])),
    "mean loss": lambda h: float(np.mean([float(value) for value in h["loss"]])),
    "initial loss": lambda h: float(h["loss"][0]),
}
PROBED = (
    "with running statistics",
    "with recomputed statistics",
    "at twice the contrast",
    "in sorted batches",
    "in mixed batches",
)
"""Measures of probes that are accuracies, beside those that say so."""


def frozen(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


class Rows:
    """What the file holds: histories by settings and seed, measurements by what was measured."""

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        self.runs: dict[tuple[str, int], dict[str, Any]] = {}
        self.texts: dict[tuple[str, int], str] = {}
        for text, result in connection.execute("SELECT spec, history FROM runs"):
            spec = json.loads(text)
            key = frozen({**NET, **spec["net"], **TRAINING, **spec["training"]}), spec["seed"]
            self.runs[key], self.texts[key] = json.loads(result), text
        self.measured: dict[str, dict[str, Any]] = {}
        for text, value in connection.execute("SELECT spec, value FROM measurements"):
            self.measured.setdefault(text, {}).update(json.loads(value))
        plans = [json.loads(plan) for (plan,) in connection.execute("SELECT plan FROM sweeps")]
        self.studies = {plan["name"]: json.loads(plan["text"]) for plan in plans if "text" in plan}
        connection.close()

    def seeds(self, study: dict[str, Any]) -> range:
        first = study.get("first_seed", 231)
        return range(first, first + SEEDS)

    def numbers(
        self, study: dict[str, Any], seed: int
    ) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
        """Every point of a study on one seed: its place, and its numbers."""
        for part in study.get("grids", []):
            choices = [
                list(zip(axis["values"], axis["settings"], strict=True)) for axis in part["axes"]
            ]
            for chosen in itertools.product(*choices):
                settings = {**NET, **TRAINING, **part["fixed"]}
                place = dict(part.get("tags", {}))
                for axis, (value, setting) in zip(part["axes"], chosen, strict=True):
                    settings |= setting
                    place[axis["name"]] = value
                key = frozen(settings), seed
                found = {
                    name: read(self.runs[key]) for name, read in READ.items() if "test" not in name
                }
                if self.runs[key].get("test_acc"):
                    found |= {name: READ[name](self.runs[key]) for name in READ if "test" in name}
                found |= self.measured.get(self.texts[key], {})
                yield place, found
        for shown in study.get("demonstrations", []):
            for value in shown["axis"]["values"]:
                place = {shown["axis"]["name"]: value}
                for text, found in self.measured.items():
                    what = json.loads(text)
                    if what.get("place") == place and what["seed"] == seed:
                        yield place, found


def meant(place: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(
        axis in place
        and any(
            place[axis] == value for value in (values if isinstance(values, list) else [values])
        )
        for axis, values in where.items()
    )


def value(
    quantity: dict[str, Any], points: list[tuple[dict[str, Any], dict[str, float]]]
) -> tuple[float, bool | None]:
    """A quantity on one seed, and whether its one net learned."""
    measure, reduce = quantity["measure"], quantity.get("reduce", "mean")
    chosen = [(place, found) for place, found in points if meant(place, quantity["where"])]
    if "best_of" in quantity:
        axes = (
            quantity["best_of"] if isinstance(quantity["best_of"], list) else [quantity["best_of"]]
        )
        groups: dict[str, list[tuple[dict[str, Any], dict[str, float]]]] = {}
        for place, found in chosen:
            rest = frozen({name: item for name, item in place.items() if name not in axes})
            groups.setdefault(rest, []).append((place, found))
        by = quantity.get("chosen_by", measure)
        chosen = [max(group, key=lambda each: each[1][by]) for group in groups.values()]
    numbers = np.array([found[measure] for _, found in chosen])
    result = {
        "mean": numbers.mean,
        "max": numbers.max,
        "min": numbers.min,
        "range": lambda: numbers.max() - numbers.min(),
        "share above": (numbers >= quantity.get("level", 0.0)).mean,
        "within": (numbers >= numbers.max() - quantity.get("level", 0.0)).mean,
    }[reduce]()
    learned = None
    single = reduce == "mean" and len(chosen) == 1 and ("accuracy" in measure or measure in PROBED)
    if single and "best training accuracy" in chosen[0][1]:
        learned = bool(chosen[0][1]["best training accuracy"] >= 0.3)
    if "minus" in quantity:
        less, also = value(quantity["minus"], points)
        result -= less
        learned = None if learned is None or also is None else learned and also
    return float(result), learned


Points = list[tuple[dict[str, Any], dict[str, float]]]


def effects(of_seeds: list[Points], claim: dict[str, Any]) -> list[float]:
    made = []
    for points in of_seeds:
        sides = [
            value(claim[side], points) for side in ("left", "right") if claim[side] is not None
        ]
        made.append(
            (
                sides[0][0] - (sides[1][0] if len(sides) > 1 else 0.0),
                [learned for _, learned in sides],
            )
        )
    per_side = list(zip(*(learned for _, learned in made), strict=True))
    mixed = all(None not in side for side in per_side) and any(
        0 < sum(side) < SEEDS for side in per_side
    )
    both = [effect for effect, learned in made if all(learned)]
    return both if mixed and len(both) >= 3 else [effect for effect, _ in made]


@pytest.fixture(scope="module")
def rows(results: tuple[Path, Findings]) -> Rows:
    return Rows(results[0])


@pytest.mark.parametrize("name", STUDIES)
def test_every_effect_comes_out_again(
    name: str, results: tuple[Path, Findings], rows: Rows
) -> None:
    _, findings = results
    study = rows.studies[name]
    (found,) = (each for each in findings.studies if each.name == name)
    printed: dict[str, ClaimFinding] = {claim.name: claim for claim in found.claims}
    of_seeds = [list(rows.numbers(study, seed)) for seed in rows.seeds(study)]
    assert len(printed) == len(study.get("claims", []))
    for claim in study["claims"]:
        again = effects(of_seeds, claim)
        finding = printed[claim["name"]]
        if np.isfinite(again).all():
            assert finding.effect == pytest.approx(np.mean(again), abs=1e-12), claim["name"]
            if np.ptp(again) > 0:
                student = stats.ttest_1samp(again, 0.0).confidence_interval(0.95)
                assert finding.low <= student.low + 1e-12
                assert finding.high >= student.high - 1e-12
        else:
            assert finding.effect == pytest.approx(np.median(again)), claim["name"]
        margin, above = claim.get("margin", 0.0), claim.get("expect", "above") == "above"
        beyond = finding.low > margin if above else finding.high < margin
        assert (finding.verdict == "holds") == (beyond and finding.verdict != "cannot tell")
