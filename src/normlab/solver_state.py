"""What a Solver goes on from: its whole state as tensors and JSON, for a checkpoint, and back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from normlab import checkpoints
from normlab.errors import OptionError, ShapeError
from normlab.layers.norm_record import RUNNING
from normlab.nets.settings import settings_of
from normlab.optim import UPDATE_RULES
from normlab.typing import Array
from normlab.update_rule import check_config
from normlab.validation import finite_number, whole_number

DEFAULTS: dict[str, Any] = {
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
HISTORIES = (
    "loss_history",
    "train_acc_history",
    "val_acc_history",
    "test_acc_history",
    "val_loss_history",
)


def taken(solver: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors and the state of a solver."""
    rng_tensors, rng_state = checkpoints.generator_state(solver.rng)
    tensors = {f"rng/{name}": value for name, value in rng_tensors.items()}
    tensors |= {f"params/{name}": value for name, value in solver.model.params.items()}
    tensors |= {f"best/{name}": value for name, value in solver.best_params.items()}
    for which, running in (
        ("running", running_of(solver.model)),
        ("best_running", solver.best_running),
    ):
        for layer, stats in enumerate(running):
            tensors |= {f"{which}/{layer}/{name}": value for name, value in stats.items()}
    for name in HISTORIES:
        tensors[name] = np.array(getattr(solver, name), dtype=np.float64)
    scalars: dict[str, dict[str, Any]] = {}
    for name, config in solver.optim_configs.items():
        tensors |= {
            f"optim/{name}/{key}": v for key, v in config.items() if isinstance(v, np.ndarray)
        }
        scalars[name] = {key: v for key, v in config.items() if not isinstance(v, np.ndarray)}
    state = {
        "settings": {name: getattr(solver, name) for name in DEFAULTS},
        "iteration": solver.iteration,
        "epoch": solver.epoch,
        "best_val_acc": solver.best_val_acc,
        "optim": scalars,
        "rng": rng_state,
        "net": settings_of(solver.model),
        "data": data_digest(solver),
    }
    return tensors, state


def restore(
    solver: Any, path: str | os.PathLike[str], tensors: Mapping[str, Array], state: dict[str, Any]
) -> None:
    """Put a solver into the state that `taken` took. Raises ShapeError or OptionError."""
    params = _under(tensors, "params")
    theirs = {name: value.shape for name, value in params.items()}
    ours = {name: value.shape for name, value in solver.model.params.items()}
    if ours != theirs:
        differing = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        raise ShapeError(
            f"{path} is a checkpoint of another net: {', '.join(differing)} differ; build the "
            "model as it was built for the training that wrote it"
        )
    other = [name for name in ours if params[name].dtype != solver.model.params[name].dtype]
    if other:
        raise ShapeError(
            f"{path} is a checkpoint of a net of {params[other[0]].dtype}, and the model's "
            f"{other[0]} is of {solver.model.params[other[0]].dtype}; build the model with "
            f"dtype=np.{params[other[0]].dtype}"
        )
    _check_progress(solver, path, state)
    solver.model.params = {name: params[name] for name in ours}
    for layer, param in enumerate(getattr(solver.model, "bn_params", [])):
        param.update(_under(tensors, f"running/{layer}"))
    solver.iteration, solver.epoch = int(state["iteration"]), int(state["epoch"])
    solver.best_val_acc = finite_number("best_val_acc", state["best_val_acc"], 0)
    best = _under(tensors, "best")
    solver.best_params = {name: best[name] for name in ours if name in best}
    layers = len(getattr(solver.model, "bn_params", []))
    solver.best_running = [_under(tensors, f"best_running/{layer}") for layer in range(layers)]
    for name in HISTORIES:
        # a checkpoint of an earlier version has the first three
        if name in tensors or name in HISTORIES[:3]:
            setattr(solver, name, tensors[name].tolist())
    solver.optim_configs = {
        name: state["optim"][name] | _under(tensors, f"optim/{name}") for name in ours
    }
    for name, config in solver.optim_configs.items():
        check_config(config, UPDATE_RULES[solver.update_rule], np.shape(solver.model.params[name]))
    checkpoints.restore_generator(solver.rng, _under(tensors, "rng"), state["rng"])


def _check_progress(solver: Any, path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Refuse other data, and steps and epochs that do not fit the data."""
    saw, sees = state.get("data"), data_digest(solver)
    iteration = whole_number("iteration", state["iteration"], 0)
    fits = iteration // solver.iterations_per_epoch == state["epoch"]
    if saw not in (None, sees) or not fits:
        raise OptionError(
            f"{path} was written by a training on other data: it made {iteration} steps in "
            f"{state['epoch']} epochs, and on these {len(solver.X_train)} examples an epoch has "
            f"{solver.iterations_per_epoch} "
            f"steps{', as there, but other numbers' if fits else ''}. Give the same data, or "
            "load the net with normlab.conversion.load_net and train it with a new Solver"
        )


def data_digest(solver: Any) -> str:
    """A digest of what a Solver trains on: labels, shapes, types, and a hundred rows each."""
    digest = hashlib.sha256()
    for array in (solver.X_train, solver.y_train, solver.X_val, solver.y_val):
        rows = array if array.ndim == 1 else array[:: max(1, len(array) // 100)]
        digest.update(f"{array.shape} {array.dtype.str[1:]}\n".encode())
        digest.update(
            np.ascontiguousarray(rows).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        )
    return digest.hexdigest()[:16]


def _under(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The tensors named `prefix/…`, without the prefix."""
    start = len(prefix) + 1
    return {name[start:]: value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def running_of(model: Any) -> list[dict[str, Array]]:
    """Copies of the running statistics that a model keeps beside its parameters."""
    return [
        {name: np.array(param[name]) for name in RUNNING if name in param}
        for param in getattr(model, "bn_params", [])
    ]
