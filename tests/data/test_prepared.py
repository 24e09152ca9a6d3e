"""What a run sees of a data set: its own split, its inputs treated by the training examples alone."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import engines
from normlab.data import load, prepared
from normlab.data.dataset import Dataset
from normlab.errors import OptionError
from normlab.specs import NetSpec, RunSpec, TrainingSpec, replace
from normlab.sweep import train


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load("digits", num_training=60, num_validation=40, num_test=20)


def run(data: Dataset, split: int | None = None, inputs: str = "raw", seed: int = 0) -> RunSpec:
    training = TrainingSpec(batch_size=20, num_epochs=2, inputs=inputs, test=True)
    return RunSpec(
        NetSpec((8,), weight_scale=0.05), training, replace(data.spec, split=split), seed
    )


def rows(*arrays: np.ndarray) -> list[bytes]:
    return sorted(row.tobytes() for array in arrays for row in array)


def test_a_split_draws_training_and_validation_examples_anew_and_leaves_the_test(
    data: Dataset,
) -> None:
    drawn = prepared.prepared(run(data, split=3), data)
    assert (len(drawn.X_train), len(drawn.X_val)) == (60, 40)
    assert rows(drawn.X_train, drawn.X_val) == rows(
        data.X_train, data.X_val
    )  # the same examples, each once
    assert not np.array_equal(drawn.X_train, data.X_train)
    assert np.array_equal(drawn.X_test, data.X_test)
    label = {row.tobytes(): y for row, y in zip(data.X_train, data.y_train, strict=True)}
    label |= {row.tobytes(): y for row, y in zip(data.X_val, data.y_val, strict=True)}
    for X, y in ((drawn.X_train, drawn.y_train), (drawn.X_val, drawn.y_val)):
        assert [label[row.tobytes()] for row in X] == y.tolist()
    assert drawn.spec == replace(data.spec, split=3)
    assert rows(prepared.prepared(run(data, split=4), data).X_val) != rows(drawn.X_val)


def test_the_notebook_s_seed_and_raw_inputs_are_the_data_set_itself(data: Dataset) -> None:
    assert prepared.prepared(run(data), data) is data
    assert prepared.prepared(run(data, split=231), data) is data


def test_what_is_made_is_made_once_and_is_not_made_again(data: Dataset) -> None:
    drawn = prepared.prepared(run(data, 5, "standardized"), data)
    assert prepared.prepared(run(data, 5, "standardized", seed=8), data) is drawn
    assert prepared.prepared(run(data, 5, "standardized"), drawn) is drawn
    with pytest.raises(OptionError, match="prepared for split=5 and inputs='standardized'"):
        prepared.prepared(run(data, 6, "standardized"), drawn)


def test_only_so_much_is_kept(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "KEPT_BYTES", 1)
    first = prepared.prepared(run(data, 11), data)
    assert prepared.prepared(run(data, 11), data) is first
    prepared.prepared(run(data, 12), data)
    assert prepared.prepared(run(data, 11), data) is not first


def test_scaled_inputs_are_divided_by_the_widest_range_of_a_training_feature(data: Dataset) -> None:
    scaled = prepared.prepared(run(data, inputs="scaled"), data)
    width = np.ptp(data.X_train, axis=0).max()
    assert width == 255  # a count of 16, as a pixel
    assert np.array_equal(scaled.X_test, data.X_test / 255)
    assert np.ptp(scaled.X_train, axis=0).max() == 1


def test_standardized_inputs_have_mean_0_and_variance_1_on_training_examples_alone(
    data: Dataset,
) -> None:
    found = prepared.prepared(run(data, 7, "standardized"), data)
    X = found.X_train.reshape(60, -1)
    varying = np.ptp(X, axis=0) > 0
    assert varying.sum() > 40
    assert np.allclose(X.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(X.std(axis=0)[varying], 1)
    assert np.all(X[:, ~varying] == 0)
    drawn = prepared.prepared(run(data, 7), data)
    flat = drawn.X_train.reshape(60, -1)
    expected = (drawn.X_val.reshape(40, -1) - flat.mean(axis=0)) / np.where(
        varying, flat.std(axis=0), 1
    )
    assert np.allclose(found.X_val.reshape(40, -1)[:, varying], expected[:, varying])


@pytest.mark.parametrize("engine", list(engines.BY_NAME))
def test_every_engine_trains_on_the_run_s_own_data_in_any_order_and_on_workers(
    engine: str, data: Dataset
) -> None:
    if engines.BY_NAME[engine].why_not() is not None:
        pytest.skip(engines.BY_NAME[engine].why_not())
    specs = [
        run(data, split, inputs)
        for split in (None, 3)
        for inputs in ("raw", "scaled", "standardized")
    ]
    histories = train(specs, data, workers=1, engine=engine)
    assert len(set(histories)) == 6  # no two saw the same
    assert train(specs[::-1], data, workers=2, engine=engine)[::-1] == histories
    for spec, history in zip(specs, histories, strict=True):
        made = prepared.prepared(spec, data)
        assert train([spec], made, workers=1, engine=engine) == [history]
        assert len(history.test_acc) == len(history.val_loss) == len(history.val_acc)


def test_the_spec_says_which_split_and_another_one_is_refused(data: Dataset) -> None:
    drawn = prepared.drawn_anew(data, 3)
    with pytest.raises(OptionError, match="they differ in split"):
        train([run(data, 4)], drawn, workers=1)
