"""The reference engine: the assignment's Solver on the reference layers."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np

from normlab import randomness
from normlab.data.dataset import Dataset
from normlab.data.prepared import prepared
from normlab.engines.engine import Engine
from normlab.errors import NonFiniteWarning, OptionError
from normlab.layers import norms
from normlab.net_options import image_shape_of
from normlab.nets import ConvolutionalNet, FullyConnectedNet, Net
from normlab.solver import Solver
from normlab.specs import History, RunSpec, added_settings
from normlab.typing import Generator

OF_NETS = (
    "eps", "activation", "start", "residual", "ghost_batch", "statistics", "norm_noise",
    "norm_momentum",
)  # fmt: skip
OF_CONVOLUTIONAL_NETS = (
    "num_groups", "per_pixel", "reg", "weight_scale", "start", "eps", "norm_momentum",
)  # fmt: skip
OF_IMAGES = ("kind", "image_shape", "filters", "filter_size", "per_pixel")
OF_THE_SOLVER = ("weight_decay", "schedule", "warmup_epochs", "test")
IMPLEMENTED: frozenset[str] = frozenset(
    {
        "data.split",
        "training.inputs",
        *(f"net.{name}" for name in OF_NETS + OF_IMAGES),
        *(f"training.{name}" for name in OF_THE_SOLVER),
    }
)
"""Of the settings added after version 1, those that nets and Solver know, by their paths."""


def takes(spec: RunSpec) -> str | None:
    """Why nets and Solver cannot train a run; None where they can."""
    unknown = added_settings(spec).keys() - IMPLEMENTED
    if unknown:
        values = [f"{path}={added_settings(spec)[path]!r}" for path in sorted(unknown)]
        return f"it does not know {', '.join(values)} yet; leave that at its default"
    if spec.training.batch_size > spec.data.num_train:
        return (
            f"batch_size={spec.training.batch_size} is more than the {spec.data.num_train} "
            f"training examples of {spec.data.name!r}; use at most as many"
        )
    norm = norms.BY_NAME.get(spec.net.normalization or "")
    if norm is not None and norm.over == "batch" and spec.training.batch_size == 1:
        return (
            f"{norm.title} needs at least two examples in a batch; use batch_size=2 or more, or "
            "another norm"
        )
    return None


def train(spec: RunSpec, data: Dataset, model: Net | None = None) -> History:
    """One run as the assignment does it: build the net, then `Solver.train()`."""
    return train_solver(solver_for(spec, data), model)


def net_for(spec: RunSpec, rng: Generator) -> Net:
    """A run's net with its first weights, which `rng` draws."""
    net = spec.net
    if net.filters:
        return ConvolutionalNet(
            net.filters,
            net.image_shape or image_shape_of(spec.data.input_dim),
            net.hidden_dims,
            net.filter_size,
            spec.data.num_classes,
            net.normalization,
            rng=rng,
            dtype=np.dtype(net.dtype),
            **{name: getattr(net, name) for name in OF_CONVOLUTIONAL_NETS},
        )
    return FullyConnectedNet(
        net.hidden_dims,
        input_dim=spec.data.input_dim,
        num_classes=spec.data.num_classes,
        dropout=net.dropout,
        normalization=net.normalization,
        num_groups=net.num_groups,
        reg=net.reg,
        weight_scale=net.weight_scale,
        dtype=np.dtype(net.dtype),
        rng=rng,
        **{name: getattr(net, name) for name in OF_NETS},
    )


def solver_for(spec: RunSpec, data: Dataset) -> Solver:
    """The Solver of a run before its first step: the net is built, the weights are drawn.

    Raises OptionError for a run that the reference engine does not train.
    """
    refused = takes(spec)
    if refused is not None:
        raise OptionError(f"the reference engine cannot train this run: {refused}")
    rng = randomness.generator(spec.seed)
    training = spec.training
    return Solver(
        net_for(spec, rng),
        prepared(spec, data).as_dict(),
        rng=rng,
        update_rule=training.update_rule,
        optim_config={"learning_rate": training.learning_rate},
        lr_decay=training.lr_decay,
        batch_size=training.batch_size,
        num_epochs=training.num_epochs,
        verbose=False,
        **{name: getattr(training, name) for name in OF_THE_SOLVER},
    )


def train_solver(solver: Solver, model: Net | None = None) -> History:
    """Train to the end, and give the History; `model`, if given, becomes the trained net."""
    began = time.perf_counter()
    # A run that diverges overflows, and meets NaN in every batch: `diverged` says so, once.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteWarning)
        solver.train()
    if model is not None:
        vars(model).update(
            vars(solver.model)
        )  # parameters, running statistics and whatever else it keeps
    return History(
        loss=tuple(solver.loss_history),
        train_acc=tuple(solver.train_acc_history),
        val_acc=tuple(solver.val_acc_history),
        test_acc=tuple(solver.test_acc_history),
        val_loss=tuple(solver.val_loss_history),
        best_val_acc=float(solver.best_val_acc),
        diverged=not all(map(math.isfinite, solver.loss_history)),
        seconds=time.perf_counter() - began,
    )


REFERENCE = Engine(
    name="reference",
    title="the reference layers under the assignment's Solver",
    why_not=lambda: None,
    takes=takes,
    train=train,
    explain=lambda _: "the assignment's Solver on the reference layers, in NumPy",
    former_name="book",
)
