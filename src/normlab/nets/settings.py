"""What a net is beside its arrays: the settings that a checkpoint has to tell, in JSON's words."""

from __future__ import annotations

from typing import Any

import numpy as np

OF_A_NORM = ("eps", "momentum", "num_groups", "num_batches_tracked")


def settings_of(model: Any) -> dict[str, Any]:
    """`normalization`, `dropout` (the probability of keeping a unit), `reg`, and `norms`, each hidden layer's settings;
    and `activation` and `residual`, where they are not the assignment's.

    `model` is FullyConnectedNet, or anybody's own net with the assignment's attributes; what it
    does not have, or has as something else than a number or a name, is left out or takes the
    assignment's default.

    >>> from normlab.nets import FullyConnectedNet
    >>> net = FullyConnectedNet([4, 4], input_dim=3, normalization="groupnorm", num_groups=2, dropout=0.5)
    >>> settings_of(net)
    {'normalization': 'groupnorm', 'dropout': 0.5, 'reg': 0.0, 'norms': [{'num_groups': 2}, {'num_groups': 2}]}
    """
    normalization = getattr(model, "normalization", None)
    dropout_param = getattr(model, "dropout_param", None)
    keep = _number(dropout_param.get("p")) if isinstance(dropout_param, dict) else None
    norms = getattr(model, "bn_params", None)
    unusual = {
        name: value
        for name, usual in (("activation", "relu"), ("residual", None))
        if (value := getattr(model, name, usual)) != usual and isinstance(value, str)
    }
    return unusual | {
        "normalization": normalization if isinstance(normalization, str) else None,
        "dropout": 1.0 if keep is None else keep,
        "reg": _number(getattr(model, "reg", None)) or 0.0,
        "norms": [
            {name: value for name in OF_A_NORM if (value := _number(param.get(name))) is not None}
            for param in (norms if isinstance(norms, list | tuple) else ())
            if isinstance(param, dict)
        ],
    }


def _number(value: Any) -> int | float | None:
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
