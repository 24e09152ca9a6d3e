"""Specs are values; histories survive JSON."""

import json
import math
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlab.errors import OptionError
from normlab.specs import (
    DataSpec,
    History,
    NetSpec,
    RunSpec,
    TrainingSpec,
    added_settings,
    as_values,
)

SPEC = RunSpec(
    NetSpec((100, 50), "batchnorm"),
    TrainingSpec(batch_size=5),
    DataSpec("digits", 1000, 400, 64),
    7,
)


@given(
    scale=st.floats(0, 1e300),
    reg=st.floats(0, 1e300),
    rate=st.floats(1e-300, 1e300),
    dims=st.lists(st.integers(1, 10**6), max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_spec_survives_json_and_keeps_its_key(scale, reg, rate, dims, seed):
    spec = RunSpec(
        NetSpec(tuple(dims), weight_scale=scale, reg=reg),
        TrainingSpec(learning_rate=rate),
        seed=seed,
    )
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
    spec = RunSpec(
        NetSpec((100, 100), "batchnorm", weight_scale=2e-2), TrainingSpec(50, 10), seed=231
    )
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
        (
            lambda: RunSpec.from_json('{"net": {"hidden": [3]}}'),
            "no keyword 'hidden'; did you mean 'hidden_dims'",
        ),
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


# Defaults and keys, for ever

FROZEN = {
    "net": {
        "normalization": None, "num_groups": None, "dropout": 1.0, "weight_scale": 0.01, "reg": 0.0,
        "dtype": "float32", "kind": "fully connected", "eps": 1e-5, "activation": "relu", "start": "scale",
        "residual": None, "ghost_batch": None, "statistics": "batch", "norm_noise": 0.0, "norm_momentum": 0.9,
    },
    "training": {
        "batch_size": 100, "num_epochs": 10, "learning_rate": 1e-3, "update_rule": "adam", "lr_decay": 1.0,
        "inputs": "raw", "weight_decay": 0.0, "schedule": "constant", "warmup_epochs": 0, "test": False,
    },
    "data": {
        "name": "digits", "num_train": 0, "num_val": 0, "input_dim": 0, "num_classes": 10, "fingerprint": "",
        "split": None,
    },
}  # fmt: skip
FIRST_VERSION = {
    "net": [
        "hidden_dims",
        "normalization",
        "num_groups",
        "dropout",
        "weight_scale",
        "reg",
        "dtype",
    ],
    "training": ["batch_size", "num_epochs", "learning_rate", "update_rule", "lr_decay"],
    "data": ["name", "num_train", "num_val", "input_dim", "num_classes", "fingerprint"],
}


@pytest.mark.parametrize("part", FROZEN)
def test_a_default_never_changes(part):
    """A changed default would give another meaning to every record that was written without it."""
    values = getattr(RunSpec(NetSpec((10,))), part)
    now = {
        item.name: getattr(values, item.name)
        for item in fields(values)
        if item.name != "hidden_dims"
    }
    assert {name: now[name] for name in FROZEN[part]} == FROZEN[part]
    assert list(as_values(values)) == FIRST_VERSION[part]


def test_every_field_of_today_is_frozen_or_was_added_later():
    for part, frozen in FROZEN.items():
        values = getattr(RunSpec(NetSpec((10,))), part)
        new = [item for item in fields(values) if item.name not in [*frozen, "hidden_dims"]]
        assert all(item.metadata.get("added") for item in new), new


ADDED = [
    ("net", "eps", 1e-3), ("net", "activation", "tanh"), ("net", "start", "he"),
    ("net", "residual", "pre-norm"), ("net", "ghost_batch", 5), ("net", "statistics", "population"),
    ("net", "norm_noise", 0.5), ("net", "norm_momentum", 0.99), ("training", "inputs", "scaled"),
    ("training", "weight_decay", 0.1), ("training", "schedule", "cosine"), ("training", "test", True),
    ("data", "split", 3),
]  # fmt: skip


@pytest.mark.parametrize(("part", "name", "value"), ADDED)
def test_a_field_added_later_enters_the_key_only_where_it_is_not_its_default(part, name, value):
    spec = replace(SPEC, net=replace(SPEC.net, hidden_dims=(50, 50)))  # as residual blocks must be
    text = spec.to_json()
    assert name not in json.loads(text)[part]
    changed = replace(spec, **{part: replace(getattr(spec, part), **{name: value})})
    assert json.loads(changed.to_json())[part][name] == value
    assert added_settings(changed) == {f"{part}.{name}": value}
    assert RunSpec.from_json(changed.to_json()) == changed
    assert RunSpec.from_json(text) == spec


def test_the_notebook_s_seed_is_the_data_set_s_own_split():
    assert replace(SPEC, data=replace(SPEC.data, split=231)) == SPEC


# Numbers


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.intp])
def test_numpy_s_whole_numbers_are_whole_numbers(kind):
    numpy = RunSpec(
        NetSpec((kind(8),), "groupnorm", kind(2)), TrainingSpec(kind(5), kind(2)), seed=kind(3)
    )
    assert numpy == RunSpec(NetSpec((8,), "groupnorm", 2), TrainingSpec(5, 2), seed=3)
    assert numpy.key == RunSpec(NetSpec((8,), "groupnorm", 2), TrainingSpec(5, 2), seed=3).key
    assert NetSpec(np.array([8, 4])) == NetSpec((8, 4))


def test_numpy_s_floats_are_numbers_and_minus_zero_is_zero():
    assert NetSpec((8,), reg=np.float64(0.5), weight_scale=np.float32(0.5)) == NetSpec(
        (8,), reg=0.5, weight_scale=0.5
    )
    assert RunSpec(NetSpec((8,), reg=-0.0)).key == RunSpec(NetSpec((8,))).key


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: RunSpec(NetSpec((8,)), seed=True), "seed=True is not a whole number"),
        (lambda: TrainingSpec(batch_size=True), "batch_size=True is not a whole number"),
        (lambda: TrainingSpec(batch_size=2.0), "batch_size=2.0 is not a whole number"),
        (lambda: NetSpec((20.7,)), r"hidden_dims\[0\]=20.7 is not a whole number"),
        (lambda: NetSpec((8, True)), r"hidden_dims\[1\]=True is not a whole number"),
        (lambda: NetSpec(100), r"for a single one write hidden_dims=\(100,\)"),
        (lambda: NetSpec("100"), "hidden_dims='100' is not a sequence of whole numbers"),
        (lambda: NetSpec((8,), reg=True), "reg=True is not a finite number"),
        (lambda: NetSpec((8,), dropout="0.5"), "dropout='0.5' is not a finite number"),
        (lambda: NetSpec((8,), eps=math.inf), "eps=inf is not a finite number"),
        (lambda: NetSpec((8,), dtype=np.float32), "dtype=<class 'numpy.float32'> is not one of"),
        (lambda: TrainingSpec(lr_decay=-0.5), "lr_decay=-0.5 is not a finite number >= 0"),
        (lambda: TrainingSpec(lr_decay=0), "lr_decay=0 is not above 0"),
        (lambda: TrainingSpec(learning_rate=-1e-3), "learning_rate=-0.001 is not a finite number >= 0"),
        (lambda: TrainingSpec(test=1), "test=1 is neither True nor False"),
        (lambda: TrainingSpec(schedule="step"), "schedule='step' is not one of 'constant', 'cosine'"),
        (lambda: TrainingSpec(warmup_epochs=2), "warmup_epochs=2 goes with schedule='warm-up cosine'"),
        (lambda: TrainingSpec(schedule="warm-up cosine"), "needs warmup_epochs from 1 to 9"),
        (lambda: TrainingSpec(num_epochs=3, schedule="warm-up cosine", warmup_epochs=3), "from 1 to 2"),
        (lambda: RunSpec(TrainingSpec(), NetSpec((8,))), "was given a TrainingSpec as its net"),
        (lambda: RunSpec({"hidden_dims": [8]}), "was given {'hidden_dims': .* as its net; expected"),
        (lambda: DataSpec(num_train=1.5), "num_train=1.5 is not a whole number >= 0"),
        (lambda: DataSpec(name=None), "name=None of a DataSpec is no text"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_in_a_sentence(make, sentence):
    with pytest.raises(OptionError, match=sentence):
        make()
