"""`RunSpec` in, `History` out: the two values everything else is about.

A spec is a value: it prints, compares, hashes, and survives a round trip through JSON. The hash of its
canonical JSON is the key under which its result is stored, so two specs share a result exactly when they
describe the same run on the same data.

A field added after version 1 of the records is declared with `later(default)`, and enters the JSON only
where it differs from that default: the keys of old results stay what they were. So a default never changes.

>>> spec = RunSpec(NetSpec((100, 100), normalization="batchnorm"), TrainingSpec(batch_size=50), seed=7)
>>> RunSpec.from_json(spec.to_json()) == spec
True
>>> spec.key == replace(spec, seed=8).key
False
>>> added_settings(replace(spec, net=replace(spec.net, eps=1e-3)))
{'net.eps': 0.001}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from normlab import inputs, schedules, starts
from normlab.errors import OptionError, not_one_of, refuse_unknown_keywords
from normlab.layers import activations, norms
from normlab.layers.checks import EPS
from normlab.layers.norm_record import MOMENTUM
from normlab.optim import UPDATE_RULES
from normlab.validation import finite_number, truth, whole_number, whole_numbers

if TYPE_CHECKING:
    from normlab.machine import Provenance

DTYPES = ("float32", "float64")
_OF_IMAGES = ("image_shape", "filters", "filter_size", "per_pixel")
_NOT_OF_KIND = {
    "fully connected": _OF_IMAGES,
    "convolutional": (
        "dropout", "activation", "residual", "ghost_batch", "statistics", "norm_noise",
    ),
}  # fmt: skip
KINDS = tuple(_NOT_OF_KIND)
RESIDUALS = (None, "pre-norm", "post-norm")
STATISTICS = ("batch", "population")
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


def later(default: Any) -> Any:
    """A field that version 1 of the records did not have: in the JSON only where it is not its default."""
    return field(default=default, metadata={"added": True})


@dataclass(frozen=True)
class NetSpec:
    """A net: {affine, [norm], activation, [dropout]} for each hidden layer, then affine, softmax.

    `dropout` is the probability of keeping a unit (1 means no dropout). `num_groups` is needed by
    normalization='groupnorm' alone, and divides every hidden dimension. Initial weights are
    `weight_scale` times standard normal draws.

    Added later, each by default what the assignment does:

    - `kind`: the kind of net. `activation`: 'relu', 'sigmoid' or 'tanh'.
    - `eps`: what each norm adds under its root. `norm_momentum`: how much of its running statistics batch
      norm keeps at a step. `norm_noise`: standard deviation of Gaussian noise added after each norm in
      training.
    - `start`: 'scale' draws weights of standard deviation `weight_scale`; 'he', 'glorot', 'fan-in' and
      'fixup' choose it from the layer's width.
    - `residual`: None, or blocks with the norm before ('pre-norm') or after ('post-norm') the sum.
    - `ghost_batch`: so many examples have their statistics taken together, where not the whole batch.
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
            _check_choice(name, getattr(self, name), choices)
        self._check_kind()
        check_net_options(
            self.filters or self.hidden_dims, self.normalization, self.num_groups, self.dropout, self.reg,
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
            check_images(self.filters, self.image_shape, self.filter_size)
            whole_numbers("hidden_dims", self.hidden_dims, 1)
        others = _NOT_OF_KIND[self.kind]
        usual = {item.name: item.default for item in fields(self)}
        for name in others:
            if getattr(self, name) != usual[name]:
                raise OptionError(
                    f"{name}={getattr(self, name)!r} does not go with kind={self.kind!r}; leave it at {usual[name]!r}"
                )


@dataclass(frozen=True)
class TrainingSpec:
    """How a net is trained: the assignment's Solver settings.

    `learning_rate` is multiplied by `lr_decay` after each epoch. An epoch is `num_train // batch_size`
    steps. Accuracy is measured after the first step, at each epoch's end and after the last step.

    Added later, each by default what the assignment does:

    - `inputs`: 'raw'; 'scaled', divided by the widest range of a feature in the training set (255 for
      pixels); 'standardized', each feature by the training set's mean and standard deviation.
    - `weight_decay`: each step takes learning rate * weight_decay * W off every weight W, beside the
      update rule and not through it (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019).
    - `schedule`: 'constant', 'cosine', or 'warm-up cosine', which starts with `warmup_epochs` of a rate
      that grows from step to step.
    - `test`: whether each look measures accuracy on the test set and the loss on the validation set too.
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
        _check_choice("update_rule", self.update_rule, UPDATE_RULES)
        _check_choice("inputs", self.inputs, inputs.BY_NAME)
        _check_choice("schedule", self.schedule, schedules.BY_NAME)
        schedules.check_warmup(self.schedule, self.warmup_epochs, self.num_epochs)


@dataclass(frozen=True)
class DataSpec:
    """Which arrays a run sees: the data set's name, its sizes, and the fingerprint of its content.

    The fingerprint is the start of a SHA-256 over every array, so results on a decoded copy, another split
    or a newer edition of a data set are never taken for results on this one.

    `split`, a seed added later, draws training and validation examples anew from both together; the test
    examples stay. The notebook's seed, 231, is the data set's own split, and is kept as None.
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
        for name, kind in (("net", NetSpec), ("training", TrainingSpec), ("data", DataSpec)):
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise OptionError(
                    f"RunSpec was given {_brief(given)} as its {name}; expected "
                    f"RunSpec(NetSpec(...), TrainingSpec(...), DataSpec(...), seed)"
                )
        _set(self, "seed", whole_number("seed", self.seed, 0, 2**32 - 1))
        values = math.prod(self.net.image_shape)
        if self.net.image_shape and self.data.input_dim not in (0, values):
            raise OptionError(
                f"image_shape={self.net.image_shape} has {values} values, and an image of {self.data.name!r} has "
                f"{self.data.input_dim}; give the shape (channels, height, width) of the data's images"
            )
        ghost, batch = self.net.ghost_batch, self.training.batch_size
        if ghost is not None and batch % ghost:
            raise OptionError(
                f"batch_size={batch} cannot be cut into ghost batches of ghost_batch={ghost}; expected a "
                f"multiple of it"
            )

    @cached_property
    def key(self) -> str:
        """Hexadecimal SHA-256 of the canonical JSON: the name of this run's result."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: sorted names, no spaces, every field but those added later at their default."""
        return json.dumps(as_values(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

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
    `test_acc` and `val_loss` stand beside `val_acc` where TrainingSpec.test asked for them: accuracy on the
    test set, and the mean loss on the validation set, without regularization. `provenance` says which
    versions and machine trained it, whoever records it; the records keep it in columns of their own.
    """

    loss: tuple[float, ...]
    train_acc: tuple[float, ...]
    val_acc: tuple[float, ...]
    best_val_acc: float
    diverged: bool
    seconds: float = field(default=0.0, compare=False)
    engine: str = field(default="reference", compare=False)
    test_acc: tuple[float, ...] = later(())
    val_loss: tuple[float, ...] = later(())
    provenance: Provenance | None = field(default=None, compare=False, repr=False, metadata={"kept apart": True})

    def __post_init__(self) -> None:
        for name in ("loss", "train_acc", "val_acc", "test_acc", "val_loss"):
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
        return json.dumps({name: _finite_or_text(value) for name, value in as_values(self).items()}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, provenance: Provenance | None = None) -> Self:
        """The history that `to_json` wrote. Raises OptionError for any other text."""
        with _only_option_errors(cls):
            values = json.loads(text)
            _refuse_unknown_fields(cls, values)
            return cls(**values, provenance=provenance)


def check_images(filters: Iterable[int], image_shape: Iterable[int], filter_size: int) -> None:
    """Refuse a convolutional net that cannot be built."""
    filters = whole_numbers("filters", filters, 1)
    image_shape = whole_numbers("image_shape", image_shape, 1)
    if not filters or len(image_shape) != 3:
        raise OptionError(
            f"a convolutional net needs filters and image_shape, such as filters=(16, 32), image_shape=(3, 32, 32); "
            f"got filters={filters}, image_shape={image_shape}"
        )
    halvings = 2 ** len(filters)
    if image_shape[1] % halvings or image_shape[2] % halvings or whole_number("filter_size", filter_size, 1) % 2 == 0:
        raise OptionError(
            f"image_shape={image_shape} with {len(filters)} blocks and filter_size={filter_size}: each block halves "
            f"height and width, which {halvings} must divide, and filters have an odd size"
        )


def check_net_options(
    hidden_dims: Iterable[int],
    normalization: str | None,
    num_groups: int | None,
    dropout: float,
    reg: float,
    *,
    eps: float = EPS,
    activation: str = "relu",
    start: str = "scale",
    residual: str | None = None,
    ghost_batch: int | None = None,
    statistics: str = "batch",
    norm_noise: float = 0.0,
    norm_momentum: float = MOMENTUM,
) -> None:
    """Refuse a net that cannot be built, with what was given, what was expected and what to try."""
    hidden_dims = whole_numbers("hidden_dims", hidden_dims, 0)
    if any(dim < 1 for dim in hidden_dims):
        raise OptionError(f"hidden_dims={list(hidden_dims)} has a layer without units; each needs at least 1")
    if normalization is not None and normalization not in norms.BY_NAME:
        raise not_one_of("normalization", normalization, (None, *norms.BY_NAME))
    if not 0 < finite_number("dropout", dropout) <= 1:
        raise OptionError(
            f"dropout={dropout!r} is not a probability of keeping a unit, in (0, 1]; dropout=1 means no dropout"
        )
    for name, value in (("reg", reg), ("eps", eps), ("norm_noise", norm_noise)):
        finite_number(name, value, 0)
    if finite_number("norm_momentum", norm_momentum, 0) > 1:
        raise OptionError(f"norm_momentum={norm_momentum!r} is not from 0 to 1")
    _check_choice("activation", activation, activations.BY_NAME)
    _check_choice("start", start, starts.BY_NAME)
    _check_choice("residual", residual, RESIDUALS)
    _check_choice("statistics", statistics, STATISTICS)
    if ghost_batch is not None:
        whole_number("ghost_batch", ghost_batch, 2)
    if norm_noise and normalization is None:
        raise OptionError(f"norm_noise={norm_noise!r} comes after a norm, and normalization is None")
    if residual is not None and len({*hidden_dims}) > 1:
        raise OptionError(
            f"residual={residual!r} adds each hidden layer to the next, which must be as wide: "
            f"hidden_dims={list(hidden_dims)} differ"
        )
    if residual is None and starts.BY_NAME[start].of_residual_nets:
        raise OptionError(
            f"start={start!r} is for residual nets; say residual='pre-norm' or 'post-norm', or take "
            f"another start"
        )
    options: dict[str, Any] = {"num_groups": num_groups, "ghost_batch": ghost_batch}
    options["statistics"] = None if statistics == "batch" else statistics
    _check_norm_options(hidden_dims, normalization, options)


def _check_norm_options(hidden_dims: tuple[int, ...], normalization: str | None, options: Mapping[str, Any]) -> None:
    """Refuse an option that is another norm's, and what the norm itself refuses."""
    norm = norms.BY_NAME[normalization] if normalization is not None else None
    for name, value in options.items():
        if value is not None and (norm is None or name not in norm.options):
            takers = [repr(known.name) for known in norms.BY_NAME.values() if name in known.options]
            raise OptionError(f"{name}={value!r} goes with normalization={' or '.join(takers)}, not {normalization!r}")
    if norm is not None:
        norm.check(hidden_dims, options)


def added_settings(spec: RunSpec) -> dict[str, Any]:
    """What a run sets of the fields added after version 1, by their paths; those at their default left out.

    An engine that does not know one of them must refuse the run, never ignore the setting.
    """
    return {
        f"{part}.{item.name}": getattr(values, item.name)
        for part, values in (("net", spec.net), ("training", spec.training), ("data", spec.data))
        for item in fields(values)
        if item.metadata.get("added") and getattr(values, item.name) != item.default
    }


def as_values(spec: Any) -> dict[str, Any]:
    """A spec or history as JSON's values: every field but those added later at their default."""
    return {
        item.name: as_values(value) if is_dataclass(value) else value
        for item in fields(spec)
        if not item.metadata.get("kept apart")
        and ((value := getattr(spec, item.name)) != item.default or not item.metadata.get("added"))
    }


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


def _set(spec: Any, name: str, value: Any) -> None:
    object.__setattr__(spec, name, value)


def _check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    if not isinstance(value, str | None) or value not in choices:
        raise not_one_of(name, value, choices)


def _brief(value: Any) -> str:
    return f"a {type(value).__name__}" if is_dataclass(value) else f"{value!r:.60}"


def _from_mapping(cls: type[Any], values: Mapping[str, Any]) -> Any:
    _refuse_unknown_fields(cls, values)
    return cls(**values)


def _refuse_unknown_fields(cls: type[Any], values: Mapping[str, Any]) -> None:
    refuse_unknown_keywords(cls.__name__, values, [f.name for f in fields(cls)])
