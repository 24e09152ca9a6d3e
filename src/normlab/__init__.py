"""normlab: the laboratory for normalization in deep networks.

Specs in, histories out:

>>> import normlab
>>> data = normlab.data.load("digits")
>>> net = normlab.NetSpec(hidden_dims=(20,), normalization="batchnorm", weight_scale=0.02)
>>> specs = [normlab.RunSpec(net, normlab.TrainingSpec(num_epochs=1), data.spec, seed) for seed in range(2)]
>>> [len(history.loss) for history in normlab.train(specs, data, workers=1)]
[10, 10]

The book is in `normlab.layers`, whole nets in `normlab.nets`, update rules in `normlab.optim`; `cs682.*` are the same
objects under the assignment's names.
"""

import importlib
from typing import Any

from normlab.errors import NonFiniteWarning, UserError
from normlab.gradcheck import check_gradient, check_layer, check_net
from normlab.nets import FullyConnectedNet, TwoLayerNet
from normlab.records import Records
from normlab.solver import Solver
from normlab.specs import DataSpec, History, NetSpec, RunSpec, TrainingSpec
from normlab.sweep import Progress, train

__version__ = "0.1.0"

__all__ = [
    "DataSpec",
    "FullyConnectedNet",
    "History",
    "NetSpec",
    "NonFiniteWarning",
    "Progress",
    "Records",
    "RunSpec",
    "Solver",
    "TrainingSpec",
    "TwoLayerNet",
    "UserError",
    "check",
    "check_gradient",
    "check_layer",
    "check_net",
    "train",
]


def check(target: Any, **options: Any) -> Any:
    """Check a file, folder, module or namespace of the assignment: see `normlab.checker.check`."""
    from normlab.checker import check as check_target  # a wing of the house, loaded when it is asked for

    return check_target(target, **options)


def __getattr__(name: str) -> Any:
    """Modules of the house, loaded when they are first asked for: `normlab.compat`, `normlab.data`, …"""
    try:
        return importlib.import_module(f"normlab.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"normlab.{name}":
            raise  # a guest of that module is missing: its own message says which
        raise AttributeError(f"module 'normlab' has no attribute {name!r}") from None
