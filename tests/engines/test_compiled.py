"""A compiled run has the reference's history: the same draws and events, and float32 rounding between the losses."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import engines
from normlab.data.dataset import Dataset
from normlab.engines import reference
from normlab.engines.compiling import train_compiled
from normlab.errors import OptionError
from normlab.specs import NetSpec, RunSpec, TrainingSpec, replace
from normlab.sweep import train

from .conftest import made_up, relative

# float32 rounds to 6e-8. Sums of some hundred terms, layer after layer, leave a few 1e-7 in a loss;
# Adam and RMSProp then divide by gradients that are hardly more than rounding, so only the first
# steps can be held to it.
ROUNDING = 2e-6

NETS = {
    "linear": NetSpec(()),
    "plain": NetSpec((20, 30), weight_scale=0.1),
    "batch norm": NetSpec((20, 30), "batchnorm"),
    "layer norm": NetSpec((20, 30), "layernorm"),
    "RMS norm": NetSpec((20, 30), "rmsnorm", weight_scale=0.1),
    "group norm": NetSpec((20, 30), "groupnorm", num_groups=5),
    "dropout": NetSpec((20, 30), weight_scale=0.1, dropout=0.7),
    "batch norm, dropout, regularization": NetSpec((20, 30), "batchnorm", dropout=0.5, reg=0.3),
    "regularization": NetSpec((16,), weight_scale=0.1, reg=3.0),
    "wider than a panel": NetSpec((64, 65, 130), "layernorm", weight_scale=0.1),
    "narrower than a tile": NetSpec((3, 1, 2), weight_scale=0.3),
    "group norm, narrow": NetSpec((4, 6), "groupnorm", num_groups=2, weight_scale=0.3),
}


def spec(net: NetSpec, data: Dataset, seed: int = 3, **training: object) -> RunSpec:
    settings = {
        "batch_size": 20,
        "num_epochs": 2,
        "learning_rate": 1e-3,
        "update_rule": "sgd",
    } | training
    return RunSpec(net, TrainingSpec(**settings), data.spec, seed)


@pytest.mark.parametrize("name", NETS)
def test_every_net_trains_as_in_the_reference(name, data):
    run = spec(NETS[name], data)
    ours, theirs = train_compiled(run, data), reference.train(run, data)
    assert relative(ours.loss, theirs.loss) < ROUNDING
    assert (ours.train_acc, ours.val_acc, ours.best_val_acc) == (
        theirs.train_acc,
        theirs.val_acc,
        theirs.best_val_acc,
    )


@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "rmsprop", "adam"])
@pytest.mark.parametrize("norm", [None, "batchnorm"])
def test_every_update_rule(rule, norm, data):
    run = spec(
        NetSpec((12,), norm, weight_scale=0.05, reg=0.1), data, update_rule=rule, learning_rate=3e-4
    )
    ours, theirs = train_compiled(run, data), reference.train(run, data)
    assert relative(ours.loss, theirs.loss) < 20 * ROUNDING
    assert np.allclose(
        ours.val_acc, theirs.val_acc, atol=1 / 75
    )  # one example that lies between two classes


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 119, 120])
def test_every_batch_size(batch_size, data):
    run = spec(
        NetSpec((9, 11), "layernorm", weight_scale=0.1), data, batch_size=batch_size, num_epochs=1
    )
    ours, theirs = train_compiled(run, data), reference.train(run, data)
    assert len(ours.loss) == 120 // batch_size
    assert relative(ours.loss[:10], theirs.loss[:10]) < ROUNDING
    assert len(ours.train_acc) == len(theirs.train_acc)


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_what_no_engine_trains_is_refused_before_any_work(engine, data):
    run = spec(NetSpec((8,), "batchnorm"), data, batch_size=1)
    with pytest.raises(OptionError, match="batch norm needs at least two examples"):
        engines.train(engine, run, data)


def test_the_learning_rate_decays_at_each_epochs_end(data):
    run = spec(NETS["plain"], data, num_epochs=4, lr_decay=0.5, learning_rate=1e-2)
    assert relative(train_compiled(run, data).loss, reference.train(run, data).loss) < ROUNDING


@pytest.mark.parametrize("dropout", [1.0, 0.8])
def test_accuracy_on_a_sample_is_drawn_between_the_steps(dropout):
    data = made_up(num_train=1100)
    run = spec(NetSpec((8,), weight_scale=0.1, dropout=dropout), data, batch_size=100)
    ours, theirs = train_compiled(run, data), reference.train(run, data)
    assert relative(ours.loss, theirs.loss) < ROUNDING
    assert (
        ours.train_acc == theirs.train_acc
    )  # of 1,000 examples drawn; one draw missed changes all that follow


@pytest.mark.parametrize(
    ("scale", "rate"),
    [(1e25, 1e-2), (1.0, 1e30), (1e-30, 1e-2)],
    ids=["overflow", "explosion", "underflow"],
)
@pytest.mark.parametrize("norm", [None, "batchnorm", "layernorm"])
def test_divergence_comes_at_the_same_step(scale, rate, norm, data):
    run = spec(NetSpec((10, 10), norm, weight_scale=scale), data, learning_rate=rate)
    ours, theirs = train_compiled(run, data), reference.train(run, data)
    assert ours.diverged == theirs.diverged
    assert [np.isfinite(loss) for loss in ours.loss] == [np.isfinite(loss) for loss in theirs.loss]
    assert relative(ours.loss[:2], theirs.loss[:2]) < 1e-4
    if theirs.diverged:
        assert (
            ours.val_acc[-1] == theirs.val_acc[-1]
        )  # scores of NaN count as the first class, as np.argmax has it


def test_the_same_bits_alone_or_among_others_in_any_order_on_any_number_of_workers(data):
    nets = [NETS["batch norm"], NETS["dropout"], NETS["plain"]]
    specs = [spec(net, data, seed, update_rule="adam") for net in nets for seed in (0, 1)]
    alone = [train_compiled(run, data) for run in specs]
    assert train(specs[::-1], data, workers=1, engine="compiled")[::-1] == alone
    assert train(specs, data, workers=2, engine="compiled") == alone


def test_another_data_set_of_the_same_shape_is_not_mistaken_for_the_first(data):
    other = Dataset(
        "other", -data.X_train, data.y_train, data.X_val, data.y_val, data.X_test, data.y_test, 4
    )
    net = NETS["plain"]
    first = train_compiled(spec(net, data), data)
    assert train_compiled(spec(net, other), other) != first
    assert train_compiled(spec(net, data), data) == first


def test_the_engine_strays_from_the_reference_no_further_than_its_own_rounding(data):
    """Adam under batch norm amplifies rounding, so two right engines part; how far is measured on the
    reference itself, by changing the initial weights in their last bit."""
    run = spec(
        NetSpec((30, 30), "batchnorm"), data, update_rule="adam", num_epochs=8, batch_size=10
    )
    theirs = np.array(reference.train(run, data).loss)
    ours = np.array(train_compiled(run, data).loss)
    nudged = replace(run, net=replace(run.net, weight_scale=run.net.weight_scale * (1 + 2**-24)))
    moved = np.array(reference.train(nudged, data).loss)
    assert np.median(np.abs(ours - theirs)) <= 10 * np.median(np.abs(moved - theirs))
