"""A net taken out of the compiled engine is the net whose accuracy the engine reported."""

from __future__ import annotations

import numpy as np
import pytest

from normlab.data import load
from normlab.engines import compiling, trained_net
from normlab.specs import NetSpec, RunSpec, TrainingSpec

pytest.importorskip("numba")


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm", "rmsnorm"])
def test_the_net_has_the_accuracy_of_its_history(normalization: str | None) -> None:
    data = load("digits", num_training=300, num_validation=200)
    net = NetSpec((7, 70), normalization=normalization, weight_scale=0.05)
    spec = RunSpec(
        net, TrainingSpec(batch_size=30, num_epochs=3, learning_rate=3e-3), data.spec, seed=5
    )
    history, model = trained_net(spec, data, engine="compiled")
    assert history == compiling.train(spec, data)
    accuracy = np.mean(np.argmax(model.loss(data.X_val), axis=1) == data.y_val)
    assert accuracy == pytest.approx(
        history.best_val_acc, abs=1 / 200
    )  # a tie may round either way
    assert history.best_val_acc > 0.3
    # float32 sums in another order, which batch norm's small batches amplify over thirty steps
    _, theirs = trained_net(spec, data, engine="reference")
    scores = theirs.loss(data.X_val)
    np.testing.assert_allclose(model.loss(data.X_val), scores, atol=0.05 * np.abs(scores).max())
    for name, value in theirs.params.items():
        assert (model.params[name].shape, model.params[name].dtype) == (value.shape, value.dtype)
