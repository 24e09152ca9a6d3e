"""Every trainer does the reference's work: from the same draws, the same losses, and accuracies as often."""

import numpy as np
import pytest

from normlab.data.dataset import Dataset
from normlab.engines import reference, solver_for
from proof.bench.processes import trainer
from proof.bench.trainers.draws import draws, outcome

from .conftest import NORMS, tiny_run

TRAINERS = {
    "numpy": ("numpy", {}),
    "PyTorch": ("pytorch", {"fused": False}),
    "PyTorch, fused": ("pytorch", {"fused": True}),
    "JAX, map": ("jax", {"over": "map"}),
    "JAX, vmap": ("jax", {"over": "vmap"}),
}
GUESTS = {"pytorch": "torch", "jax": "jax"}

# Fifteen steps of float32, each sum in another order. A wrong formula is off by far more: Adam
# without its bias correction, or half of the variance's gradient, by 3e-5 and more.
SAME = 1e-5


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", TRAINERS)
def test_losses_are_the_book_s(kind: str, norm: str | None, digits: Dataset) -> None:
    name, options = TRAINERS[kind]
    if name in GUESTS:
        pytest.importorskip(GUESTS[name], reason=f"{GUESTS[name]} is not installed")
    specs = [tiny_run(digits.spec, norm, seed) for seed in (1, 2)]
    made = trainer(name, options)
    made.prepare(specs, digits)
    made.compile([0, 1])
    for spec, found in zip(specs, made.train([0, 1]), strict=True):
        history = reference.train(spec, digits)
        assert found.first_loss == pytest.approx(history.loss[0], rel=1e-6)
        assert found.final_loss == pytest.approx(history.final_loss, rel=SAME)
        assert found.measurements == len(history.val_acc) == 4
        # PyTorch starts a running variance at 1 and keeps the unbiased one, which only test mode
        # sees
        if not (name == "pytorch" and norm == "batchnorm"):
            assert found.val_acc == pytest.approx(history.best_val_acc, abs=1.5 / 60)


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_normlab_s_own_trainer_is_its_train(engine: str, digits: Dataset) -> None:
    if engine == "compiled":
        pytest.importorskip("numba", reason="Numba is not installed")
    spec = tiny_run(digits.spec, "batchnorm")
    made = trainer("normlab", {"engine": engine, "workers": 1})
    made.prepare([spec], digits)
    (found,) = made.train([0])
    assert found.final_loss == pytest.approx(reference.train(spec, digits).final_loss, rel=SAME)


def test_draws_are_the_book_s_to_the_bit(digits: Dataset) -> None:
    spec = tiny_run(digits.spec, "batchnorm")
    drawn, solver = draws(spec), solver_for(spec, digits)
    for number, weights in enumerate(drawn.weights, start=1):
        assert np.array_equal(weights, solver.model.params[f"W{number}"])
    for batch in drawn.batches:
        assert np.array_equal(
            batch, solver.rng.choice(len(digits.X_train), spec.training.batch_size)
        )
    assert drawn.measured.nonzero()[0].tolist() == [0, 4, 9, 14]


def test_a_trained_net_that_overflows_has_no_final_loss() -> None:
    assert np.isnan(outcome([1.0, float("inf")], [0.1]).final_loss)


def test_no_trainer_has_another_name() -> None:
    with pytest.raises(KeyError, match="abacus"):
        trainer("abacus", {})
