"""`RunSpec` in, `History` out: the two values everything else is about.

A spec is a value: it prints, compares, hashes, and survives a round trip through JSON. The hash of its
canonical JSON is the key under which its result is stored, so two specs share a result exactly when they
describe the same run on the same data.

>>> spec = RunSpec(NetSpec((100, 100), normalization="batchnorm"), TrainingSpec(batch_size=50), seed=7)
>>> RunSpec.from_json(spec.to_json()) == spec
True
>>> spec.key == replace(spec, seed=8).key
False
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

from normlab.errors import OptionError, not_one_of, refuse_unknown_keywords
from normlab.layers import norms
from normlab.optim import UPDATE_RULES

NORMALIZATIONS = (None, *norms.BY_NAME)
DTYPES = ("float32", "float64")

__all__ = [
    "DTYPES",
    "DataSpec",
    "History",
    "NetSpec",
    "RunSpec",
    "TrainingSpec",
    "replace",
]


@dataclass(frozen=True)
class NetSpec:
    """A fully-connected net: {affine, [norm], ReLU, [dropout]} for each hidden layer, then affine, softmax.

    `dropout` is the probability of keeping a unit (1 means no dropout). `num_groups` is needed by
    normalization='groupnorm' alone, and divides every hidden dimension. Initial weights are
    `weight_scale` times standard normal draws.
    """

    hidden_dims: tuple[int, ...]
    normalization: str | None = None
    num_groups: int | None = None
    dropout: float = 1.0
    weight_scale: float = 1e-2
    reg: float = 0.0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden_dims", tuple(int(dim) for dim in self.hidden_dims))
        for name in ("dropout", "weight_scale", "reg"):
            object.__setattr__(self, name, float(getattr(self, name)))
        check_net_options(self.hidden_dims, self.normalization, self.num_groups, self.dropout, self.reg)
        if self.dtype not in DTYPES:
            raise not_one_of("dtype", self.dtype, DTYPES)
        if not (math.isfinite(self.weight_scale) and self.weight_scale >= 0):
            raise OptionError(f"weight_scale={self.weight_scale!r} is not a finite number >= 0")


@dataclass(frozen=True)
class TrainingSpec:
    """How a net is trained: the assignment's Solver settings.

    `learning_rate` is multiplied by `lr_decay` after each epoch. An epoch is `num_train // batch_size`
    steps. Accuracy is measured after the first step, at each epoch's end and after the last step.
    """

    batch_size: int = 100
    num_epochs: int = 10
    learning_rate: float = 1e-3
    update_rule: str = "adam"
    lr_decay: float = 1.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "lr_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))
            if not math.isfinite(getattr(self, name)):
                raise OptionError(f"{name}={getattr(self, name)!r} is not a finite number")
        if self.update_rule not in UPDATE_RULES:
            raise not_one_of("update_rule", self.update_rule, tuple(UPDATE_RULES))
        for name in ("batch_size", "num_epochs"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise OptionError(f"{name}={getattr(self, name)!r} is not a whole number >= 1")


@dataclass(frozen=True)
class DataSpec:
    """Which arrays a run sees: the data set's name, its sizes, and the fingerprint of its content.

    The fingerprint is the start of a SHA-256 over every array, so results on a decoded copy, another split
    or a newer edition of a data set are never taken for results on this one.
    """

    name: str = "digits"
    num_train: int = 0
    num_val: int = 0
    input_dim: int = 0
    num_classes: int = 10
    fingerprint: str = ""

    def __post_init__(self) -> None:
        for name in ("num_train", "num_val", "input_dim", "num_classes"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 0):
                raise OptionError(f"{name}={getattr(self, name)!r} is not a whole number >= 0")


@dataclass(frozen=True)
class RunSpec:
    """One training run, completely described. Equal specs give equal histories, on every engine.

    The run is the assignment's own under `np.random.seed(seed)`: build the net, then train it.
    """

    net: NetSpec
    training: TrainingSpec = field(default_factory=TrainingSpec)
    data: DataSpec = field(default_factory=DataSpec)
    seed: int = 0

    def __post_init__(self) -> None:
        if not (isinstance(self.seed, int) and 0 <= self.seed < 2**32):
            raise OptionError(f"seed={self.seed!r} is not a whole number from 0 to 2**32 - 1")

    @cached_property
    def key(self) -> str:
        """Hexadecimal SHA-256 of the canonical JSON: the name of this run's result."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: sorted names, no spaces, every field present."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The spec that `to_json` wrote. Raises OptionError for other text, unknown fields, impossible values."""
        with _only_option_errors(cls):
            values = json.loads(text)
            _refuse_unknown_fields(cls, values)
            return cls(
                net=_from_mapping(NetSpec, values["net"]),
                training=_from_mapping(TrainingSpec, values.get("training", {})),
                data=_from_mapping(DataSpec, values.get("data", {})),
                seed=values.get("seed", 0),
            )


@dataclass(frozen=True)
class History:
    """What a run left behind.

    `loss` has one entry a step (the minibatch's, regularization included), `train_acc` and `val_acc` one
    for the first iteration and one for each epoch's end (and the last iteration, where that is not an
    epoch's end). `diverged` says that a loss was NaN or infinite; such a run is kept, and counted.
    """

    loss: tuple[float, ...]
    train_acc: tuple[float, ...]
    val_acc: tuple[float, ...]
    best_val_acc: float
    diverged: bool
    seconds: float = field(default=0.0, compare=False)
    engine: str = field(default="book", compare=False)

    def __post_init__(self) -> None:
        for name in ("loss", "train_acc", "val_acc"):
            # every NaN becomes the one object math.nan, so that equal histories compare equal
            values = (float(value) for value in getattr(self, name))
            object.__setattr__(self, name, tuple(math.nan if v != v else v for v in values))

    def __reduce__(self) -> tuple[Any, ...]:
        # a copy from another process goes through the constructor too, or its NaNs would equal no others
        return type(self), tuple(getattr(self, item.name) for item in fields(self))

    @property
    def best_train_acc(self) -> float:
        """The highest training accuracy measured."""
        return max(self.train_acc)

    @property
    def final_loss(self) -> float:
        """Mean loss of the last 100 steps: NaN or infinite where one of them is."""
        tail = self.loss[-100:]
        return sum(tail) / len(tail)

    def to_json(self) -> str:
        """Strict JSON, which has no NaN: non-finite losses are the strings "nan", "inf" and "-inf"."""
        return json.dumps({name: _finite_or_text(value) for name, value in asdict(self).items()}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The history that `to_json` wrote. Raises OptionError for any other text."""
        with _only_option_errors(cls):
            values = json.loads(text)
            _refuse_unknown_fields(cls, values)
            return cls(**values)


def check_net_options(
    hidden_dims: Iterable[int], normalization: str | None, num_groups: int | None, dropout: float, reg: float
) -> None:
    """Refuse a net that cannot be built, with what was given, what was expected and what to try."""
    hidden_dims = tuple(hidden_dims)
    if any(dim < 1 for dim in hidden_dims):
        raise OptionError(f"hidden_dims={list(hidden_dims)} has a layer without units; each needs at least 1")
    if normalization is not None and normalization not in norms.BY_NAME:
        raise not_one_of("normalization", normalization, (None, *norms.BY_NAME))
    if not 0 < dropout <= 1:
        raise OptionError(
            f"dropout={dropout!r} is not a probability of keeping a unit, in (0, 1]; dropout=1 means no dropout"
        )
    if not (math.isfinite(reg) and reg >= 0):
        raise OptionError(f"reg={reg!r} is not a finite number >= 0")
    _check_norm_options(hidden_dims, normalization, {"num_groups": num_groups})


def _check_norm_options(
    hidden_dims: tuple[int, ...], normalization: str | None, options: Mapping[str, Any]
) -> None:
    """Refuse an option that is another norm's, and what the norm itself refuses."""
    norm = norms.BY_NAME[normalization] if normalization is not None else None
    for name, value in options.items():
        if value is not None and (norm is None or name not in norm.options):
            takers = [repr(known.name) for known in norms.BY_NAME.values() if name in known.options]
            raise OptionError(
                f"{name}={value!r} goes with normalization={' or '.join(takers)}, not {normalization!r}"
            )
    if norm is not None:
        norm.check(hidden_dims, options)


@contextlib.contextmanager
def _only_option_errors(kind: type) -> Iterator[None]:
    """Whatever is wrong with a text that should be JSON of this kind is an OptionError."""
    try:
        yield
    except OptionError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise OptionError(
            f"this text is not the JSON of a {kind.__name__}, as its to_json writes it: {type(error).__name__}, {error}"
        ) from error


def _finite_or_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite_or_text(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def _from_mapping(cls: type[Any], values: Mapping[str, Any]) -> Any:
    _refuse_unknown_fields(cls, values)
    return cls(**values)


def _refuse_unknown_fields(cls: type[Any], values: Mapping[str, Any]) -> None:
    refuse_unknown_keywords(cls.__name__, values, [f.name for f in fields(cls)])
