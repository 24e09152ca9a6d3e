"""Probes against what is known by hand: fresh nets, batches of everything, and operations whose answers are exact."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from normlab import randomness
from normlab.data import Dataset, load
from normlab.engines import solver_for
from normlab.layers import batchnorm_forward
from normlab.nets import FullyConnectedNet
from normlab.specs import NetSpec, RunSpec, TrainingSpec
from normlab.studies import BATCH_GAP
from normlab.studies.probes.batch_gap import gap, with_statistics_of
from normlab.studies.probes.first_step import first_step, hidden_activations
from normlab.studies.probes.preprocessing import (
    OPERATIONS,
    change,
    pictures,
    preprocessing,
    responses,
)
from normlab.studies.running import train_and_look


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def run(data: Dataset, normalization: str | None, **net: object) -> RunSpec:
    settings = {"hidden_dims": (30, 30, 30), "weight_scale": 0.02, **net}
    return RunSpec(
        NetSpec(normalization=normalization, **settings), TrainingSpec(num_epochs=1), data.spec, 3
    )


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm", "rmsnorm"])
def test_activations_are_those_of_the_nets_own_pass(
    digits: Dataset, normalization: str | None
) -> None:
    net = solver_for(run(digits, normalization), digits).model
    X, y = digits.X_train[:40], digits.y_train[:40]
    hidden = hidden_activations(net, X)
    # the scores from the last activations must give the loss that the net itself finds in train
    # mode
    scores = (hidden[-1] @ net.params["W4"] + net.params["b4"]).astype(np.float64)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert -log_p[np.arange(40), y].mean() == pytest.approx(net.loss(X, y)[0], rel=1e-5)


def test_looking_at_a_net_does_not_move_its_running_statistics(digits: Dataset) -> None:
    net = solver_for(run(digits, "batchnorm"), digits).model
    before = copy.deepcopy(net.bn_params)
    hidden_activations(net, digits.X_train[:40])
    assert net.bn_params == before


def test_the_plain_nets_signal_scales_with_every_layer_and_batch_norms_does_not(
    digits: Dataset,
) -> None:
    """Ten times the weight scale: each layer's activations grow by another factor of ten without a norm."""
    plain = [
        np.array(first_step(run(digits, None, weight_scale=scale), digits)["activation spread"])
        for scale in (1e-2, 1e-1)
    ]
    np.testing.assert_allclose(plain[1] - plain[0], [1, 2, 3], atol=1e-4)
    normed = [
        np.array(
            first_step(run(digits, "batchnorm", weight_scale=scale), digits)["activation spread"]
        )
        for scale in (1e-2, 1e-1)
    ]
    np.testing.assert_allclose(normed[1], normed[0], atol=0.01)


def test_first_step_measures_the_runs_own_first_minibatch(digits: Dataset) -> None:
    spec = run(digits, None)
    solver = solver_for(spec, digits)
    batch = randomness.minibatch(solver.rng, 1000, 100)
    _, grads = solver.model.loss(digits.X_train[batch], digits.y_train[batch])
    expected = math.log10(float(np.std(grads["W1"], dtype=np.float64)))
    assert first_step(spec, digits)["first-layer gradient"] == pytest.approx(expected, abs=1e-9)


def test_a_vanished_signal_is_a_number_and_an_overflow_is_none(digits: Dataset) -> None:
    assert first_step(run(digits, None, weight_scale=0.0), digits)["activation spread"] == [
        -30.0,
        -30.0,
        -30.0,
    ]
    assert first_step(run(digits, None, weight_scale=1e30), digits)["activation spread"][-1] is None


def test_statistics_taken_from_a_batch_are_the_batchs_own(digits: Dataset) -> None:
    net = solver_for(run(digits, "batchnorm"), digits).model
    X, y = digits.X_train[:50], digits.y_train[:50]
    adapted = with_statistics_of(net, X, y)
    first = X.reshape(50, -1).astype(np.float32) @ net.params["W1"] + net.params["b1"]
    np.testing.assert_allclose(adapted.bn_params[0]["running_mean"], first.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(adapted.bn_params[0]["running_var"], first.var(axis=0), rtol=1e-4)
    out, _ = batchnorm_forward(first, np.ones(30), np.zeros(30), {"mode": "train"})
    np.testing.assert_allclose(hidden_activations(net, X)[0], np.maximum(out, 0), atol=1e-4)


def test_no_gap_between_a_batch_and_itself(digits: Dataset) -> None:
    net = solver_for(run(digits, "batchnorm"), digits).model
    X, y = digits.X_train[:60], digits.y_train[:60]
    same = with_statistics_of(net, X, y)
    found = gap(same, X, y, batch_size=60)
    assert found["statistics gap"] < -6  # float32 rounding
    assert found["variance gap"] == pytest.approx(0, abs=1e-6)
    assert found["accuracy with batch statistics"] == found["accuracy with running statistics"]


def test_the_gap_is_the_standard_error_of_a_mean() -> None:
    """On normal data with exact running statistics a batch of n lies 1/sqrt(n) deviations off, in the first layer."""
    rng = np.random.RandomState(0)
    X, y = rng.randn(2000, 20), rng.randint(0, 10, size=2000)
    net = FullyConnectedNet(
        [50], input_dim=20, normalization="batchnorm", weight_scale=1.0, rng=rng
    )
    net = with_statistics_of(net, X, y)
    for size in (4, 25, 100):
        assert 10 ** gap(net, X, y, size)["statistics gap"] == pytest.approx(
            1 / math.sqrt(size), rel=0.1
        )


def test_the_net_that_is_measured_is_the_one_its_history_describes(digits: Dataset) -> None:
    history, (found,) = train_and_look(
        (run(digits, "batchnorm"), (BATCH_GAP,)), digits, engine="reference"
    )
    assert len(history.loss) == 10
    assert 0 <= found["accuracy with running statistics"] <= 1
    assert found["statistics gap"] < 0.5
    assert len(found["statistics gap by layer"]) == 3


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load("digits", subtract_mean=False).X_train


EXACT_ZEROS = {
    "unchanged": ["own row", "neighbours"],
    "1. each row sums to 1": ["own scale", "own row", "neighbours"],
    "2. each image sums to 1": ["own scale", "neighbours"],
    "3. mean image subtracted": ["own row", "common offset"],
    "4. threshold to 0 or 1": ["own row", "neighbours"],
    "batch norm": ["own row", "common offset"],
    "layer norm": ["own scale", "neighbours"],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_operation_ignores_it_ignores_exactly(name: str, images: np.ndarray) -> None:
    answers = responses(OPERATIONS[name], images[:100], images[100:200])
    zeros = [question for question, answer in answers.items() if answer == 0.0]
    assert zeros == EXACT_ZEROS[name]
    assert all(answer > 0.05 for question, answer in answers.items() if question not in zeros)


def test_rows_and_images_sum_to_one(images: np.ndarray) -> None:
    rows = OPERATIONS["1. each row sums to 1"](images[:20]).sum(axis=(1, 3))
    assert set(np.round(np.unique(rows), 12)) <= {0.0, 1.0}  # an empty row stays empty
    np.testing.assert_allclose(
        OPERATIONS["2. each image sums to 1"](images[:20]).sum(axis=(1, 2, 3)), 1.0
    )


def test_an_operation_agrees_with_itself(images: np.ndarray) -> None:
    found = preprocessing("batch norm", 231, images)
    assert found["like batch norm"] == 1.0
    assert found["correlation with batch norm"] == pytest.approx(1.0)
    assert "pictures" not in found


def test_pictures_are_grey_or_coloured_levels() -> None:
    colour = np.random.default_rng(0).random((8, 3, 4, 5))
    (first, *_) = pictures(lambda X: X, colour)
    assert len(first["pixels"]) == 4
    assert len(first["pixels"][0]) == 5
    assert len(first["pixels"][0][0]) == 3
    grey = pictures(lambda X: X, colour[:, :1])
    levels = np.array([each["pixels"] for each in grey])
    assert levels.shape == (6, 4, 5)
    assert (levels.min(), levels.max()) == (0, 255)


def test_a_change_of_nothing_is_whole() -> None:
    assert change(np.zeros(3), np.ones(3)) == 1.0
    assert change(np.zeros(3), np.zeros(3)) == 0.0
