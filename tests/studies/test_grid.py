"""Grids: all combinations, tags, seeds, and fewer seeds where a grid says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from normlab.errors import OptionError
from normlab.specs import DataSpec
from normlab.studies import Grid, Study, grid, over, over_field, over_norms

STUDY = Study(
    name="small",
    title="",
    question="",
    figure=(),
    claims=(),
    answer=(),
    measures=(),
    seeds=3,
    grids=(
        Grid(
            {"hidden_dims": (4,)},
            (over_norms(None, "rmsnorm"), over_field("rate", "learning_rate", (0.1, 0.2))),
        ),
        Grid(
            {},
            (over("width", {2: {"hidden_dims": (2, 2)}}, "Width"),),
            tags={"part": "two"},
            seeds=1,
        ),
    ),
)


def test_points_are_all_combinations_with_their_settings() -> None:
    points = grid.points(STUDY)
    assert [dict(point.place) for point in points] == [
        {"norm": "no norm", "rate": 0.1},
        {"norm": "no norm", "rate": 0.2},
        {"norm": "RMS norm", "rate": 0.1},
        {"norm": "RMS norm", "rate": 0.2},
        {"part": "two", "width": 2},
    ]
    assert points[3].net.normalization == "rmsnorm"
    assert points[3].training.learning_rate == 0.2
    assert points[4].net.hidden_dims == (2, 2)


def test_seeds_follow_the_notebooks() -> None:
    assert grid.seeds_of(STUDY) == (231, 232, 233)
    assert grid.seeds_of(STUDY, 5) == (231, 232, 233, 234, 235)


def test_a_grid_may_run_on_fewer_seeds_unless_a_number_is_asked_for() -> None:
    assert len(grid.seeded(STUDY)) == 4 * 3 + 1
    assert len(grid.seeded(STUDY, 3)) == 5 * 3
    assert grid.expected(STUDY) == 13


def test_runs_are_seed_after_seed_and_none_comes_twice() -> None:
    specs = grid.runs(replace(STUDY, grids=(STUDY.grids[0], STUDY.grids[0])), DataSpec("digits"), 2)
    assert [spec.seed for spec in specs] == [231] * 4 + [232] * 4


def test_a_setting_that_no_spec_has_is_a_mistake_in_the_study() -> None:
    with pytest.raises(OptionError, match=r"'lerning_rate'.*did you mean 'learning_rate'"):
        replace(STUDY, grids=(Grid({"hidden_dims": (4,), "lerning_rate": 1.0}, ()),))


def test_matching_needs_the_axis_and_one_of_its_values() -> None:
    place = {"norm": "no norm", "rate": 0.1}
    assert grid.matches(place, {})
    assert grid.matches(place, {"rate": (0.1, 0.2)})
    assert not grid.matches(place, {"rate": 0.2})
    assert not grid.matches(place, {"width": 2})
