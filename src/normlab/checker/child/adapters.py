"""Other ways to write a layer, asked through the assignment's functions.

`torch.autograd.Function` and `torch.nn.Module` become a forward and a backward function on arrays,
whose backward is what PyTorch makes of the person's own; classes of static methods, as EECS 498
teaches them, become the functions that they hold.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from . import tensors

# EECS 498's classes of static methods, and what their forward and backward are called here
COURSE_CLASSES = {
    "Linear": "affine_{}", "ReLU": "relu_{}", "Linear_ReLU": "affine_relu_{}",
    "BatchNorm": "batchnorm_{}",
    "LayerNorm": "layernorm_{}", "Dropout": "dropout_{}",
    "SpatialBatchNorm": "spatial_batchnorm_{}",
    "MaxPool": "max_pool_{}_naive",
}  # fmt: skip
# a layer's kind by what its name holds, the longer names first
KINDS = (
    ("spatialbatchnorm", "spatial_batchnorm"), ("batchnorm2d", "spatial_batchnorm"),
    ("groupnorm", "spatial_groupnorm"),
    ("batchnorm", "batchnorm"), ("layernorm", "layernorm"), ("relu", "relu"), ("linear", "affine"),
    ("affine", "affine"), ("dense", "affine"),
)  # fmt: skip
NAMES = {
    "gamma": ("gamma", "weight", "scale", "g", "w"),
    "beta": ("beta", "bias", "shift", "b"),
    "eps": ("eps", "epsilon"),
}


class AdapterError(Exception):
    """A layer that cannot be asked through the assignment's functions; its message says why."""


def course_functions(namespace: dict[str, Any]) -> dict[str, Any]:
    """The functions that classes of static methods hold, under the assignment's names."""
    found = {}
    for name, pattern in COURSE_CLASSES.items():
        held = vars(namespace[name]) if isinstance(namespace.get(name), type) else {}
        for method, function in held.items():
            if method in ("forward", "backward", "backward_alt") and isinstance(
                function, staticmethod
            ):
                plain = function.__func__
                if "ctx" not in inspect.signature(plain).parameters:
                    found[pattern.format(method)] = plain
    return {name: function for name, function in found.items() if name not in namespace}


def functions(namespace: dict[str, Any], entry: str) -> dict[str, Any]:
    """The assignment's functions for one layer of PyTorch, by its name.

    Raises AdapterError with the reason.
    """
    if entry not in namespace:
        raise AdapterError(f"there is no {entry} in the file")
    torch = tensors.library()
    thing = namespace[entry]
    if torch is None or not isinstance(thing, type):
        raise AdapterError(f"{entry} is no torch.autograd.Function and no torch.nn.Module")
    plain = re.sub(r"[^a-z0-9]", "", entry.lower())
    kind = next((kind for part, kind in KINDS if part in plain), "")
    if not kind:
        kinds = ", ".join(dict.fromkeys(part for part, _ in KINDS))
        raise AdapterError(
            f"the name {entry} does not say what it computes; one of {kinds} must be part of it"
        )
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    if issubclass(thing, torch.autograd.Function):
        layer: _Layer = _Function(thing, kind)
    elif issubclass(thing, torch.nn.Module):
        layer = _Module(thing, kind)
    else:
        raise AdapterError(f"{entry} is no torch.autograd.Function and no torch.nn.Module")
    return {
        f"{kind}_forward": layer.forward_function(),
        f"{kind}_backward": layer.backward_function(),
    }


class _Layer(ABC):
    """One of a person's layers: `run` computes its output from tensors.

    Backward is PyTorch's way through it.
    """

    def __init__(self, thing: Any, kind: str) -> None:
        self.thing, self.kind = thing, kind

    @abstractmethod
    def run(self, inputs: list[Any], setting: dict[str, Any]) -> Any:
        """The output tensor of these input tensors."""

    def forward(self, inputs: list[np.ndarray], setting: dict[str, Any]) -> tuple[np.ndarray, Any]:
        torch = tensors.library()
        given = [tensors.as_tensors(value).requires_grad_() for value in inputs]
        with torch.enable_grad():
            out = self.run(given, setting)
        return tensors.as_array(out), (out, given)

    def backward(self, dout: np.ndarray, cache: Any) -> Any:
        torch = tensors.library()
        out, given = cache
        sent = tensors.as_tensors(dout)
        found = torch.autograd.grad(out, given, sent, retain_graph=True, allow_unused=True)
        arrays = [None if gradient is None else tensors.as_array(gradient) for gradient in found]
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    def forward_function(self) -> Callable[..., Any]:
        one, several = self.kind == "relu", self.kind == "affine"
        if one:

            def relu_forward(x: Any) -> Any:
                return self.forward([x], {})

            return self.signed(relu_forward, "forward")
        if several:

            def affine_forward(x: Any, w: Any, b: Any) -> Any:
                return self.forward([x, w, b], {})

            return self.signed(affine_forward, "forward")
        if self.kind == "spatial_groupnorm":

            def groupnorm_forward(x: Any, gamma: Any, beta: Any, G: int, gn_param: Any) -> Any:
                return self.forward([x, gamma, beta], {**gn_param, "groups": G})

            return self.signed(groupnorm_forward, "forward")

        def norm_forward(x: Any, gamma: Any, beta: Any, param: Any) -> Any:
            setting = dict(param)
            answer = self.forward([x, gamma, beta], setting)
            param.update(
                {name: setting[name] for name in ("running_mean", "running_var") if name in setting}
            )
            return answer

        return self.signed(norm_forward, "forward")

    def backward_function(self) -> Callable[..., Any]:
        def backward(dout: Any, cache: Any) -> Any:
            return self.backward(dout, cache)

        return self.signed(backward, "backward")

    def signed(self, function: Callable[..., Any], method: str) -> Callable[..., Any]:
        """The function, whose place in the file is that of the person's own method."""
        function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        own = vars(self.thing).get(method) or vars(self.thing).get("forward")
        own = own.__func__ if isinstance(own, staticmethod) else own
        if own is not None:
            function.__wrapped__ = own  # type: ignore[attr-defined]
        return function


class _Function(_Layer):
    """A `torch.autograd.Function`: its own forward and backward, by `apply`."""

    def run(self, inputs: list[Any], setting: dict[str, Any]) -> Any:
        own = vars(self.thing)["forward"]
        own = own.__func__ if isinstance(own, staticmethod) else own
        parameters = list(inspect.signature(own).parameters.values())
        if "setup_context" not in vars(self.thing):
            parameters = parameters[1:]  # ctx
        return self.thing.apply(*_arguments(parameters, inputs, setting))


class _Module(_Layer):
    """A `torch.nn.Module`: made for the sizes it is given, with the parameters it is given."""

    def run(self, inputs: list[Any], setting: dict[str, Any]) -> Any:
        module = self.made(inputs, setting)
        if self.kind == "relu":
            return module(inputs[0])
        torch = tensors.library()
        named = dict(module.named_parameters())
        values = {}
        for name, tensor in zip(("gamma", "beta"), inputs[1:], strict=True):
            target = next((n for n in named if n.rpartition(".")[2].lower() in NAMES[name]), None)
            if target is None:
                raise AdapterError(
                    f"{self.thing.__name__} has no parameter that could be {name}: it has "
                    f"{list(named)}"
                )
            fits = (
                tensor.t()
                if tensor.ndim == 2 and named[target].shape == tensor.t().shape
                else tensor
            )
            values[target] = fits.reshape(named[target].shape)
        if hasattr(module, "eps") and "eps" in setting:
            module.eps = setting["eps"]
        buffers = dict(module.named_buffers())
        for name in ("running_mean", "running_var"):
            if name in setting and name in buffers:
                values[name] = tensors.as_tensors(np.array(setting[name])).reshape(
                    buffers[name].shape
                )
            elif name in buffers:
                values[name] = torch.zeros_like(
                    buffers[name]
                )  # where the assignment starts; PyTorch's var starts at 1
        if hasattr(module, "momentum") and "momentum" in setting:
            module.momentum = 1 - setting["momentum"]  # PyTorch's share is that of the new batch
        module.train(setting.get("mode", "train") == "train")
        out = torch.func.functional_call(module, values, (inputs[0],))
        for name in ("running_mean", "running_var"):
            if name in values and name in buffers:
                setting[name] = tensors.as_array(values[name]).reshape(-1)
        return out

    def made(self, inputs: list[Any], setting: dict[str, Any]) -> Any:
        x = inputs[0]
        parameters = list(inspect.signature(self.thing.__init__).parameters.values())[1:]
        width = x.shape[1]
        given: dict[str, Any] = {}
        for parameter in parameters:
            name = parameter.name.lower()
            if name in NAMES["eps"] and "eps" in setting:
                given[parameter.name] = setting["eps"]
            elif parameter.default is not parameter.empty or parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                continue
            elif "group" in name:
                given[parameter.name] = setting["groups"]
            elif self.kind == "affine":
                given[parameter.name] = inputs[1].shape[0 if not given else 1]
            else:
                given[parameter.name] = width
        return self.thing(**given)


def _arguments(
    parameters: list[inspect.Parameter], inputs: list[Any], setting: dict[str, Any]
) -> list[Any]:
    """A forward's arguments in its own order: the input first, the others by their names."""
    named = dict(zip(("x", "gamma", "beta"), inputs, strict=False))
    found = []
    for index, parameter in enumerate(parameters):
        name = parameter.name.lower()
        kind = next((kind for kind, names in NAMES.items() if name in names), name)
        if index == 0:
            found.append(named["x"])
        elif kind in named:
            found.append(named[kind])
        elif kind in setting:
            value = setting[kind]
            found.append(tensors.as_tensors(value) if isinstance(value, np.ndarray) else value)
        elif "group" in name or name == "g":
            found.append(setting["groups"])
        elif name in ("normalized_shape", "shape"):
            found.append(tuple(inputs[0].shape[1:]))
        elif name in ("training", "train", "is_training"):
            found.append(setting.get("mode", "train") == "train")
        elif parameter.default is not parameter.empty:
            found.append(parameter.default)
        else:
            raise AdapterError(
                f"its forward asks for {parameter.name!r}, and nothing here is known by that name"
            )
    return found
