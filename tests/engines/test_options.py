"""Settings beyond the assignment's: both engines train each, and by their own histories agree."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import engines
from normlab.engines.compiling import compiles
from normlab.specs import NetSpec, RunSpec, TrainingSpec, replace

from .conftest import relative

BN = {"normalization": "batchnorm"}
NETS = {
    "eps": {"normalization": "layernorm", "eps": 1e-2},
    "eps, batch norm": BN | {"eps": 1e-2},
    "eps, RMS norm": {"normalization": "rmsnorm", "eps": 1e-2},
    "eps, group norm": {"normalization": "groupnorm", "num_groups": 4, "eps": 1e-2},
    "momentum": BN | {"norm_momentum": 0.5},
    "sigmoid": BN | {"activation": "sigmoid"},
    "sigmoid, no norm": {"activation": "sigmoid"},
    "tanh": {"normalization": "layernorm", "activation": "tanh", "dropout": 0.8},
    "DyT": {"normalization": "dyt"},
    "DyT, regularization": {"normalization": "dyt", "reg": 0.1, "dropout": 0.8},
    "derf": {"normalization": "derf"},
    "He": {"start": "he"},
    "Glorot": BN | {"start": "glorot"},
    "fan-in": {"start": "fan-in", "dropout": 0.8},
    "fixup": {"start": "fixup", "residual": "pre-norm"},
    "pre-norm": {"residual": "pre-norm", "normalization": "layernorm"},
    "post-norm": BN | {"residual": "post-norm", "dropout": 0.8},
    "residual, no norm": {"residual": "post-norm", "activation": "tanh"},
    "ghost batches": BN | {"ghost_batch": 5},
    "population": BN | {"statistics": "population"},
    "noise": {"normalization": "layernorm", "norm_noise": 0.2},
    "noise, dropout": BN | {"norm_noise": 0.2, "dropout": 0.8},
}
TRAININGS = {
    "weight decay": {"weight_decay": 0.5},
    "weight decay, Adam": {"weight_decay": 0.5, "update_rule": "adam", "num_epochs": 1},
    "cosine": {"schedule": "cosine"},
    "warm-up": {"schedule": "warm-up cosine", "warmup_epochs": 1},
    "standardized": {"inputs": "standardized"},
    "scaled": {"inputs": "scaled"},
    "test": {"test": True},
}
ROUNDING = 2e-6  # float32 rounds to 6e-8; sums of some hundred terms leave a few 1e-7 in a loss


def run(net, data, **training):
    settings = {"batch_size": 20, "num_epochs": 2, "learning_rate": 1e-3, "update_rule": "sgd"}
    net = NetSpec((24, 24, 24), **{"weight_scale": 0.1, **net})
    return RunSpec(net, TrainingSpec(**settings | training), data.spec, seed=3)


def split(spec, seed=5):
    return replace(spec, data=replace(spec.data, split=seed))


def both(spec, data):
    if engines.COMPILED.why_not() is not None:
        pytest.skip(engines.COMPILED.why_not())
    return [engines.train(name, spec, data) for name in ("compiled", "reference")]


@pytest.mark.parametrize("name", NETS)
def test_every_net_trains_as_in_the_reference(name, data):
    spec = run(NETS[name], data)
    ours, theirs = both(spec, data)
    assert compiles(spec)
    assert relative(ours.loss[:1], theirs.loss[:1]) < 1e-6
    # twelve steps of a net with three layers amplify the rounding of the first
    assert relative(ours.loss, theirs.loss) < 20 * ROUNDING
    assert np.allclose(ours.val_acc, theirs.val_acc, atol=1 / 75)  # one example between two classes
    assert np.allclose(ours.train_acc, theirs.train_acc, atol=1 / 120)


@pytest.mark.parametrize("name", NETS)
def test_the_net_that_is_left_has_the_accuracy_that_was_measured(name, data):
    spec = run(NETS[name], data)
    if engines.COMPILED.why_not() is not None:
        pytest.skip(engines.COMPILED.why_not())
    history, net = engines.trained_net(spec, data, "compiled")
    right = (net.loss(data.X_val).argmax(1) == data.y_val).mean()
    assert right == pytest.approx(history.best_val_acc, abs=1 / 75)


@pytest.mark.parametrize("scale", [1e25, 1e-30])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "DyT", "derf", "pre-norm", "ghost batches"])
def test_divergence_comes_at_the_same_step(name, scale, data):
    ours, theirs = both(run(NETS[name] | {"weight_scale": scale}, data, learning_rate=1e-2), data)
    assert ours.diverged == theirs.diverged
    assert [np.isfinite(loss) for loss in ours.loss] == [np.isfinite(loss) for loss in theirs.loss]
    assert relative(ours.loss[:2], theirs.loss[:2]) < 1e-4


@pytest.mark.parametrize("name", TRAININGS)
def test_every_training_goes_as_in_the_reference(name, data):
    ours, theirs = both(run(BN, data, **TRAININGS[name]), data)
    assert relative(ours.loss, theirs.loss) < 20 * ROUNDING
    for measured in ("val_acc", "train_acc", "test_acc"):
        assert np.allclose(getattr(ours, measured), getattr(theirs, measured), atol=1 / 75)
    assert relative(ours.val_loss, theirs.val_loss) < 20 * ROUNDING
    assert len(ours.val_loss) == len(ours.test_acc) == (3 if name == "test" else 0)
    plain = engines.train("reference", run(BN, data), data)
    assert theirs.loss != plain.loss or name == "test"


def test_a_split_of_its_own(data):
    spec = run(BN, data)
    ours, theirs = both(split(spec), data)
    assert relative(ours.loss, theirs.loss) < 20 * ROUNDING
    assert np.allclose(ours.val_acc, theirs.val_acc, atol=1 / 75)
    assert theirs.loss != engines.train("reference", spec, data).loss
    # the first again: what one run was given must not be taken for another's
    assert engines.train("compiled", spec, data).loss != ours.loss
    assert engines.train("compiled", split(spec), data) == ours
    assert engines.train("compiled", split(spec, 6), data).loss != ours.loss


@pytest.mark.parametrize("name", NETS)
def test_every_setting_is_felt(name, data):
    """Without it the losses are others: an ignored setting would pass the test above."""
    plain = {key: NETS[name][key] for key in ("normalization", "num_groups") if key in NETS[name]}
    if name in ("DyT", "derf"):
        plain = {}
    same = {"dropout": NETS[name].get("dropout", 1.0), "reg": NETS[name].get("reg", 0.0)}
    with_it, without = (
        engines.train("reference", run(net, data), data) for net in (NETS[name], plain | same)
    )
    if name == "momentum":  # which the test mode alone can feel
        assert with_it.loss == without.loss
        assert (with_it.val_acc, with_it.train_acc) != (without.val_acc, without.train_acc)
    elif plain | same != {"dropout": 1.0, "reg": 0.0} | NETS[name]:
        assert with_it.loss != without.loss


@pytest.mark.parametrize("name", [name for name in NETS if "noise" not in name])
def test_float64_is_the_reference_to_the_bit(name, data):
    spec = run(NETS[name] | {"dtype": "float64"}, data, num_epochs=1, update_rule="adam")
    ours, theirs = both(spec, data)
    assert ours == theirs
