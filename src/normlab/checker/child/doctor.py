"""What a whole PyTorch model does with its batch norm layers, measured on the model itself.

Each examination returns findings as plain values: a kind, the layer, a sentence, and the evidence.
Nothing of the model is kept changed: examinations work on copies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from . import tensors

FEW = 8  # examples below which the statistics of a batch say little
GAP = 0.2  # of the spread of the outputs: what train and eval may differ by
STALE = 0.5  # standard deviations that a running mean may be away from the data's


class DoctorError(Exception):
    """A model that cannot be examined; its message says why."""


def examine(namespace: dict[str, Any], entry: str, order: dict[str, Any]) -> dict[str, Any]:
    """The findings about the model that `entry` is or builds, and on which input they were made."""
    torch = tensors.library()
    if entry not in namespace:
        raise DoctorError(f"there is no {entry!r} in the file")
    if torch is None:
        raise DoctorError("the file does not import torch")
    torch.manual_seed(order.get("seed", 0))
    torch.set_num_threads(1)
    made = namespace[entry]
    if not isinstance(made, torch.nn.Module):
        made = made()
    model, data = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, torch.nn.Module):
        raise DoctorError(
            f"{entry} gives {type(model).__name__}; give a torch.nn.Module or a function that "
            "makes one"
        )
    own = data is not None
    data = _one_batch(data) if own else _invented(model, order.get("shape"))
    layers = dict(_norms(model))
    findings: list[dict[str, Any]] = []
    for examination in (frozen, shared, one_example, stale, gap, last_batch):
        findings += examination(model, layers, data, order)
    return {
        "layers": list(layers),
        "input": list(data.shape),
        "own_data": own,
        "findings": findings,
    }


def frozen(
    model: Any, layers: dict[str, Any], data: Any, order: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Layers that do not train while the model does."""
    del data, order
    other = copy.deepcopy(model)
    other.train()
    for name, layer in _norms(other):
        if not layer.training:
            yield _finding(
                "frozen",
                name,
                "stays in eval mode when the model is set to train",
                "after model.train() its .training is False; does a train() of yours skip it?",
            )
    for name, layer in layers.items():
        still = [n for n, p in layer.named_parameters(recurse=False) if not p.requires_grad]
        trained = any(
            p.requires_grad for n, p in model.named_parameters() if not n.startswith(f"{name}.")
        )
        if still and trained:
            verb = "does" if len(still) == 1 else "do"
            yield _finding(
                "frozen",
                name,
                f"its {' and '.join(still)} {verb} not train while the rest of the model does",
                "requires_grad is False; its running statistics still move in train mode",
            )
        if not getattr(layer, "track_running_stats", True):
            yield _finding(
                "frozen",
                name,
                "keeps no running statistics: in eval mode it uses the batch's own",
                "track_running_stats is False: an answer depends on the other examples in its "
                "batch",
            )


def shared(
    model: Any, layers: dict[str, Any], data: Any, order: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Layers that one pass uses more than once: their running statistics mix what differs."""
    del layers, order
    other = copy.deepcopy(model).train()
    seen: dict[str, list[Any]] = {}
    hooks: list[Any] = []
    for name, layer in _norms(other):

        def hook(_: Any, given: Any, __: Any, name: str = name) -> None:
            values = given[0].detach().transpose(0, 1).flatten(1)
            seen.setdefault(name, []).append(values.mean(1))

        hooks.append(layer.register_forward_hook(hook))
    _run(other, data)
    for added in hooks:
        added.remove()
    for name, means in seen.items():
        if len(means) > 1:
            apart = float((means[0] - means[-1]).abs().mean())
            yield _finding(
                "shared",
                name,
                f"is used {len(means)} times in one pass",
                f"its inputs' means differ by {apart:.2g} on average between the first and the "
                "last use, and it keeps one running mean for all of them",
            )


def one_example(
    model: Any, layers: dict[str, Any], data: Any, order: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """A training batch of one example."""
    del order
    if not layers:
        return
    other = copy.deepcopy(model).train()
    try:
        other(data[:1])
    except ValueError as error:
        yield _finding(
            "batch of one",
            "",
            "cannot train on a batch of one example",
            f"ValueError: {error}; a last batch of one ends the training",
            note=True,
        )


def stale(
    model: Any, layers: dict[str, Any], data: Any, order: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Running statistics that are not those of the data."""
    del order
    torch = tensors.library()
    fresh = copy.deepcopy(model).train()
    for _, layer in _norms(fresh):
        if getattr(layer, "running_mean", None) is not None:
            layer.reset_running_stats()
            layer.momentum = None  # the plain average of what follows
    with torch.no_grad():
        _run(fresh, data)
    for name, layer in _norms(fresh):
        old = layers[name]
        if getattr(old, "running_mean", None) is None:
            continue
        count = int(old.num_batches_tracked) if old.num_batches_tracked is not None else None
        std = torch.sqrt(layer.running_var + old.eps)
        away = float(((old.running_mean - layer.running_mean).abs() / std).mean())
        ratio = float(
            torch.sqrt((old.running_var + old.eps) / (layer.running_var + old.eps)).median()
        )
        if count == 0:
            yield _finding(
                "stale",
                name,
                "has running statistics from before any training",
                f"num_batches_tracked is 0; on this input its means are {away:.2g} standard "
                "deviations away",
            )
        elif away > STALE or not 0.5 < ratio < 2:
            yield _finding(
                "stale",
                name,
                "has running statistics that are not those of this input",
                f"running means are {away:.2g} standard deviations away on average, running "
                f"standard deviations {ratio:.2g} times those of the input; momentum "
                f"{old.momentum}, {count} batches seen",
            )
        if old.momentum is not None and not 0 < old.momentum <= 0.5:
            yield _finding(
                "stale",
                name,
                f"has a momentum of {old.momentum}, which is the share of the new batch",
                "PyTorch's momentum 0.1 is the 0.9 of TensorFlow and of the assignment",
            )


def gap(
    model: Any, layers: dict[str, Any], data: Any, order: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The same input in train mode and in eval mode, dropout set aside."""
    del order
    torch = tensors.library()
    if not layers:
        return
    other = copy.deepcopy(model)
    for layer in other.modules():
        if "Dropout" in type(layer).__name__:
            layer.p = 0.0
    with torch.no_grad():
        kept = copy.deepcopy(other)
        train = _first(_run(other.train(), data))
        evaluated = _first(_run(kept.eval(), data))
    spread = float(train.std()) + 1e-12
    apart = float((train - evaluated).abs().mean()) / spread
    if apart > GAP:
        same = ""
        if train.ndim == 2 and train.shape[1] > 1:
            agree = float((train.argmax(1) == evaluated.argmax(1)).double().mean())
            same = f"; the largest output is the same for {agree:.0%} of the examples"
        yield _finding(
            "gap",
            "",
            "answers differently in train and in eval mode",
            f"on the same {len(data)} examples the outputs differ by {apart:.2g} of their "
            f"spread{same}",
        )


def last_batch(
    model: Any, layers: dict[str, Any], data: Any, order: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """What is left over at the end of an epoch."""
    del model, data
    examples, size = order.get("examples"), order.get("batch_size")
    if not layers or not examples or not size:
        return
    left = examples % size
    if left == 1:
        yield _finding(
            "last batch",
            "",
            "the last batch of an epoch has one example",
            f"{examples} examples in batches of {size} leave 1: use drop_last=True",
        )
    elif 0 < left < FEW <= size:
        yield _finding(
            "last batch",
            "",
            f"the last batch of an epoch has only {left} examples",
            f"{examples} examples in batches of {size} leave {left}; its statistics move the "
            f"running ones as much as those of {size} do: use drop_last=True",
        )
    if size < FEW:
        yield _finding(
            "last batch",
            "",
            f"batches of {size} are too small for batch statistics",
            f"a mean over {size} examples is off by 1/√{size} = {size**-0.5:.2g} standard "
            "deviations; group norm or layer norm do not depend on the batch",
        )


def _norms(model: Any) -> Iterator[tuple[str, Any]]:
    for name, layer in model.named_modules():
        if "BatchNorm" in type(layer).__name__ and hasattr(layer, "eps"):
            yield name or type(layer).__name__, layer


def _finding(
    kind: str, layer: str, sentence: str, evidence: str, *, note: bool = False
) -> dict[str, Any]:
    """`note` marks what is so by design and harms only in a case that may not occur."""
    return {"kind": kind, "layer": layer, "sentence": sentence, "evidence": evidence, "note": note}


def _run(model: Callable[..., Any], data: Any) -> Any:
    try:
        return model(data)
    except Exception as error:
        shape = tuple(data.shape)
        raise DoctorError(
            f"the model does not take an input of shape {shape}: {type(error).__name__}: {error}. "
            "Let the function return (model, batch), or give --input"
        ) from error


def _first(out: Any) -> Any:
    while isinstance(out, (tuple, list)):
        out = out[0]
    if isinstance(out, dict):
        out = next(iter(out.values()))
    return out.detach().double()


def _one_batch(data: Any) -> Any:
    torch = tensors.library()
    if isinstance(data, torch.Tensor):
        return data
    for batch in data:  # a data loader
        return batch[0] if isinstance(batch, (tuple, list)) else batch
    raise DoctorError("the data given with the model are empty")


def _invented(model: Any, shape: Any) -> Any:
    """A batch of random numbers in the shape that the first layer asks for."""
    torch = tensors.library()
    if not shape:
        for layer in model.modules():
            kind = type(layer).__name__
            if kind == "Linear":
                shape = [layer.in_features]
            elif kind.startswith("Conv"):
                sides = int(kind[4]) if kind[4:5].isdigit() else 2
                shape = [layer.in_channels] + [32] * sides
            elif "BatchNorm" in kind:
                shape = [layer.num_features] + [32] * {"BatchNorm2d": 2, "BatchNorm3d": 3}.get(
                    kind, 0
                )
            if shape:
                break
    if not shape:
        raise DoctorError(
            "the input's shape cannot be seen in the model; give --input, such as 3x32x32"
        )
    first = next(iter(model.parameters()), None)
    return torch.randn([64, *shape], dtype=first.dtype if first is not None else torch.float32)
