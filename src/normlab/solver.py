"""The assignment's Solver: one net, trained by the reference layers.

Its draws, its order of events and its histories are the assignment's; on top it refuses wrong input
before the first step, and resumes from a checkpoint to the same bits.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from normlab import checkpoints, randomness, schedules, solver_state
from normlab.arguments import explained
from normlab.errors import (
    OptionError,
    RecordsError,
    UserError,
    refuse_unknown_keywords,
)
from normlab.files import write_atomically
from normlab.layers import softmax_loss
from normlab.nets.regularization import is_weight
from normlab.optim import UPDATE_RULES
from normlab.solver_checks import check_settings, checked_data, checked_part
from normlab.solver_state import DEFAULTS as DEFAULTS
from normlab.solver_state import HISTORIES as HISTORIES
from normlab.solver_state import running_of
from normlab.typing import Array, Generator, Params
from normlab.update_rule import check_config


class Solver:
    """Trains `model` on `data` with minibatches and a first-order update rule.

    Arguments:
        model: anything with a dictionary `params` of arrays and `loss(X, y)` as FullyConnectedNet
            has it.
        data: a mapping with X_train (N, …), y_train (N,), X_val, y_val; labels are whole numbers
            from 0.
        update_rule: 'sgd' (default), 'sgd_momentum', 'rmsprop', 'adagrad' or 'adam'.
        optim_config: the rule's settings, `learning_rate` among them.
        lr_decay: multiplies the learning rate after each epoch (1.0).
        batch_size (100), num_epochs (10): an epoch is N // batch_size steps, each on batch_size
            examples drawn with replacement.
        num_train_samples (1000), num_val_samples (None, all): accuracies are measured on so many
            examples, drawn with replacement, where there are more.
        checkpoint_name: with it, `<name>_epoch_<e>.safetensors` is written at each epoch's end.
        print_every (10), verbose (True): a line every so many steps, and one an epoch.
        weight_decay (0): each step takes learning rate * weight_decay * W off every weight W,
            beside the update rule.
        schedule ('constant'), warmup_epochs (0): what the learning rate is multiplied by at each
            step: `schedules`.
        test (False): measure accuracy on X_test, y_test and the mean loss on X_val, y_val too,
            whenever accuracies are.
        rng: the generator to draw from, by default NumPy's global one.

    After `train()`: `loss_history` (one a step), `train_acc_history` and `val_acc_history` (after
    the first step, at each epoch's end and after the last step; `test_acc_history` and
    `val_loss_history` likewise, where asked for), `best_val_acc`, `best_params`; and the model
    holds the best parameters, with the running statistics that belong to them.

    Raises, before any work: OptionError, MissingKeyError or ShapeError for settings and data that
    cannot work.

    >>> from normlab.nets import TwoLayerNet
    >>> np.random.seed(0)
    >>> X = np.random.randn(100, 4); y = (X[:, 0] > 0).astype(int)
    >>> data = {"X_train": X[:80], "y_train": y[:80], "X_val": X[80:], "y_val": y[80:]}
    >>> settings = {"optim_config": {"learning_rate": 0.01}, "batch_size": 20, "verbose": False}
    >>> solver = Solver(TwoLayerNet(4, 10, 2), data, update_rule="adam", **settings)
    >>> solver.train()
    >>> len(solver.loss_history), solver.best_val_acc > 0.8
    (40, True)
    """

    @explained
    def __init__(
        self, model: Any, data: Mapping[str, Array], *, rng: Generator | None = None, **kwargs: Any
    ) -> None:
        refuse_unknown_keywords("Solver", kwargs, [*DEFAULTS, "rng"])
        settings = DEFAULTS | kwargs
        if isinstance(settings["checkpoint_name"], os.PathLike):
            settings["checkpoint_name"] = os.fspath(settings["checkpoint_name"])
        check_settings(settings)
        self.model = model
        self.X_train, self.y_train, self.X_val, self.y_val = checked_data(data, model)
        if settings["batch_size"] > len(self.X_train):
            raise OptionError(
                f"batch_size={settings['batch_size']} is more than the {len(self.X_train)} "
                "training examples; use at most as many"
            )
        self.update_rule: str = settings["update_rule"]
        self.update = UPDATE_RULES[self.update_rule].step
        rule = UPDATE_RULES[self.update_rule]
        check_config(settings["optim_config"], rule)
        refuse_unknown_keywords(
            f"optim_config of {rule.name}", settings["optim_config"], [*rule.defaults, *rule.state]
        )
        self.optim_config: dict[str, Any] = dict(settings["optim_config"])
        self.lr_decay: float = settings["lr_decay"]
        self.batch_size: int = settings["batch_size"]
        self.num_epochs: int = settings["num_epochs"]
        self.num_train_samples: int | None = settings["num_train_samples"]
        self.num_val_samples: int | None = settings["num_val_samples"]
        self.checkpoint_name: str | None = settings["checkpoint_name"]
        self.print_every: int = settings["print_every"]
        self.verbose: bool = settings["verbose"]
        self.weight_decay: float = settings["weight_decay"]
        self.schedule: str = settings["schedule"]
        self.warmup_epochs: int = settings["warmup_epochs"]
        self.test: bool = settings["test"]
        if self.test:
            self.X_test, self.y_test = checked_part(data, "test", model)
        self.rng = randomness.checked_generator(rng)

        self.iteration = 0
        self.epoch = 0
        self.best_val_acc = 0.0
        self.best_params: Params = {}
        self.best_running: list[dict[str, Array]] = []
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.test_acc_history: list[float] = []
        self.val_loss_history: list[float] = []
        self.optim_configs = {name: dict(self.optim_config) for name in model.params}

    @property
    def iterations_per_epoch(self) -> int:
        return len(self.X_train) // self.batch_size  # at least 1: larger batches have been refused

    def train(self) -> None:
        """Run from here to the last epoch, and leave the best parameters in the model."""
        last = self.num_epochs * self.iterations_per_epoch
        while self.iteration < last:
            self._set_learning_rate(last)
            self._step()
            self.iteration += 1
            if self.verbose and (self.iteration - 1) % self.print_every == 0:
                print(f"(Iteration {self.iteration} / {last}) loss: {self.loss_history[-1]:f}")

            epoch_ends = self.iteration % self.iterations_per_epoch == 0
            if epoch_ends:
                self.epoch += 1
                for config in self.optim_configs.values():
                    # an update rule fills in its own default; before the first decay it has run at
                    # least once
                    config["learning_rate"] *= self.lr_decay
            if epoch_ends or self.iteration in (1, last):
                self._measure()
            if epoch_ends and self.checkpoint_name is not None:
                self.save(f"{self.checkpoint_name}_epoch_{self.epoch}.safetensors")
        self._leave_the_best()

    def record_histories_as_npz(self, filename: str | os.PathLike[str]) -> None:
        """Write train_losses, train_accs and val_accs to a NumPy archive, as some notebooks do.

        Raises OSError where the file cannot be written.
        """
        content = io.BytesIO()
        np.savez(
            content,
            train_losses=np.array(self.loss_history),
            train_accs=np.array(self.train_acc_history),
            val_accs=np.array(self.val_acc_history),
        )
        name = os.fspath(filename)  # as np.savez names its file
        write_atomically(name if name.endswith(".npz") else f"{name}.npz", content.getvalue())

    def check_accuracy(
        self, X: Array, y: Array, num_samples: int | None = None, batch_size: int = 100
    ) -> float:
        """Share of X (N, …) that the model puts into the classes y (N,), a batch at a time.

        With num_samples below N, it is measured on so many examples, drawn with replacement.
        """
        if num_samples is not None and len(X) > num_samples:
            chosen = randomness.subsample(self.rng, len(X), num_samples)
            X, y = X[chosen], y[chosen]
        predicted = [
            np.argmax(self.model.loss(X[start : start + batch_size]), axis=1)
            for start in range(0, len(X), batch_size)
        ]
        return float(np.mean(np.concatenate(predicted) == y))

    def mean_loss(self, X: Array, y: Array, batch_size: int = 100) -> float:
        """The mean softmax loss on X (N, …), y (N,) in test mode, without regularization."""
        total = 0.0
        for start in range(0, len(X), batch_size):
            labels = y[start : start + batch_size]
            loss, _ = softmax_loss(self.model.loss(X[start : start + batch_size]), labels)
            total += float(loss) * len(labels)
        return total / len(X)

    def _step(self) -> None:
        """One update of every parameter, from one minibatch."""
        batch = randomness.minibatch(self.rng, len(self.X_train), self.batch_size)
        loss, grads = self.model.loss(self.X_train[batch], self.y_train[batch])
        self.loss_history.append(float(loss))
        for name, w in self.model.params.items():
            config = self.optim_configs[name]
            if self.weight_decay and is_weight(name):
                w = w * (1 - config.get("learning_rate", self._base_rate) * self.weight_decay)
            self.model.params[name], self.optim_configs[name] = self.update(w, grads[name], config)

    @property
    def _base_rate(self) -> float:
        """The learning rate before decay and schedule; an update rule has a default."""
        rate = self.optim_config.get(
            "learning_rate", UPDATE_RULES[self.update_rule].defaults["learning_rate"]
        )
        return float(rate)

    def _set_learning_rate(self, last: int) -> None:
        """Set the learning rate of the step to come; a constant one is left alone."""
        factor = schedules.BY_NAME[self.schedule].factor
        if factor is None:
            return
        warmup = self.warmup_epochs * self.iterations_per_epoch
        rate = self._base_rate * self.lr_decay**self.epoch * factor(self.iteration, last, warmup)
        for config in self.optim_configs.values():
            config["learning_rate"] = rate

    def _measure(self) -> None:
        """Accuracies on training and validation data; the best parameters are set aside."""
        train_acc = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
        val_acc = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        if self.test:
            self.test_acc_history.append(self.check_accuracy(self.X_test, self.y_test))
            self.val_loss_history.append(self.mean_loss(self.X_val, self.y_val))
        if self.verbose:
            print(
                f"(Epoch {self.epoch} / {self.num_epochs}) train acc: {train_acc:f}; val_acc: "
                f"{val_acc:f}"
            )
        if val_acc > self.best_val_acc or not self.best_params:
            self.best_val_acc = val_acc
            self.best_params = {name: value.copy() for name, value in self.model.params.items()}
            self.best_running = running_of(self.model)

    def _leave_the_best(self) -> None:
        self.model.params = self.best_params
        for param, running in zip(
            getattr(self.model, "bn_params", []), self.best_running, strict=True
        ):
            param.update(running)

    # ------------------------------------------------------------------ checkpoints

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all that training goes on from to one file, or nothing. Raises RecordsError."""
        return checkpoints.save(path, *solver_state.taken(self))

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        model: Any,
        data: Mapping[str, Array],
        *,
        rng: Generator | None = None,
        **changes: Any,
    ) -> Self:
        """The solver that wrote `path`, ready to `train()` on as if it had never stopped.

        `model` is built as it was (its parameters are replaced), `data` is the same. The generator,
        by default NumPy's global one, is put into the state it had. `changes` are keywords of the
        Solver that shall differ from now on. Raises RecordsError for a file that is no sound
        checkpoint, ShapeError for a model that does not fit it, OptionError for other data and for
        changes with which the steps made so far would not fit.
        """
        tensors, state = checkpoints.load(path)
        if "settings" not in state:
            raise RecordsError(
                f"the checkpoint {path} holds a net without a training to continue: load it with "
                f"normlab.conversion.load_net and train it with a new Solver"
            )
        for name in sorted({*changes} & {"batch_size", "update_rule", "optim_config"}):
            if changes[name] != state["settings"].get(name):
                raise OptionError(
                    f"{name} cannot change in the middle of a training: the checkpoint {path} was "
                    f"written with {state['settings'].get(name)!r}. To go on with another, load "
                    "the net with normlab.conversion.load_net and train it with a new Solver"
                )
        try:
            solver = cls(model, data, rng=rng, **(state["settings"] | changes))
            solver_state.restore(solver, path, tensors, state)
        except UserError:
            raise
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise RecordsError(
                f"{path} is a whole checkpoint, and not one that a Solver saved: its content does "
                f"not fit ({type(error).__name__}: {error})"
            ) from error
        return solver
