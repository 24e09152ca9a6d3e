"""Specs are values; histories survive JSON."""

import json
import math
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlab.errors import OptionError
from normlab.specs import DataSpec, History, NetSpec, RunSpec, TrainingSpec

SPEC = RunSpec(NetSpec((100, 50), "batchnorm"), TrainingSpec(batch_size=5), DataSpec("digits", 1000, 400, 64), 7)


@given(
    scale=st.floats(0, 1e300),
    reg=st.floats(0, 1e300),
    rate=st.floats(1e-300, 1e300),
    dims=st.lists(st.integers(1, 10**6), max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_spec_survives_json_and_keeps_its_key(scale, reg, rate, dims, seed):
    spec = RunSpec(NetSpec(tuple(dims), weight_scale=scale, reg=reg), TrainingSpec(learning_rate=rate), seed=seed)
    again = RunSpec.from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.key == spec.key


def test_equal_settings_written_differently_share_a_key():
    assert NetSpec([100, 50], dropout=1) == NetSpec((100, 50), dropout=1.0)
    assert RunSpec(NetSpec([8], reg=0)).key == RunSpec(NetSpec((8,), reg=0.0)).key


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, seed=8),
        replace(SPEC, net=replace(SPEC.net, weight_scale=0.1)),
        replace(SPEC, training=replace(SPEC.training, lr_decay=0.5)),
        replace(SPEC, data=replace(SPEC.data, fingerprint="ab")),
    ],
)
def test_any_difference_changes_the_key(other):
    assert other.key != SPEC.key


def test_the_key_is_stable_over_time():
    """Records outlive programs: a changed key would orphan every stored result."""
    spec = RunSpec(NetSpec((100, 100), "batchnorm", weight_scale=2e-2), TrainingSpec(50, 10), seed=231)
    assert spec.key == ("12bcd9b77056cd21774a0bb4bbbed4dbd24384234a7cff1869ad1d80b02b1c7c")


def test_specs_are_frozen():
    with pytest.raises(FrozenInstanceError):
        SPEC.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NetSpec((10,), "batch"), "did you mean 'batchnorm'"),
        (lambda: NetSpec((10,), dtype="float16"), "'float32', 'float64'"),
        (lambda: NetSpec((10,), weight_scale=math.nan), "weight_scale=nan"),
        (lambda: NetSpec((10,), dropout=0), "dropout=1 means no dropout"),
        (lambda: TrainingSpec(update_rule="rmsprob"), "did you mean 'rmsprop'"),
        (lambda: TrainingSpec(batch_size=0), "batch_size=0"),
        (lambda: RunSpec(NetSpec((10,)), seed=-1), "seed=-1"),
        (lambda: RunSpec.from_json('{"net": {"hidden": [3]}}'), "no keyword 'hidden'; did you mean 'hidden_dims'"),
    ],
)
def test_impossible_specs_are_refused(make, sentence):
    with pytest.raises(OptionError, match=sentence):
        make()


def test_a_diverged_history_survives_strict_json():
    history = History((2.3, math.inf, math.nan), (0.1,), (0.1,), 0.1, True, seconds=1.5)
    text = history.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    again = History.from_json(text)
    assert again == history
    assert again.loss[1] == math.inf
    assert math.isnan(again.loss[2])


def test_a_history_s_summaries():
    history = History(tuple(range(150)), (0.1, 0.9, 0.8), (0.1, 0.5, 0.4), 0.5, False)
    assert history.final_loss == sum(range(50, 150)) / 100
    assert history.best_train_acc == 0.9
