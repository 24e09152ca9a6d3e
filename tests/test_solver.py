"""The Solver: its draws and its order of events, best parameters, checkpoints to the bit, and refusals."""

from pathlib import Path

import numpy as np
import pytest

from normlab import checkpoints
from normlab.errors import MissingKeyError, OptionError, RecordsError, ShapeError, UserError
from normlab.nets import FullyConnectedNet, TwoLayerNet
from normlab.optim import UPDATE_RULES
from normlab.randomness import generator
from normlab.solver import DEFAULTS, HISTORIES, Solver

QUIET = {"verbose": False}


def make_data(num_train=60, num_val=40):
    rng = generator(0)
    X = rng.randn(num_train + num_val, 6)
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    return {
        "X_train": X[:num_train],
        "y_train": y[:num_train],
        "X_val": X[num_train:],
        "y_val": y[num_train:],
    }


def make_net(normalization="batchnorm", dropout=1, rng=None, **options):
    return FullyConnectedNet(
        [8, 8],
        6,
        3,
        dropout,
        normalization,
        weight_scale=0.2,
        dtype=np.float64,
        rng=rng or generator(1),
        **options,
    )


class Recorder:
    """The least a model can be: one parameter, and scores that never change; it notes what it is asked."""

    def __init__(self):
        self.params = {"w": np.zeros(1)}
        self.asked = []

    def loss(self, X, y=None):
        if y is not None:
            return 0.0, {"w": np.ones(1)}
        self.asked.append(len(X))
        return np.eye(3)[np.zeros(len(X), int)]


def test_the_assignment_s_defaults():
    solver = Solver(make_net(), make_data(num_train=100))
    assert {name: getattr(solver, name) for name in DEFAULTS} == {
        "update_rule": "sgd",
        "optim_config": {},
        "lr_decay": 1.0,
        "batch_size": 100,
        "num_epochs": 10,
        "num_train_samples": 1000,
        "num_val_samples": None,
        "checkpoint_name": None,
        "print_every": 10,
        "verbose": True,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_epochs": 0,
        "test": False,
    }


def test_a_step_is_one_draw_and_one_update_of_every_parameter():
    """The first two steps, replayed by hand."""
    data = make_data()
    solver = Solver(
        make_net(),
        data,
        rng=generator(7),
        batch_size=10,
        num_epochs=1,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": 0.1},
        **QUIET,
    )
    solver.train()
    rng, net, configs, losses = np.random.RandomState(7), make_net(), {}, []
    for _ in range(6):
        batch = rng.choice(60, 10)
        loss, grads = net.loss(data["X_train"][batch], data["y_train"][batch])
        losses.append(loss)
        for name in grads:
            configs.setdefault(name, {"learning_rate": 0.1})
            step = UPDATE_RULES["sgd_momentum"].step
            net.params[name], configs[name] = step(net.params[name], grads[name], configs[name])
    assert solver.loss_history == losses


def test_without_a_generator_the_global_one_is_drawn_from():
    data = make_data()
    own = Solver(make_net(), data, rng=generator(7), batch_size=10, num_epochs=2, **QUIET)
    own.train()
    np.random.seed(7)
    from_global = Solver(make_net(), data, batch_size=10, num_epochs=2, **QUIET)
    from_global.train()
    assert own.loss_history == from_global.loss_history


def test_histories_have_an_entry_a_step_and_an_epoch():
    solver = Solver(make_net(), make_data(), batch_size=25, num_epochs=3, rng=generator(0), **QUIET)
    solver.train()
    assert len(solver.loss_history) == 3 * (60 // 25)
    assert (
        len(solver.train_acc_history) == len(solver.val_acc_history) == 1 + 3
    )  # the first step, each epoch's end


def test_the_learning_rate_decays_after_each_epoch():
    solver = Solver(
        make_net(),
        make_data(),
        batch_size=20,
        num_epochs=3,
        lr_decay=0.5,
        rng=generator(0),
        optim_config={"learning_rate": 0.8},
        **QUIET,
    )
    solver.train()
    assert {config["learning_rate"] for config in solver.optim_configs.values()} == {0.1}


@pytest.mark.parametrize(("normalization", "learning_rate"), [(None, 1.0), ("batchnorm", 0.3)])
def test_the_model_is_left_with_the_best_parameters_and_their_running_statistics(
    normalization, learning_rate
):
    data = make_data()
    solver = Solver(
        make_net(normalization),
        data,
        batch_size=10,
        num_epochs=8,
        update_rule="adam",
        rng=generator(0),
        optim_config={"learning_rate": learning_rate},
        **QUIET,
    )  # fast enough to get worse again
    solver.train()
    assert solver.best_val_acc == max(solver.val_acc_history)
    assert solver.val_acc_history[-1] < solver.best_val_acc, (
        "the case must be one where the last is not the best"
    )
    assert solver.check_accuracy(data["X_val"], data["y_val"]) == solver.best_val_acc


def test_accuracy_is_the_share_of_right_answers_and_subsamples_only_when_there_are_more():
    data = make_data()
    solver = Solver(make_net(), data, rng=generator(3), **QUIET, batch_size=10)
    solver.model.loss(data["X_train"], data["y_train"])
    X, y = data["X_train"], data["y_train"]
    right = np.argmax(solver.model.loss(X), axis=1) == y
    assert solver.check_accuracy(X, y, num_samples=60, batch_size=7) == right.mean()
    assert (
        solver.check_accuracy(X, y, num_samples=20)
        == right[np.random.RandomState(3).choice(60, 20)].mean()
    )


def test_training_measures_on_as_many_examples_as_it_was_told_to():
    """Two steps, each an epoch, and the samples drawn for their accuracies, replayed: training part first."""
    data = make_data()
    solver = Solver(
        make_net(None),
        data,
        rng=generator(7),
        batch_size=60,
        num_epochs=2,
        num_train_samples=20,
        num_val_samples=10,
        **QUIET,
    )
    solver.train()
    rng, net, measured = np.random.RandomState(7), make_net(None), []
    for _ in range(2):
        batch = rng.choice(60, 60)
        _, grads = net.loss(data["X_train"][batch], data["y_train"][batch])
        net.params = {name: w - 1e-2 * grads[name] for name, w in net.params.items()}
        for part, num_examples, num_samples in (("train", 60, 20), ("val", 40, 10)):
            chosen = rng.choice(num_examples, num_samples)
            right = (
                np.argmax(net.loss(data[f"X_{part}"][chosen]), axis=1) == data[f"y_{part}"][chosen]
            )
            measured.append(right.mean())
    assert solver.train_acc_history == measured[0::2]
    assert solver.val_acc_history == measured[1::2]


def test_one_example_is_enough_to_measure_on():
    data = make_data(num_train=2, num_val=1)
    solver = Solver(
        make_net(),
        data,
        batch_size=2,
        num_epochs=1,
        num_train_samples=1,
        num_val_samples=1,
        **QUIET,
    )
    solver.train()
    assert {*solver.train_acc_history, *solver.val_acc_history} <= {0.0, 1.0}


def test_a_hundred_examples_are_predicted_at_a_time():
    model = Recorder()
    data = make_data(num_train=250, num_val=40)
    solver = Solver(model, data, **QUIET)
    assert solver.check_accuracy(data["X_train"], data["y_train"]) == (data["y_train"] == 0).mean()
    assert model.asked == [100, 100, 50]


def test_of_equally_good_parameters_the_earliest_are_kept():
    solver = Solver(Recorder(), make_data(), batch_size=20, num_epochs=2, rng=generator(0), **QUIET)
    assert solver.best_val_acc == 0
    solver.train()
    assert len(set(solver.val_acc_history)) == 1
    assert solver.model.params["w"] == -1e-2  # after the first step of six


def test_a_net_without_running_statistics_is_trained_saved_and_resumed(tmp_path):
    data = make_data()
    solver = Solver(
        TwoLayerNet(6, 8, 3, rng=generator(1)),
        data,
        rng=generator(2),
        batch_size=20,
        num_epochs=2,
        **QUIET,
    )
    path = solver.save(tmp_path / "start.safetensors")
    solver.train()
    resumed = Solver.resume(path, TwoLayerNet(6, 8, 3), data, rng=generator(3))
    resumed.train()
    assert resumed.loss_history == solver.loss_history


@pytest.mark.parametrize("name", [None, "run", Path("run")])
def test_a_checkpoint_an_epoch_is_written_where_one_is_asked_for(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Solver(
        make_net(), make_data(), batch_size=20, num_epochs=2, checkpoint_name=name, **QUIET
    ).train()
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == (
        [] if name is None else ["run_epoch_1.safetensors", "run_epoch_2.safetensors"]
    )


def test_lines_are_printed_as_the_assignment_prints_them(capsys):
    solver = Solver(
        make_net(), make_data(), batch_size=12, num_epochs=2, print_every=3, rng=generator(0)
    )
    solver.train()
    losses, train, val = solver.loss_history, solver.train_acc_history, solver.val_acc_history
    assert capsys.readouterr().out.splitlines() == [
        f"(Iteration 1 / 10) loss: {losses[0]:f}",
        f"(Epoch 0 / 2) train acc: {train[0]:f}; val_acc: {val[0]:f}",
        f"(Iteration 4 / 10) loss: {losses[3]:f}",
        f"(Epoch 1 / 2) train acc: {train[1]:f}; val_acc: {val[1]:f}",
        f"(Iteration 7 / 10) loss: {losses[6]:f}",
        f"(Iteration 10 / 10) loss: {losses[9]:f}",
        f"(Epoch 2 / 2) train acc: {train[2]:f}; val_acc: {val[2]:f}",
    ]


def test_divergence_is_lived_through():
    solver = Solver(
        make_net(None),
        make_data(),
        batch_size=10,
        num_epochs=2,
        optim_config={"learning_rate": 1e200},
        rng=generator(0),
        **QUIET,
    )
    with np.errstate(all="ignore"):
        solver.train()
    assert not np.isfinite(solver.loss_history[-1])
    assert len(solver.loss_history) == 12


# --------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("rule", UPDATE_RULES)
@pytest.mark.parametrize("dropout", [1, 0.8])
def test_a_resumed_training_ends_in_the_same_bits(tmp_path, rule, dropout):
    data = make_data()

    def build(seed, **options):
        rng = generator(seed)
        net = make_net(dropout=dropout, rng=rng)
        return Solver(
            net,
            data,
            rng=rng,
            update_rule=rule,
            batch_size=10,
            lr_decay=0.9,
            num_train_samples=30,
            num_epochs=4,
            **QUIET,
            **options,
        )

    whole = build(5)
    whole.train()
    first = build(5, checkpoint_name=str(tmp_path / "run"))
    first.num_epochs = 2
    first.train()

    rng = generator(999)  # another state: the checkpoint brings its own
    resumed = Solver.resume(
        tmp_path / "run_epoch_2.safetensors",
        make_net(dropout=dropout, rng=rng),
        data,
        rng=rng,
        num_epochs=4,
        checkpoint_name=None,
    )
    resumed.train()
    for name in ("loss_history", "train_acc_history", "val_acc_history", "best_val_acc"):
        assert getattr(resumed, name) == getattr(whole, name), name
    for name, value in whole.model.params.items():
        np.testing.assert_array_equal(resumed.model.params[name], value)
    for ours, theirs in zip(resumed.model.bn_params, whole.model.bn_params, strict=True):
        np.testing.assert_array_equal(ours["running_var"], theirs["running_var"])


def test_the_global_generator_resumes_too_with_its_cached_gaussian(tmp_path):
    solver = Solver(make_net(), make_data(), batch_size=10, **QUIET)
    np.random.seed(3)
    np.random.randn()  # leaves a second Gaussian in the generator's pocket
    path = solver.save(tmp_path / "x.safetensors")
    expected = np.random.randn(5)
    np.random.seed(4)
    Solver.resume(path, make_net(), make_data())
    np.testing.assert_array_equal(np.random.randn(5), expected)


def test_a_checkpoint_tells_what_the_net_is(tmp_path):
    path = Solver(make_net(reg=0.5), make_data(), batch_size=10, **QUIET).save(
        tmp_path / "x.safetensors"
    )
    net = checkpoints.load(path)[1]["net"]
    assert net == {"normalization": "batchnorm", "dropout": 1.0, "reg": 0.5, "norms": [{}, {}]}


def test_a_checkpoint_of_another_net_is_refused(tmp_path):
    path = Solver(make_net(), make_data(), batch_size=10, **QUIET).save(tmp_path / "x.safetensors")
    with pytest.raises(ShapeError) as caught:
        Solver.resume(path, make_net(None), make_data())
    assert str(caught.value).startswith(
        f"{path} is a checkpoint of another net: beta1, beta2, gamma1, gamma2 differ; "
    )


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = Solver(make_net(), make_data(), batch_size=10, **QUIET).save(tmp_path / "x.safetensors")
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(RecordsError, match=r"x\.safetensors"):
        Solver.resume(path, make_net(), make_data())


def test_a_whole_checkpoint_that_no_solver_wrote_is_refused_with_what_it_lacks(tmp_path):
    path = Solver(make_net(), make_data(), batch_size=10, **QUIET).save(tmp_path / "x.safetensors")
    tensors, state = checkpoints.load(path)
    del state["epoch"]
    checkpoints.save(path, tensors, state)
    with pytest.raises(RecordsError) as caught:
        Solver.resume(path, make_net(), make_data())
    assert str(caught.value) == (
        f"{path} is a whole checkpoint, and not one that a Solver saved: its content does not fit "
        "(KeyError: 'epoch')"
    )


def test_a_checkpoint_of_a_net_alone_has_no_training_to_resume(tmp_path):
    path = checkpoints.save(
        tmp_path / "net.safetensors", {"params/W1": np.zeros((2, 2))}, {"net": {}}
    )
    with pytest.raises(RecordsError) as caught:
        Solver.resume(path, make_net(), make_data())
    assert str(caught.value) == (
        f"the checkpoint {path} holds a net without a training to continue: load it with "
        f"normlab.conversion.load_net and train it with a new Solver"
    )


# --------------------------------------------------------------------- refusals


def without(name):
    return {key: value for key, value in make_data().items() if key != name}


@pytest.mark.parametrize(
    ("make_solver", "error", "sentence"),
    [
        (
            lambda: Solver(make_net(), make_data(), batchsize=5),
            OptionError,
            "did you mean 'batch_size'",
        ),
        (
            lambda: Solver(make_net(), make_data(), seed=5),
            OptionError,
            "^Solver has no keyword 'seed'; .* 'rng'$",
        ),
        (
            lambda: Solver(make_net(), make_data(), update_rule="adams"),
            OptionError,
            "^update_rule='adams' .* 'adam'",
        ),
        (lambda: Solver(make_net(), make_data(), batch_size=0), OptionError, "batch_size=0"),
        (
            lambda: Solver(make_net(), make_data(), batch_size=61),
            OptionError,
            "60 training examples",
        ),
        (lambda: Solver(make_net(), make_data(), num_epochs=1.5), OptionError, "num_epochs=1.5"),
        (
            lambda: Solver(make_net(), make_data(), num_val_samples=0),
            OptionError,
            "num_val_samples=0",
        ),
        (lambda: Solver(make_net(), make_data(), lr_decay=0), OptionError, "lr_decay=0"),
        (
            lambda: Solver(make_net(), make_data(), checkpoint_name=7),
            OptionError,
            "checkpoint_name=7 is neither",
        ),
        (
            lambda: Solver(make_net(), without("y_val")),
            MissingKeyError,
            "data has no 'y_val'; the Solver needs X_train, y_train, X_val, y_val$",
        ),
        (
            lambda: Solver(make_net(), make_data() | {"y_train": np.zeros(3, int)}),
            ShapeError,
            r"^X_train of shape \(60, 6\) and y_train of shape \(3,\) .* as many labels",
        ),
        (
            lambda: Solver(make_net(), make_data() | {"y_val": np.zeros((40, 1), int)}),
            ShapeError,
            r"^X_val of shape \(40, 6\) and y_val of shape \(40, 1\)",
        ),
        (lambda: Solver(make_net(), make_data(num_val=0)), ShapeError, "at least one"),
        (
            lambda: Solver(Recorder(), make_data() | {"y_val": np.full(40, -1)}),
            ShapeError,
            "takes labels from 0$",
        ),
        (
            lambda: Solver(make_net(), make_data() | {"y_val": np.full(40, 3)}),
            ShapeError,
            "labels from 0 to 2",
        ),
        (
            lambda: Solver(make_net(), make_data() | {"y_val": np.full(40, 1.0)}),
            ShapeError,
            "whole numbers",
        ),
        (
            lambda: Solver(make_net(), make_data() | {"X_val": np.zeros((40, 7))}),
            ShapeError,
            "input_dim=7",
        ),
    ],
)
def test_wrong_input_is_refused_before_work_starts(make_solver, error, sentence):
    with pytest.raises(error, match=sentence):
        make_solver()


# Schedules, decoupled weight decay, looks at the test set


class Rates(Recorder):
    """Has one weight, whose gradient is 1: under SGD, the steps are the learning rates."""

    def __init__(self, start=0.0):
        super().__init__()
        self.params = {"W1": np.full(1, start), "b1": np.zeros(1)}
        self.before, self.steps = 0.0, []

    def loss(self, X, y=None):
        if y is not None:
            self.steps.append(self.before - float(self.params["b1"][0]))
            self.before = float(self.params["b1"][0])
            return 0.0, {"W1": np.zeros(1), "b1": np.ones(1)}
        return super().loss(X)


def rates(**settings):
    """The learning rate of each step but the last; two epochs of five steps."""
    model = Rates()
    data = make_data(num_train=50)
    Solver(
        model,
        data,
        batch_size=10,
        num_epochs=2,
        optim_config={"learning_rate": 0.1},
        verbose=False,
        **settings,
    ).train()
    return np.array(model.steps[1:])


def test_a_schedule_multiplies_the_learning_rate_at_each_step():
    assert np.allclose(rates(), 0.1)
    cosine = 0.1 * (1 + np.cos(np.pi * np.arange(9) / 10)) / 2
    assert np.allclose(rates(schedule="cosine"), cosine)
    warmed = np.array([0.02, 0.04, 0.06, 0.08, 0.1, *0.05 * (1 + np.cos(np.pi * np.arange(4) / 5))])
    assert np.allclose(rates(schedule="warm-up cosine", warmup_epochs=1), warmed)
    decayed = np.repeat([1, 0.5], 5)[:9]  # the decay at each epoch's end comes on top
    assert np.allclose(rates(schedule="cosine", lr_decay=0.5), cosine * decayed)
    assert np.allclose(rates(lr_decay=0.5), 0.1 * decayed)


def test_a_schedule_starts_from_the_update_rule_s_own_rate_where_none_is_given():
    model = Rates()
    Solver(
        model,
        make_data(num_train=50),
        batch_size=10,
        num_epochs=2,
        schedule="cosine",
        verbose=False,
    ).train()
    assert model.steps[1] == pytest.approx(1e-2)


def test_weight_decay_is_decoupled_and_takes_of_weights_only():
    """Where the gradient is 0, a weight shrinks by 1 - learning rate * decay at each step, under any rule."""
    for rule in ("sgd", "adam", "rmsprop"):
        model = Rates(start=1.0)
        config = {"learning_rate": 0.1}
        solver = Solver(
            model, make_data(num_train=50), batch_size=10, num_epochs=2, optim_config=config, update_rule=rule,
            weight_decay=0.5, verbose=False,
        )  # fmt: skip
        for step in range(1, 5):
            solver._step()
            assert model.params["W1"][0] == pytest.approx(0.95**step)
        assert model.params["b1"][0] != 0  # its gradient is 1: the rule moved it


def test_weight_decay_under_sgd_is_regularization():
    """Loshchilov and Hutter, section 2: for plain SGD the two are one; for Adam they are not."""
    found = {}
    for rule in ("sgd", "adam"):
        for name, reg, decay in (("reg", 0.3, 0.0), ("decay", 0.0, 0.3)):
            net = make_net(reg=reg)
            options = {
                "optim_config": {"learning_rate": 0.05},
                "update_rule": rule,
                "rng": generator(5),
            }
            Solver(
                net,
                make_data(),
                batch_size=20,
                verbose=False,
                num_epochs=1,
                weight_decay=decay,
                **options,
            ).train()
            found[rule, name] = net.params["W1"]
    assert np.allclose(found["sgd", "reg"], found["sgd", "decay"], rtol=1e-10)
    assert not np.allclose(found["adam", "reg"], found["adam", "decay"], rtol=1e-3)


def test_looks_at_the_test_set_change_nothing_else(capsys):
    data = make_data()
    data |= {"X_test": data["X_val"] + 0.5, "y_test": data["y_val"]}
    solvers = []
    for test in (False, True):
        options = {"batch_size": 20, "num_epochs": 2, "rng": generator(5), "print_every": 1}
        solvers.append(Solver(make_net(), data, test=test, **options))
        solvers[-1].train()
    without, with_test = solvers
    first, second = capsys.readouterr().out.split("(Iteration 1 /")[1:]
    assert first == second
    for name in ("loss_history", "train_acc_history", "val_acc_history"):
        assert getattr(without, name) == getattr(with_test, name)
    assert without.test_acc_history == without.val_loss_history == []
    assert (
        len(with_test.test_acc_history)
        == len(with_test.val_loss_history)
        == len(with_test.val_acc_history)
    )


def test_what_is_measured_on_the_test_set_is_its_accuracy_and_on_the_validation_set_its_loss():
    data = make_data(num_val=130)  # more than one batch of 100
    data |= {"X_test": data["X_val"][:30] + 0.5, "y_test": data["y_val"][:30]}
    solver = Solver(make_net(reg=0.5), data, batch_size=20, num_epochs=1, test=True, verbose=False)
    solver.train()
    solver._measure()  # of the best parameters, which the model holds now
    scores = solver.model.loss(data["X_val"])
    shifted = scores - scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(130), data["y_val"]]
    assert solver.val_loss_history[-1] == pytest.approx(losses.mean(), rel=1e-12)
    right = solver.model.loss(data["X_test"]).argmax(axis=1) == data["y_test"]
    assert solver.test_acc_history[-1] == right.mean()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"schedule": "step"}, "schedule='step' is not one of 'constant'"),
        ({"warmup_epochs": 1}, "goes with schedule='warm-up cosine'"),
        ({"weight_decay": -1}, "weight_decay=-1 is not a finite number >= 0"),
        ({"test": 1}, "test=1 is neither True nor False"),
        ({"test": True, "batch_size": 20}, "data has no 'X_test'"),
        ({"lr_decay": -0.5}, "lr_decay=-0.5 is not a finite number >= 0"),
        ({"batch_size": True}, "batch_size=True is not a whole number"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        Solver(make_net(), make_data(), **options)


def test_a_resumed_solver_goes_on_with_its_schedule_and_its_looks(tmp_path):
    data = make_data()
    data |= {"X_test": data["X_val"], "y_test": data["y_val"]}
    options = {
        "batch_size": 20,
        "num_epochs": 3,
        "schedule": "cosine",
        "weight_decay": 0.1,
        "test": True,
    }
    whole = Solver(make_net(), data, rng=generator(5), verbose=False, **options)
    whole.checkpoint_name = str(tmp_path / "c")
    whole.train()
    again = Solver.resume(
        tmp_path / "c_epoch_1.safetensors", make_net(rng=generator(9)), data, rng=generator(0)
    )
    again.checkpoint_name = None
    again.train()
    for name in HISTORIES:
        assert getattr(again, name) == getattr(whole, name)
