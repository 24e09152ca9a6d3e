"""`RunSpec` in, `History` out: the two values everything else is about.

A spec is a value: it prints, compares, hashes, and survives a round trip through JSON. The hash of
its canonical JSON is the key under which its result is stored, so two specs share a result exactly
when they describe the same run on the same data.

A field added after version 1 of the records is declared with `later(default)`, and enters the JSON
only where it differs from that default: the keys of old results stay what they were. So a default
never changes.

>>> net = NetSpec((100, 100), normalization="batchnorm")
>>> spec = RunSpec(net, TrainingSpec(batch_size=50), seed=7)
>>> RunSpec.from_json(spec.to_json()) == spec
True
>>> spec.key == replace(spec, seed=8).key
False
>>> added_settings(replace(spec, net=replace(spec.net, eps=1e-3)))
{'net.eps': 0.001}
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Self

from normlab import inputs, schedules
from normlab.canonical import as_values, from_values, later, only_option_errors
from normlab.errors import OptionError
from normlab.history import History
from normlab.layers.checks import EPS
from normlab.layers.norm_record import MOMENTUM
from normlab.net_options import (
    KINDS,
    NOT_OF_KIND,
    check_images,
    check_net_options,
    image_shape_of,
)
from normlab.optim import UPDATE_RULES
from normlab.validation import choice, finite_number, truth, whole_number, whole_numbers

DTYPES = ("float32", "float64")
NOTEBOOK_SEED = 231
"""The seed of the assignment's notebooks."""

__all__ = [
    "DTYPES",
    "DataSpec",
    "History",
    "NetSpec",
    "RunSpec",
    "TrainingSpec",
    "added_settings",
    "as_values",
    "check_net_options",
    "later",
    "replace",
]


@dataclass(frozen=True)
class NetSpec:
    """A net: {affine, [norm], activation, [dropout]} for each hidden layer, then affine, softmax.

    `dropout` is the probability of keeping a unit (1 means no dropout). `num_groups` is needed by
    normalization='groupnorm' alone, and divides every hidden dimension. Initial weights are
    `weight_scale` times standard normal draws.

    Added later, each by default what the assignment does:

    - `kind`: the kind of net. `activation`: 'relu', 'sigmoid' or 'tanh'.
    - `eps`: what each norm adds under its root. `norm_momentum`: how much of its running
      statistics batch norm keeps at a step. `norm_noise`: standard deviation of Gaussian noise
      added after each norm in training.
    - `start`: 'scale' draws weights of standard deviation `weight_scale`; 'he', 'glorot',
      'fan-in' and 'fixup' choose it from the layer's width.
    - `residual`: None, or blocks with the norm before ('pre-norm') or after ('post-norm') the sum.
    - `ghost_batch`: so many examples have their statistics taken together; None, the whole batch.
    - `statistics`: 'batch', or 'population', which normalizes training batches too by the running
      statistics, as constants of the gradient.
    """

    hidden_dims: tuple[int, ...]
    normalization: str | None = None
    num_groups: int | None = None
    dropout: float = 1.0
    weight_scale: float = 1e-2
    reg: float = 0.0
    dtype: str = "float32"
    kind: str = later("fully connected")
    eps: float = later(EPS)
    activation: str = later("relu")
    start: str = later("scale")
    residual: str | None = later(None)
    ghost_batch: int | None = later(None)
    statistics: str = later("batch")
    norm_noise: float = later(0.0)
    norm_momentum: float = later(MOMENTUM)
    image_shape: tuple[int, ...] = later(())
    filters: tuple[int, ...] = later(())
    filter_size: int = later(3)
    per_pixel: bool = later(False)

    def __post_init__(self) -> None:
        _set(self, "hidden_dims", whole_numbers("hidden_dims", self.hidden_dims, 0))
        for name in ("dropout", "weight_scale", "reg", "eps", "norm_noise", "norm_momentum"):
            _set(self, name, finite_number(name, getattr(self, name), 0))
        for name, least in (("num_groups", 1), ("ghost_batch", 2)):
            if getattr(self, name) is not None:
                _set(self, name, whole_number(name, getattr(self, name), least))
        for name, choices in (("dtype", DTYPES), ("kind", KINDS)):
            choice(name, getattr(self, name), choices)
        self._check_kind()
        check_net_options(
            self.filters or self.hidden_dims, self.normalization, self.num_groups, self.dropout,
            self.reg,
            eps=self.eps, activation=self.activation, start=self.start, residual=self.residual,
            ghost_batch=self.ghost_batch, statistics=self.statistics, norm_noise=self.norm_noise,
            norm_momentum=self.norm_momentum,
        )  # fmt: skip

    def _check_kind(self) -> None:
        """Refuse settings that are another kind of net's."""
        for name, least in (("image_shape", 1), ("filters", 1)):
            _set(self, name, whole_numbers(name, getattr(self, name), least))
        _set(self, "filter_size", whole_number("filter_size", self.filter_size, 1))
        _set(self, "per_pixel", truth("per_pixel", self.per_pixel))
        if self.kind == "convolutional":
            check_images(self.filters, self.image_shape or (1, 1024, 1024), self.filter_size)
            whole_numbers("hidden_dims", self.hidden_dims, 1)
        others = NOT_OF_KIND[self.kind]
        usual = {item.name: item.default for item in fields(self)}
        for name in others:
            if getattr(self, name) != usual[name]:
                raise OptionError(
                    f"{name}={getattr(self, name)!r} does not go with kind={self.kind!r}; leave it "
                    f"at {usual[name]!r}"
                )


@dataclass(frozen=True)
class TrainingSpec:
    """How a net is trained: the assignment's Solver settings.

    `learning_rate` is multiplied by `lr_decay` after each epoch. An epoch is `num_train //
    batch_size` steps. Accuracy is measured after the first step, at each epoch's end and after the
    last step.

    Added later, each by default what the assignment does:

    - `inputs`: 'raw'; 'scaled', divided by the widest range of a feature in the training set
      (255 for pixels); 'standardized', each feature by the training set's mean and spread.
    - `weight_decay`: each step takes learning rate * weight_decay * W off every weight W, beside
      the update rule and not through it (Loshchilov and Hutter, "Decoupled Weight Decay
      Regularization", 2019).
    - `schedule`: 'constant', 'cosine', or 'warm-up cosine', which starts with `warmup_epochs` of
      a rate that grows from step to step.
    - `test`: whether each look also measures test accuracy and the loss on the validation set.
    """

    batch_size: int = 100
    num_epochs: int = 10
    learning_rate: float = 1e-3
    update_rule: str = "adam"
    lr_decay: float = 1.0
    inputs: str = later("raw")
    weight_decay: float = later(0.0)
    schedule: str = later("constant")
    warmup_epochs: int = later(0)
    test: bool = later(False)

    def __post_init__(self) -> None:
        for name in ("learning_rate", "lr_decay", "weight_decay"):
            _set(self, name, finite_number(name, getattr(self, name), 0))
        if self.lr_decay == 0:
            raise OptionError("lr_decay=0 is not above 0; 1.0 keeps the learning rate as it is")
        for name, least in (("batch_size", 1), ("num_epochs", 1), ("warmup_epochs", 0)):
            _set(self, name, whole_number(name, getattr(self, name), least))
        _set(self, "test", truth("test", self.test))
        choice("update_rule", self.update_rule, UPDATE_RULES)
        choice("inputs", self.inputs, inputs.BY_NAME)
        choice("schedule", self.schedule, schedules.BY_NAME)
        schedules.check_warmup(self.schedule, self.warmup_epochs, self.num_epochs)


@dataclass(frozen=True)
class DataSpec:
    """Which arrays a run sees: the data set's name, its sizes, and the fingerprint of its content.

    The fingerprint is the start of a SHA-256 over every array, so results on a decoded copy,
    another split or a newer edition of a data set are never taken for results on this one.

    `split`, a seed added later, draws training and validation examples anew from both together; the
    test examples stay. The notebook's seed, 231, is the data set's own split, and is kept as None.
    """

    name: str = "digits"
    num_train: int = 0
    num_val: int = 0
    input_dim: int = 0
    num_classes: int = 10
    fingerprint: str = ""
    split: int | None = later(None)

    def __post_init__(self) -> None:
        for name in ("name", "fingerprint"):
            if not isinstance(getattr(self, name), str):
                raise OptionError(f"{name}={getattr(self, name)!r} of a DataSpec is no text")
        for name in ("num_train", "num_val", "input_dim", "num_classes"):
            _set(self, name, whole_number(name, getattr(self, name), 0))
        if self.split is not None:
            split = whole_number("split", self.split, 0, 2**32 - 1)
            _set(self, "split", None if split == NOTEBOOK_SEED else split)


_PARTS: dict[str, type[Any]] = {"net": NetSpec, "training": TrainingSpec, "data": DataSpec}


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
        for name, kind in _PARTS.items():
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise OptionError(
                    f"RunSpec was given {_brief(given)} as its {name}; expected "
                    f"RunSpec(NetSpec(...), TrainingSpec(...), DataSpec(...), seed)"
                )
        _set(self, "seed", whole_number("seed", self.seed, 0, 2**32 - 1))
        if self.net.filters and not self.net.image_shape and self.data.input_dim:
            shape = image_shape_of(self.data.input_dim)
            check_images(self.net.filters, shape, self.net.filter_size)
        values = math.prod(self.net.image_shape)
        if self.net.image_shape and self.data.input_dim not in (0, values):
            raise OptionError(
                f"image_shape={self.net.image_shape} has {values} values, and an image of "
                f"{self.data.name!r} has {self.data.input_dim}; give the shape (channels, height, "
                "width) of the data's images"
            )
        ghost, batch = self.net.ghost_batch, self.training.batch_size
        if ghost is not None and batch % ghost:
            raise OptionError(
                f"batch_size={batch} cannot be cut into ghost batches of ghost_batch={ghost}; "
                "expected a multiple of it"
            )

    @cached_property
    def key(self) -> str:
        """Hexadecimal SHA-256 of the canonical JSON: the name of this run's result."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: names sorted, no spaces, no field added later that is at its default."""
        return json.dumps(as_values(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The spec that `to_json` wrote. Raises OptionError for any other text."""
        with only_option_errors(cls):
            values = json.loads(text)
            parts = {
                name: from_values(kind, values[name])
                for name, kind in _PARTS.items()
                if name in values
            }
            found: Self = from_values(cls, values | parts)
            return found


def added_settings(spec: RunSpec) -> dict[str, Any]:
    """What a run sets of the fields added after version 1, by their paths.

    An engine that does not know one of them must refuse the run, never ignore the setting.
    """
    return {
        f"{part}.{item.name}": getattr(values, item.name)
        for part, values in (("net", spec.net), ("training", spec.training), ("data", spec.data))
        for item in fields(values)
        if item.metadata.get("added") and getattr(values, item.name) != item.default
    }


def _set(spec: Any, name: str, value: Any) -> None:
    object.__setattr__(spec, name, value)


def _brief(value: Any) -> str:
    return f"a {type(value).__name__}" if is_dataclass(value) else f"{value!r:.60}"
