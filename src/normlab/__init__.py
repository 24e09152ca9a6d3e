"""normlab: the laboratory for normalization in deep networks.

Specs in, histories out:

>>> import normlab
>>> data = normlab.data.load("digits")
>>> net = normlab.NetSpec(hidden_dims=(20,), normalization="batchnorm", weight_scale=0.02)
>>> specs = [
...     normlab.RunSpec(net, normlab.TrainingSpec(num_epochs=1), data.spec, seed)
...     for seed in range(2)
... ]
>>> [len(history.loss) for history in normlab.train(specs, data, workers=1)]
[10, 10]

The reference layers are in `normlab.layers`, whole nets in `normlab.nets`, update rules in
`normlab.optim`; `cs682.*` are the same objects under the assignment's names.

Names and modules are loaded when they are first used, so that importing one part loads only what it
needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from normlab import (
        checker,
        checkpoints,
        compat,
        conversion,
        data,
        engines,
        errors,
        gradcheck,
        layers,
        nets,
        notebooks,
        optim,
        records,
        report,
        solver,
        specs,
        studies,
        sweep,
    )
    from normlab.checker import check
    from normlab.errors import NonFiniteWarning, UserError
    from normlab.gradcheck import check_gradient, check_layer, check_net
    from normlab.laboratory import Comparison, compare
    from normlab.nets import FullyConnectedNet, TwoLayerNet
    from normlab.records import Records
    from normlab.solver import Solver
    from normlab.specs import DataSpec, History, NetSpec, RunSpec, TrainingSpec
    from normlab.sweep import LostRunsError, Progress, train

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "DataSpec",
    "FullyConnectedNet",
    "History",
    "LostRunsError",
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
    "checker",
    "checkpoints",
    "compare",
    "compat",
    "conversion",
    "data",
    "engines",
    "errors",
    "gradcheck",
    "layers",
    "nets",
    "notebooks",
    "optim",
    "records",
    "report",
    "solver",
    "specs",
    "studies",
    "sweep",
    "train",
]

_HOMES = {
    "check": "checker",
    "NonFiniteWarning": "errors",
    "UserError": "errors",
    "check_gradient": "gradcheck",
    "check_layer": "gradcheck",
    "check_net": "gradcheck",
    "Comparison": "laboratory",
    "compare": "laboratory",
    "FullyConnectedNet": "nets",
    "TwoLayerNet": "nets",
    "Records": "records",
    "Solver": "solver",
    "DataSpec": "specs",
    "History": "specs",
    "NetSpec": "specs",
    "RunSpec": "specs",
    "TrainingSpec": "specs",
    "LostRunsError": "sweep",
    "Progress": "sweep",
    "train": "sweep",
}
"""The module that each name comes from; what is in `__all__` and not here is a module itself."""

if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name):
        """A name or module of `__all__`, loaded on first use."""
        if name not in __all__:
            raise AttributeError(f"module 'normlab' has no attribute {name!r}")
        module = importlib.import_module(f"normlab.{_HOMES.get(name, name)}")
        found = getattr(module, name) if name in _HOMES else module
        globals()[name] = found
        return found

    def __dir__():
        return sorted({*globals(), *__all__})
