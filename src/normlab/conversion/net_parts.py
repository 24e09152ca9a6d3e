"""A net taken apart into layers, and put together again: what every library's file is written from and read into."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from normlab import randomness
from normlab.errors import OptionError, ShapeError, not_one_of, quoted
from normlab.layers.checks import EPS
from normlab.layers.norm_record import MOMENTUM, Norm
from normlab.layers.norms import BY_NAME, RUNNING, title_of
from normlab.nets import FullyConnectedNet
from normlab.nets.settings import settings_of
from normlab.specs import DTYPES, check_net_options
from normlab.typing import Array, Generator


class Affine(NamedTuple):
    """x W + b."""

    W: Array  # (in, out)
    b: Array  # (out,)


class NormLayer(NamedTuple):
    """A normalization layer; `norms.BY_NAME` says what its parameters are called and if it has running statistics."""

    parameters: tuple[Array, ...]  # in the order of the norm's record
    running_mean: Array | None = None  # (D,), float64
    running_var: Array | None = None  # (D,), float64, biased
    eps: float = EPS
    momentum: float = MOMENTUM  # the weight of the old running value
    batches: int = 0  # what PyTorch calls num_batches_tracked


class Relu(NamedTuple):
    """max(0, x)."""


class Dropout(NamedTuple):
    """Inverted dropout."""

    keep: float


Layer: TypeAlias = Affine | NormLayer | Relu | Dropout
Take: TypeAlias = Literal["best", "last"]


@dataclass(frozen=True, eq=False)
class Parts:
    """{affine, [norm], ReLU, [dropout]} for each hidden layer, then affine.

    `norms` is empty where normalization is None, else one a hidden layer. Arrays have one type,
    float32 or float64. Raises ShapeError where the layers do not fit each other, OptionError for
    settings that make no net.
    """

    affines: tuple[Affine, ...]
    norms: tuple[NormLayer, ...] = ()
    normalization: str | None = None
    num_groups: int | None = None
    keep: float = 1.0
    reg: float = 0.0

    def __post_init__(self) -> None:
        check_net_options(
            self.hidden_dims, self.normalization, self.num_groups, self.keep, self.reg
        )
        for norm in self.norms:
            if not (0 <= norm.eps < np.inf and 0 <= norm.momentum <= 1):
                raise OptionError(
                    f"a norm has eps={norm.eps!r} and momentum={norm.momentum!r}; expected a "
                    "finite eps >= 0 and a momentum from 0 to 1"
                )
        for number, (one, after) in enumerate(itertools.pairwise(self.affines), start=1):
            if one.W.shape[1] != after.W.shape[0]:
                raise ShapeError(
                    f"affine layer {number} gives {one.W.shape[1]} values and affine layer "
                    f"{number + 1} takes {after.W.shape[0]}; the layers are not of one net, or not "
                    "in its order"
                )
        if len(self.norms) != (len(self.hidden_dims) if self.normalization else 0):
            raise ShapeError(
                f"{len(self.norms)} norm layers for {len(self.hidden_dims)} hidden layers"
            )

    @property
    def dims(self) -> tuple[int, ...]:
        """The sizes from the input to the scores."""
        return (self.affines[0].W.shape[0], *(affine.W.shape[1] for affine in self.affines))

    @property
    def hidden_dims(self) -> tuple[int, ...]:
        return self.dims[1:-1]

    @property
    def norm(self) -> Norm | None:
        """The record of the net's norm."""
        return None if self.normalization is None else BY_NAME[self.normalization]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.affines[0].W.dtype

    def layers(self) -> Iterator[Layer]:
        """The layers in the order in which they are applied."""
        for number, affine in enumerate(self.affines):
            yield affine
            if number < len(self.hidden_dims):
                if self.norms:
                    yield self.norms[number]
                yield Relu()
                if self.keep != 1:
                    yield Dropout(self.keep)

    def __str__(self) -> str:
        """`64 → 100 → 10, batch norm, float32`."""
        words = [" → ".join(map(str, self.dims)), title_of(self.normalization), str(self.dtype)]
        if self.num_groups is not None:
            words[1] += f" with {self.num_groups} groups"
        if self.keep != 1:
            words.insert(2, f"dropout that keeps {self.keep:g}")
        return ", ".join(words)


def take_apart(model: Any) -> Parts:
    """The parts of a FullyConnectedNet, a TwoLayerNet, or anybody's net with the assignment's `params`.

    Raises ShapeError or OptionError for parameters that are those of another kind of net, naming
    the parameter.
    """
    return parts_of(model.params, getattr(model, "bn_params", []), settings_of(model))


def parts_of(
    params: Mapping[str, Array], running: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> Parts:
    """Parameters by the assignment's names, each hidden layer's running statistics, and `settings_of` the net."""
    count = sum(name[0] == "W" for name in params)
    normalization = settings["normalization"]
    if normalization is not None and normalization not in BY_NAME:
        raise not_one_of("normalization", normalization, (None, *BY_NAME))
    norm = None if normalization is None else BY_NAME[normalization]
    unusual = [
        f"{name}={settings[name]!r}" for name in ("activation", "residual") if name in settings
    ]
    if unusual:
        raise OptionError(
            f"a net with {' and '.join(unusual)} cannot be converted; expected the assignment's "
            "layers one after the other, with ReLU between them"
        )
    affines, norms = [], []
    expected = set()
    for number in range(1, count + 1):
        affines.append(Affine(_array(params, f"W{number}", 2), _array(params, f"b{number}", 1)))
        expected |= {f"W{number}", f"b{number}"}
        width = affines[-1].W.shape[1]
        _check_size(f"b{number}", affines[-1].b, width)
        if norm is not None and number < count:
            own = settings["norms"][number - 1] if number <= len(settings["norms"]) else {}
            statistics = running[number - 1] if number <= len(running) else {}
            values = [_array(params, f"{each.name}{number}", 1) for each in norm.parameters]
            for each, value in zip(norm.parameters, values, strict=True):
                _check_size(f"{each.name}{number}", value, each.size(width))
                expected.add(f"{each.name}{number}")
            norms.append(_norm(norm, tuple(values), width, own, statistics))
    if surplus := sorted(set(params) - expected):
        raise ShapeError(
            f"the net has parameters that no net with normalization={normalization!r} has: "
            f"{quoted(surplus)}; expected {quoted(sorted(expected))}"
        )
    if not affines:
        raise ShapeError(f"the net has no W1; its parameters are {quoted(sorted(params))}")
    types = {str(params[name].dtype) for name in sorted(params)}
    if len(types) > 1 or not types <= {*DTYPES}:
        raise ShapeError(
            f"the net's parameters have type {' and '.join(sorted(types))}; expected float32 or "
            "float64"
        )
    has_groups = norm is not None and "num_groups" in norm.options
    groups = {own.get("num_groups") for own in settings["norms"]} if has_groups else {None}
    if len(groups) > 1:
        raise OptionError(
            f"the net's layers have different num_groups, {quoted(groups)}; expected one number "
            "for all"
        )
    return Parts(
        tuple(affines),
        tuple(norms),
        normalization,
        groups.pop() if groups else None,
        float(settings["dropout"]),
        float(settings["reg"]),
    )


def put_together(parts: Parts, rng: Generator | None = None) -> FullyConnectedNet:
    """The net of these parts, with copies of their arrays.

    `rng` draws dropout's masks when the net is trained, by default NumPy's global generator, which
    stays where it is here.
    """
    net = FullyConnectedNet(
        list(parts.hidden_dims),
        input_dim=parts.dims[0],
        num_classes=parts.dims[-1],
        dropout=parts.keep,
        normalization=parts.normalization,
        reg=parts.reg,
        weight_scale=0,
        dtype=parts.dtype,
        num_groups=parts.num_groups,
        rng=randomness.generator(0),  # what it draws is replaced: nobody's generator moves on
    )
    if net.use_dropout:
        net.dropout_param["rng"] = randomness.checked_generator(rng)
    for number, affine in enumerate(parts.affines, start=1):
        net.params |= {f"W{number}": affine.W.copy(), f"b{number}": affine.b.copy()}
    for number, (norm, param) in enumerate(zip(parts.norms, net.bn_params, strict=True), start=1):
        for each, value in zip(
            parts.norm.parameters if parts.norm else (), norm.parameters, strict=True
        ):
            net.params[f"{each.name}{number}"] = value.copy()
        param |= {"eps": norm.eps}
        if norm.running_mean is not None and norm.running_var is not None:
            param |= {"momentum": norm.momentum, "num_batches_tracked": norm.batches}
            param |= {
                "running_mean": norm.running_mean.copy(),
                "running_var": norm.running_var.copy(),
            }
    return net


def remarks(parts: Parts) -> list[str]:
    """What makes the net useless, in sentences: numbers that are not finite, and negative variances."""
    found = []
    for number, affine in enumerate(parts.affines, start=1):
        for name, values in (("W", affine.W), ("b", affine.b)):
            found.append((f"{name}{number}", ~np.isfinite(values), "not finite"))
    for number, norm in enumerate(parts.norms, start=1):
        arrays = dict(
            zip(parts.norm.parameter_names if parts.norm else (), norm.parameters, strict=True)
        )
        arrays |= {name: getattr(norm, name) for name in RUNNING if getattr(norm, name) is not None}
        for name, values in arrays.items():
            found.append((f"{name}{number}", ~np.isfinite(values), "not finite"))
        if norm.running_var is not None:
            found.append(
                (f"running_var{number}", norm.running_var < 0, "below 0, as no variance is")
            )
    return [
        f"{name} holds {np.count_nonzero(wrong)} numbers that are {what}; the net's scores will be "
        "NaN or wrong"
        for name, wrong, what in found
        if wrong.any()
    ]


def foreign_name(parts: Parts, library: str, title: str) -> str:
    """The norm's name in a library, as its record has it. Raises OptionError where there is none."""
    norm = parts.norm
    if norm is None or library not in norm.foreign:
        known = [each.title for each in BY_NAME.values() if library in each.foreign]
        raise OptionError(
            f"normlab knows no layer of {title} that is {title_of(parts.normalization)}; it "
            f"exports nets with {', '.join(known)}, or without a norm"
        )
    return norm.foreign[library]


def _norm(
    norm: Norm,
    values: tuple[Array, ...],
    width: int,
    own: Mapping[str, Any],
    statistics: Mapping[str, Any],
) -> NormLayer:
    layer = NormLayer(values, eps=float(own.get("eps", EPS)))
    if not norm.running:
        return layer
    # before the first step in train mode there are none, and test mode takes zeros
    mean, var = (np.array(statistics.get(name, np.zeros(width)), np.float64) for name in RUNNING)
    _check_size("running_mean", mean, width)
    _check_size("running_var", var, width)
    return layer._replace(
        running_mean=mean,
        running_var=var,
        momentum=float(own.get("momentum", MOMENTUM)),
        batches=int(own.get("num_batches_tracked", 0)),
    )


def _array(params: Mapping[str, Array], name: str, ndim: int) -> Array:
    if name not in params:
        raise ShapeError(f"the net has no {name}; its parameters are {quoted(sorted(params))}")
    value = np.asarray(params[name])
    if value.ndim != ndim:
        raise ShapeError(
            f"{name} has shape {value.shape}; expected "
            f"{'(in, out)' if ndim == 2 else 'one value a unit'}. Of a stack of nets, convert one "
            "at a time"
        )
    return value


def _check_size(name: str, value: Array, size: int) -> None:
    if value.shape != (size,):
        expected = "one value a unit" if size > 1 else "one value"
        raise ShapeError(f"{name} has shape {value.shape}; expected ({size},): {expected}")
