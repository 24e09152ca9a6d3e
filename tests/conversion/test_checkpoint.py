"""Nets out of Solvers' checkpoints: the net that train() left, whoever wrote its class."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import FullyConnectedNet, Solver, checkpoints, randomness
from normlab.conversion import load_net, save_net
from normlab.conversion.net_parts import put_together, take_apart
from normlab.errors import OptionError, RecordsError
from proof.round_trips import same_net


def trained(folder, model, epochs=3):
    rng = randomness.generator(0)
    X = rng.randn(60, 6)
    y = (X[:, 0] > 0).astype(int) + 2 * (X[:, 1] > 0)
    data = {"X_train": X[:40], "y_train": y[:40], "X_val": X[40:], "y_val": y[40:]}
    config = {"learning_rate": 0.05}
    options = {
        "num_epochs": epochs,
        "batch_size": 10,
        "verbose": False,
        "checkpoint_name": f"{folder}/net",
    }
    solver = Solver(model, data, update_rule="adam", optim_config=config, rng=rng, **options)
    solver.train()
    return solver, folder / f"net_epoch_{epochs}.safetensors"


def build(normalization, **options):
    options = {"num_groups": 2 if normalization == "groupnorm" else None} | options
    return FullyConnectedNet(
        [8, 8], 6, 4, 0.9, normalization, weight_scale=0.3, rng=randomness.generator(1), **options
    )


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm", "rmsnorm", "groupnorm"])
def test_the_last_checkpoint_holds_the_net_that_training_left(tmp_path, normalization):
    solver, path = trained(tmp_path, build(normalization, reg=0.1))
    assert same_net(load_net(path), put_together(take_apart(solver.model)))


def test_best_and_last_are_different_nets_where_they_differ(tmp_path):
    _, path = trained(tmp_path, build("batchnorm"), epochs=8)
    tensors, _ = checkpoints.load(path)
    for take, params, running in (("best", "best", "best_running"), ("last", "params", "running")):
        net = load_net(path, take)
        assert all(
            np.array_equal(value, tensors[f"{params}/{name}"]) for name, value in net.params.items()
        )
        assert np.array_equal(net.bn_params[0]["running_var"], tensors[f"{running}/0/running_var"])
    assert not same_net(load_net(path, "best"), load_net(path, "last"))
    with pytest.raises(OptionError, match="take='newest' is not one of 'best', 'last'"):
        load_net(path, "newest")


def without_settings(path):
    """The checkpoint as it was before checkpoints told what the net is."""
    tensors, state = checkpoints.load(path)
    state.pop("net")
    return checkpoints.save(path, tensors, state)


@pytest.mark.parametrize("normalization", [None, "batchnorm", "rmsnorm"])
def test_an_older_checkpoint_s_norm_is_known_by_what_it_holds(tmp_path, normalization):
    path = without_settings(trained(tmp_path, build(normalization))[1])
    assert load_net(path).normalization == normalization


def test_where_an_older_checkpoint_leaves_doubt_it_is_asked_for(tmp_path):
    path = without_settings(trained(tmp_path, build("layernorm"))[1])
    with pytest.raises(
        OptionError, match=r"group norm or layer norm; say .*--normalization layernorm"
    ):
        load_net(path)
    assert load_net(path, normalization="layernorm").normalization == "layernorm"
    assert load_net(path, num_groups=4).bn_params[1]["num_groups"] == 4


class Own:
    """Somebody's own net of the assignment: its parameters and norms under the assignment's names, nothing else."""

    def __init__(self):
        self._net = build("batchnorm")
        self.params, self.bn_params, self.num_classes = self._net.params, self._net.bn_params, 4

    def loss(self, X, y=None):
        self._net.params = self.params
        return self._net.loss(X, y)


def test_somebody_s_own_net_goes_by_its_names(tmp_path):
    solver, path = trained(tmp_path, Own())
    X = randomness.generator(5).randn(20, 6)
    assert load_net(path).loss(X).tobytes() == solver.model.loss(X).tobytes()


def test_a_net_without_a_training_cannot_be_resumed_and_says_so(tmp_path):
    solver, _ = trained(tmp_path, build("batchnorm"))
    path = save_net(tmp_path / "net", solver.model)
    data = {
        "X_train": solver.X_train,
        "y_train": solver.y_train,
        "X_val": solver.X_val,
        "y_val": solver.y_val,
    }
    with pytest.raises(
        RecordsError,
        match=r"without a training to continue: load it with normlab\.conversion\.load_net",
    ):
        Solver.resume(path, solver.model, data)


def test_a_checkpoint_of_something_else_is_a_sentence(tmp_path):
    with pytest.raises(RecordsError, match="holds no parameters"):
        load_net(checkpoints.save(tmp_path / "other", {"x": np.ones(3)}, {}))


@pytest.mark.parametrize("option", [{"activation": "tanh"}, {"residual": "pre-norm"}])
def test_a_net_with_layers_that_no_file_can_say_is_refused(option, tmp_path):
    net = FullyConnectedNet([4, 4], 3, rng=randomness.generator(0), **option)
    with pytest.raises(OptionError, match="cannot be converted"):
        save_net(tmp_path / "net.safetensors", net)
