"""In float64 the compiled engine has the reference's bits, however long and however chaotic the run."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import engines, optim
from normlab.engines import compiling, exact, reference
from normlab.specs import NetSpec, RunSpec, TrainingSpec


@pytest.mark.parametrize("rule", sorted(optim.UPDATE_RULES))
@pytest.mark.parametrize("norm", [None, "batchnorm", "layernorm"])
def test_a_float64_run_is_the_reference_s_to_the_bit(rule, norm, data):
    # batches of five under batch norm: a last bit changed here is a hundredth of the loss 200 steps
    # later
    training = TrainingSpec(
        batch_size=5, num_epochs=4, learning_rate=3e-3, update_rule=rule, lr_decay=0.9
    )
    run = RunSpec(
        NetSpec((20, 20), norm, reg=0.1, dropout=0.9, dtype="float64"), training, data.spec, 1
    )
    ours = engines.train("compiled", run, data)
    assert ours == reference.train(run, data)
    assert ours.engine == "compiled"


@pytest.mark.parametrize("rule", sorted(optim.UPDATE_RULES))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_rules_round_as_the_reference_s(rule, dtype):
    rng = np.random.RandomState(0)
    ours, theirs = (rng.randn(7, 33).astype(dtype) for _ in range(2))
    theirs = ours.copy()
    config, their_config = {"learning_rate": 0.01}, {"learning_rate": 0.01}
    for step in range(5):
        # far from one another, so that a product or a sum in another order would round differently
        dw = (10.0 ** rng.uniform(-6, 3, ours.shape) * rng.randn(*ours.shape)).astype(dtype)
        dw[0, 0] = [np.nan, np.inf, 0, 1, 1][step] if step else 0
        ours, config = exact.UPDATE_RULES[rule](ours, dw, config)
        with np.errstate(all="ignore"):
            theirs, their_config = optim.UPDATE_RULES[rule].step(theirs, dw, their_config)
        assert np.array_equal(ours, theirs, equal_nan=True)


def test_a_float32_run_of_adagrad_is_the_reference_s_to_the_bit_too(data):
    training = TrainingSpec(batch_size=5, num_epochs=4, learning_rate=3e-2, update_rule="adagrad")
    run = RunSpec(NetSpec((20, 20), "layernorm"), training, data.spec, 1)
    ours = compiling.train(run, data)
    assert ours == reference.train(run, data)
    assert ours.loss[-1] < ours.loss[0]


@pytest.mark.parametrize("rule", sorted(optim.UPDATE_RULES))
def test_a_weight_that_lies_column_by_column_is_updated_too(rule):
    rng = np.random.RandomState(0)
    w, dw = np.asfortranarray(rng.randn(5, 7)), rng.randn(5, 7)
    theirs, config, their_config = w.copy(), {"learning_rate": 0.01}, {"learning_rate": 0.01}
    for _ in range(3):
        ours, config = exact.UPDATE_RULES[rule](w, dw, config)
        theirs, their_config = optim.UPDATE_RULES[rule].step(theirs, dw, their_config)
    assert ours is w
    assert np.array_equal(ours, theirs)
