"""One function for each of PyTorch's norms: from a sample of its own to a question that three can answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from normlab import layers
from normlab.typing import Array
from proof.conformance import extended
from proof.conformance.extended import Results


class Question(NamedTuple):
    """One sample: the input, and y, dx, dgamma, dbeta by PyTorch, by the reference, and in extended precision."""

    x: Array
    theirs: Callable[[], Results]
    ours: Callable[[], Results]
    truth: Callable[[], Results]


def batch_norm(sample: Any) -> Question:
    """torch.nn.functional.batch_norm, statistics of the batch or given ones."""
    import torch

    (mean, var, *given), options = sample.args, dict(sample.kwargs)
    weight, bias = [*given, None, None][:2]
    training, eps = options.pop("training", False), options.get("eps", 1e-5)
    weight, bias = options.pop("weight", weight), options.pop("bias", bias)
    statistics = [None if value is None else value.detach().clone() for value in (mean, var)]

    def compute(x: Any) -> Any:
        return torch.nn.functional.batch_norm(
            x, *statistics, weight, bias, training=training, **options
        )

    return _batch(compute, sample.input, weight, bias, None if training else (mean, var), eps)


def batch_norm_module(module: Any, x: Any) -> Question:
    """torch.nn.BatchNorm1d, 2d and 3d in train mode."""
    return _batch(module, x, module.weight, module.bias, None, module.eps)


def _batch(compute: Any, x: Any, weight: Any, bias: Any, statistics: Any, eps: float) -> Question:
    array, gamma, beta = _array(x), _array(weight), _array(bias)
    C = array.shape[1] if array.ndim > 1 else 0
    across = (C, *(1,) * (array.ndim - 2))  # a number a channel, broadcast against x
    bn_param: dict[str, Any] = {"mode": "train", "eps": eps}
    if statistics is not None:
        mean, var = (_array(value) for value in statistics)
        bn_param = {"mode": "test", "eps": eps, "running_mean": mean, "running_var": var}

    def rows(a: Array) -> Array:
        return np.moveaxis(a, 1, -1).reshape(-1, C) if a.ndim > 1 else a

    def back(a: Array) -> Array:
        return np.moveaxis(a.reshape(*array.shape[:1], *array.shape[2:], C), -1, 1)

    def ours(dout: Array) -> Results:
        g, b = _defaults(gamma, beta, (C,), array.dtype)
        out, cache = layers.batchnorm_forward(rows(array), g, b, dict(bn_param))
        dx, dgamma, dbeta = layers.batchnorm_backward(rows(dout), cache)
        return back(out), back(dx), dgamma, dbeta

    def truth(dout: Array) -> Results:
        g, b = (None if value is None else value.reshape(across) for value in (gamma, beta))
        if statistics is not None:
            return extended.with_fixed_statistics(
                array,
                g,
                b,
                dout,
                bn_param["running_mean"].reshape(across),
                bn_param["running_var"].reshape(across),
                eps,
            )
        return extended.standardized(array, g, b, dout, (0, *range(2, array.ndim)), eps)

    return _question(compute, x, weight, bias, ours, truth)


def layer_norm(sample: Any) -> Question:
    """torch.nn.functional.layer_norm."""
    import torch

    shape, *given = sample.args
    weight, bias = [*given, None, None][:2]
    eps = sample.kwargs.get("eps", 1e-5)
    return _layer(
        lambda x: torch.nn.functional.layer_norm(x, shape, weight, bias, eps),
        sample.input,
        shape,
        weight,
        bias,
        eps,
    )


def layer_norm_module(module: Any, x: Any) -> Question:
    """torch.nn.LayerNorm."""
    return _layer(module, x, module.normalized_shape, module.weight, module.bias, module.eps)


def _layer(compute: Any, x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Question:
    array, gamma, beta = _array(x), _array(weight), _array(bias)

    def ours(dout: Array) -> Results:
        width = int(np.prod(shape))
        g, b = (value.ravel() for value in _defaults(gamma, beta, tuple(shape), array.dtype))
        out, cache = layers.layernorm_forward(array.reshape(-1, width), g, b, {"eps": eps})
        dx, dgamma, dbeta = layers.layernorm_backward(dout.reshape(-1, width), cache)
        return out.reshape(array.shape), dx.reshape(array.shape), dgamma, dbeta

    def truth(dout: Array) -> Results:
        return extended.standardized(array, gamma, beta, dout, tuple(range(-len(shape), 0)), eps)

    return _question(compute, x, weight, bias, ours, truth)


def rms_norm(sample: Any) -> Question:
    """torch.nn.functional.rms_norm, whose eps is by default the type's own."""
    import torch

    shape, *given = sample.args
    weight = given[0] if given else None
    eps = sample.kwargs.get("eps")
    return _rms(
        lambda x: torch.nn.functional.rms_norm(x, shape, weight, eps),
        sample.input,
        shape,
        weight,
        eps,
    )


def rms_norm_module(module: Any, x: Any) -> Question:
    """torch.nn.RMSNorm."""
    return _rms(module, x, module.normalized_shape, module.weight, module.eps)


def _rms(compute: Any, x: Any, shape: Any, weight: Any, eps: float | None) -> Question:
    array, gamma = _array(x), _array(weight)
    # PyTorch computes float16 in float32, and takes that type's eps
    width, opmath = int(np.prod(shape)), np.float64 if array.dtype == np.float64 else np.float32
    eps = float(np.finfo(opmath).eps) if eps is None else eps

    def ours(dout: Array) -> Results:
        g = np.ones(width, array.dtype) if gamma is None else gamma.ravel()
        out, cache = layers.rmsnorm_forward(array.reshape(-1, width), g, {"eps": eps})
        dx, dgamma = layers.rmsnorm_backward(dout.reshape(-1, width), cache)
        return out.reshape(array.shape), dx.reshape(array.shape), dgamma, None

    def truth(dout: Array) -> Results:
        return extended.standardized(
            array, gamma, None, dout, tuple(range(-len(shape), 0)), eps, centred=False
        )

    return _question(compute, x, weight, None, ours, truth)


def group_norm(sample: Any) -> Question:
    """torch.nn.functional.group_norm."""
    import torch

    groups, options = sample.args[0], sample.kwargs
    weight, bias, eps = options.get("weight"), options.get("bias"), options.get("eps", 1e-5)
    return _group(
        lambda x: torch.nn.functional.group_norm(x, groups, weight, bias, eps),
        sample.input,
        groups,
        weight,
        bias,
        eps,
    )


def group_norm_module(module: Any, x: Any) -> Question:
    """torch.nn.GroupNorm."""
    return _group(module, x, module.num_groups, module.weight, module.bias, module.eps)


def instance_norm(sample: Any) -> Question:
    """torch.nn.functional.instance_norm, by each example's own statistics."""
    import torch

    options = {
        name: _detached(value) if "running" in name else value
        for name, value in sample.kwargs.items()
    }
    weight, bias, eps = options.get("weight"), options.get("bias"), options.get("eps", 1e-5)
    return _instance(
        lambda x: torch.nn.functional.instance_norm(x, **options), sample.input, weight, bias, eps
    )


def instance_norm_module(module: Any, x: Any) -> Question:
    """torch.nn.InstanceNorm1d, 2d and 3d in train mode, whose input may be one example without its batch axis."""
    dimensions = int(type(module).__name__[-2])
    if x.dim() == dimensions + 1:
        return _instance(
            lambda x: module(x[0])[None],
            x.detach()[None].requires_grad_(),
            module.weight,
            module.bias,
            module.eps,
        )
    return _instance(module, x, module.weight, module.bias, module.eps)


def _instance(compute: Any, x: Any, weight: Any, bias: Any, eps: float) -> Question:
    return _group(compute, x, x.shape[1], weight, bias, eps)


def _group(compute: Any, x: Any, groups: int, weight: Any, bias: Any, eps: float) -> Question:
    array, gamma, beta = _array(x), _array(weight), _array(bias)
    N, C = array.shape[:2]
    across = (groups, C // groups, *(1,) * (array.ndim - 2))
    grouped = (N, groups, C // groups, *array.shape[2:])

    def ours(dout: Array) -> Results:
        g, b = _defaults(gamma, beta, (C,), array.dtype)
        out, cache = layers.groupnorm_forward(
            array, g, b, groups, {"eps": eps}
        )  # instance norm's too
        return out, *layers.groupnorm_backward(dout, cache)

    def truth(dout: Array) -> Results:
        g, b = (None if value is None else value.reshape(across) for value in (gamma, beta))
        axes = tuple(range(2, len(grouped)))
        return extended.standardized(array.reshape(grouped), g, b, dout.reshape(grouped), axes, eps)

    return _question(compute, x, weight, bias, ours, truth)


def local_response_norm(sample: Any) -> Question:
    """torch.nn.functional.local_response_norm."""
    import torch

    size = sample.args[0]
    alpha, beta, k = (
        sample.kwargs.get(name, value)
        for name, value in (("alpha", 1e-4), ("beta", 0.75), ("k", 1.0))
    )
    return _local_response(
        lambda x: torch.nn.functional.local_response_norm(x, size, alpha, beta, k),
        sample.input,
        size,
        alpha,
        beta,
        k,
    )


def local_response_module(module: Any, x: Any) -> Question:
    """torch.nn.LocalResponseNorm."""
    return _local_response(module, x, module.size, module.alpha, module.beta, module.k)


def _local_response(
    compute: Any, x: Any, size: int, alpha: float, beta: float, k: float
) -> Question:
    """PyTorch's alpha is times the mean; an even window's longer half lies before, ours after."""
    array = _array(x)
    lrn_param = {"n": size, "k": k, "alpha": alpha / size, "beta": beta}

    def ours(dout: Array) -> Results:
        out, cache = layers.localresponse_forward(array[:, ::-1], lrn_param)
        return (
            out[:, ::-1],
            layers.localresponse_backward(dout[:, ::-1], cache)[:, ::-1],
            None,
            None,
        )

    def truth(dout: Array) -> Results:
        return extended.local_response(
            array, dout, size // 2, (size - 1) // 2, k, alpha / size, beta
        )

    return _question(compute, x, None, None, ours, truth)


def normalize(sample: Any) -> Question:
    """torch.nn.functional.normalize, whose eps bounds the norm from below and is far below it here."""
    import torch

    p, axis = sample.kwargs.get("p", 2.0), sample.kwargs.get("dim", 1)
    array = _array(sample.input)

    def ours(dout: Array) -> Results:
        turned = np.moveaxis(array, axis, -1) if array.ndim else array
        out, cache = layers.lpnorm_forward(turned, {"p": p})
        dx = layers.lpnorm_backward(np.moveaxis(dout, axis, -1), cache)
        return np.moveaxis(out, -1, axis), np.moveaxis(dx, -1, axis), None, None

    return _question(
        lambda x: torch.nn.functional.normalize(x, **sample.kwargs), sample.input, None, None, ours,
        lambda dout: extended.lp(array, dout, p, axis),
    )  # fmt: skip


def _question(compute: Any, x: Any, weight: Any, bias: Any, ours: Any, truth: Any) -> Question:
    """One random upstream gradient for all three."""
    array = _array(x)
    dout = np.random.RandomState(0).standard_normal(array.shape).astype(array.dtype)
    return Question(
        array,
        lambda: _theirs(compute, x, weight, bias, dout),
        lambda: ours(dout),
        lambda: truth(dout),
    )


def _theirs(compute: Any, x: Any, weight: Any, bias: Any, dout: Array) -> Results:
    import torch

    wanted = [tensor for tensor in (x, weight, bias) if tensor is not None]
    for tensor in wanted:
        tensor.requires_grad_()
    out = compute(x)
    gradients = iter(torch.autograd.grad(out, wanted, torch.tensor(dout)))
    dx = next(gradients).numpy()
    dgamma, dbeta = (
        None if tensor is None else next(gradients).numpy() for tensor in (weight, bias)
    )
    return out.detach().numpy(), dx, dgamma, dbeta


def _defaults(
    gamma: Array | None, beta: Array | None, shape: tuple[int, ...], dtype: Any
) -> tuple[Array, Array]:
    """gamma and beta, 1 and 0 where PyTorch is given none."""
    return (
        np.ones(shape, dtype) if gamma is None else gamma,
        np.zeros(shape, dtype) if beta is None else beta,
    )  # fmt: skip


def _array(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().numpy()


def _detached(tensor: Any) -> Any:
    return None if tensor is None else tensor.detach().clone()
