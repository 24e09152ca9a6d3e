"""Resuming a training: with other settings, other data, another net, or a checkpoint that lies."""

import contextlib
import json

import numpy as np
import pytest

from normlab import checkpoints
from normlab.conversion import load_net
from normlab.errors import OptionError, ShapeError, UserError
from normlab.nets import FullyConnectedNet
from normlab.solver import Solver


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A checkpoint after one epoch of three, and what wrote it."""
    folder = tmp_path_factory.mktemp("stopped")
    rng = np.random.RandomState(0)
    X, y = rng.randn(60, 4), np.arange(60) % 3
    data = {"X_train": X[:40], "y_train": y[:40], "X_val": X[40:], "y_val": y[40:]}

    def build(**options):
        return FullyConnectedNet(
            [5], input_dim=4, num_classes=3, rng=np.random.RandomState(1), **options
        )

    options = {
        "num_epochs": 1,
        "batch_size": 10,
        "verbose": False,
        "checkpoint_name": str(folder / "net"),
    }
    Solver(build(), data, rng=np.random.RandomState(2), **options).train()
    return folder / "net_epoch_1.safetensors", data, build


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"batch_size": 20},
            "batch_size cannot change in the middle of a training: .* written with 10",
        ),
        ({"update_rule": "adam"}, "update_rule cannot change"),
        ({"optim_config": {"learning_rate": 1.0}}, "optim_config cannot change"),
    ],
)
def test_what_the_steps_made_so_far_rest_on_cannot_change(stopped, changes, said):
    path, data, build = stopped
    with pytest.raises(OptionError, match=said):
        Solver.resume(path, build(), data, **changes)


def test_other_data_are_refused(stopped):
    path, data, build = stopped
    fewer = data | {"X_train": data["X_train"][:20], "y_train": data["y_train"][:20]}
    with pytest.raises(
        OptionError, match="training on other data: it made 4 steps in 1 epochs, and on these 20"
    ):
        Solver.resume(path, build(), fewer)
    for other in (data["X_train"] + 1, data["X_train"].astype("f4")):
        with pytest.raises(OptionError, match="as there, but other numbers"):
            Solver.resume(path, build(), data | {"X_train": other})
    relabelled = data | {"y_val": data["y_val"][::-1]}
    with pytest.raises(OptionError, match="training on other data"):
        Solver.resume(path, build(), relabelled)


def test_a_checkpoint_of_before_that_kept_no_digest_is_resumed(stopped, tmp_path):
    path, data, build = stopped
    tensors, state = checkpoints.load(path)
    del state["data"]
    older = checkpoints.save(tmp_path / "older", tensors, state)
    assert Solver.resume(older, build(), data, num_epochs=3).epoch == 1
    fewer = data | {"X_train": data["X_train"][:20], "y_train": data["y_train"][:20]}
    with pytest.raises(OptionError, match="training on other data"):
        Solver.resume(older, build(), fewer)


def test_a_net_of_another_type_is_refused(stopped):
    path, data, build = stopped
    with pytest.raises(ShapeError, match=r"a net of float32, and the model's W1 is of float64"):
        Solver.resume(path, build(dtype=np.float64), data)


@pytest.mark.parametrize("rng", [0, 5, np.random.default_rng(0), "seed"])
def test_what_is_no_generator_is_refused(stopped, rng):
    _, data, build = stopped
    with pytest.raises(
        OptionError, match=r"is no generator; expected None or np\.random\.RandomState"
    ):
        Solver(build(), data, rng=rng, batch_size=10)
    with pytest.raises(OptionError, match="is no generator"):
        FullyConnectedNet([5], rng=rng)


LIES = [None, True, -1, 2.5, 1e400, 10**400, "x", [], [1], {}, {"x": 1}, float("nan")]


def _paths(value, at=()):
    """The place of every value in a nested state."""
    yield at
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*at, key))


def _changed(state, at, lie):
    state = json.loads(json.dumps(state))
    if not at:
        return lie
    place = state
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = lie
    return state


def test_every_lying_field_of_a_whole_checkpoint_is_a_sentence_or_a_net(
    stopped, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # where a lying checkpoint_name writes
    path, data, build = stopped
    tensors, state = checkpoints.load(path)
    for at in _paths(state):
        for lie in LIES:
            try:
                changed = _changed(
                    state | {"settings": state["settings"] | {"checkpoint_name": None}}, at, lie
                )
                lying = checkpoints.save(tmp_path / "lying", tensors, changed)
            except UserError:
                continue
            with contextlib.suppress(UserError):
                load_net(lying)
            with contextlib.suppress(UserError):
                rng, changes = np.random.RandomState(0), {"num_epochs": 2, "verbose": False}
                Solver.resume(lying, build(), data, rng=rng, **changes).train()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"lr": 0.1}, "optim_config of sgd has no keyword 'lr'"),
        ({"learning_rat": 0.1}, "did you mean 'learning_rate'"),
        ({"learning_rate": float("nan")}, "learning_rate=nan is not a finite number"),
        (None, "expected a dictionary"),
    ],
)
def test_a_setting_that_the_rule_does_not_know_is_refused(stopped, config, said):
    _, data, build = stopped
    with pytest.raises(OptionError, match=said):
        Solver(build(), data, batch_size=10, optim_config=config)
