"""Nets in normlab's own files: out of a Solver's checkpoint, and into one that holds a net and no training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from normlab import checkpoints
from normlab.arguments import explained
from normlab.conversion.net_parts import Parts, Take, parts_of, put_together, take_apart
from normlab.errors import OptionError, RecordsError, UserError, not_one_of, quoted
from normlab.layers.norms import BY_NAME, RUNNING
from normlab.nets import FullyConnectedNet
from normlab.nets.settings import settings_of
from normlab.typing import Array, Generator

_WITH_GROUPS = next(norm.name for norm in BY_NAME.values() if "num_groups" in norm.options)
TAKES: tuple[Take, ...] = ("best", "last")


@explained
def save_net(path: str | os.PathLike[str], model: Any) -> Path:
    """Write a net to a checkpoint that `load_net` reads: parameters, running statistics and settings.

    Raises ShapeError or OptionError for a net that normlab could not build again, RecordsError
    where the file cannot be written.
    """
    net = put_together(take_apart(model))
    tensors = {f"params/{name}": value for name, value in net.params.items()}
    for layer, param in enumerate(net.bn_params):
        tensors |= {f"running/{layer}/{name}": param[name] for name in RUNNING if name in param}
    return checkpoints.save(path, tensors, {"net": settings_of(net)})


@explained
def load_net(
    path: str | os.PathLike[str],
    take: Take = "best",
    *,
    normalization: str | None = None,
    num_groups: int | None = None,
    rng: Generator | None = None,
) -> FullyConnectedNet:
    """The net in a checkpoint, built anew: as `save_net` wrote it, or as a Solver left it.

    Of a Solver's checkpoint, `take` 'best' are the best parameters on validation data so far with
    their running statistics, which are what `train()` leaves in the model, and 'last' those of the
    checkpoint's own step. `normalization` and `num_groups` are needed for layer norm and group norm
    where an older checkpoint does not tell them. `rng` draws dropout's masks, by default NumPy's
    global one.

    Raises RecordsError for a file that is no sound checkpoint, ShapeError or OptionError where it
    holds no net that normlab can build.
    """
    return put_together(
        parts_in(path, take, normalization=normalization, num_groups=num_groups), rng
    )


def parts_in(
    path: str | os.PathLike[str],
    take: Take = "best",
    *,
    normalization: str | None = None,
    num_groups: int | None = None,
) -> Parts:
    """`load_net`, taken apart."""
    if take not in TAKES:
        raise not_one_of("take", take, TAKES)
    if normalization is not None and normalization not in BY_NAME:
        raise not_one_of("normalization", normalization, (None, *BY_NAME))
    tensors, state = checkpoints.load(path)
    try:
        return _parts_of(path, tensors, state, take, normalization, num_groups)
    except UserError:
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise RecordsError(
            f"{path} is a whole checkpoint, and its net is none that normlab can build: "
            f"{type(error).__name__}: {error}"
        ) from error


def _parts_of(
    path: str | os.PathLike[str],
    tensors: dict[str, Array],
    state: dict[str, Any],
    take: Take,
    normalization: str | None,
    num_groups: int | None,
) -> Parts:
    params = _under(tensors, "best/") if take == "best" else {}
    which = "best_running" if params else "running"
    params = params or _under(tensors, "params/")
    if not params:
        raise RecordsError(
            f"the checkpoint {path} holds no parameters; it was saved neither by a Solver nor as a "
            "net"
        )
    layers = sum(name[0] == "W" for name in params) - 1
    running = [_under(tensors, f"{which}/{layer}/") for layer in range(layers)]
    settings = state.get("net") or {"normalization": None, "dropout": 1.0, "reg": 0.0, "norms": []}
    if normalization is not None or settings["normalization"] is None:
        known = normalization or (
            _WITH_GROUPS if num_groups else _known_by_its_arrays(path, params, running)
        )
        settings = settings | {"normalization": known}
    if num_groups is not None:
        norms = settings["norms"] or [{}] * layers
        settings = settings | {"norms": [{**own, "num_groups": num_groups} for own in norms]}
    return parts_of(params, running, settings)


def _known_by_its_arrays(
    path: str | os.PathLike[str], params: dict[str, Array], running: list[dict[str, Array]]
) -> str | None:
    """The norm, by the names of what the net has, where these leave no doubt."""
    names = {name.rstrip("0123456789") for name in params} - {"W", "b"}
    if not names:
        return None
    possible = [
        norm
        for norm in BY_NAME.values()
        if names == {*norm.parameter_names} and norm.running == any(running)
    ]
    if len(possible) == 1:
        return possible[0].name
    options = [
        f"normalization={norm.name!r} (--normalization {norm.name})"
        if "num_groups" not in norm.options
        else "num_groups=G (--num-groups G)"
        for norm in possible
    ]
    titles = " or ".join(norm.title for norm in possible) or "a norm that normlab has"
    raise OptionError(
        f"the checkpoint {path} does not say whether its {quoted(sorted(names))} are of {titles}"
        + (f"; say {' or '.join(options)}" if options else "; save the net again with this version")
    )


def _under(tensors: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {
        name.removeprefix(prefix): np.array(value)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
