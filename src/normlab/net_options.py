"""Which nets there are: what their options may be, and which of them go together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from normlab import starts
from normlab.errors import OptionError, not_one_of
from normlab.layers import activations, norms
from normlab.layers.checks import EPS
from normlab.layers.norm_record import MOMENTUM
from normlab.validation import choice, finite_number, whole_number, whole_numbers

_OF_IMAGES = ("image_shape", "filters", "filter_size", "per_pixel")
NOT_OF_KIND = {
    "fully connected": _OF_IMAGES,
    "convolutional": (
        "dropout", "activation", "residual", "ghost_batch", "statistics", "norm_noise",
    ),
}  # fmt: skip
KINDS = tuple(NOT_OF_KIND)
RESIDUALS = (None, "pre-norm", "post-norm")
STATISTICS = ("batch", "population")


def image_shape_of(input_dim: int) -> tuple[int, int, int]:
    """The shape (C, H, W) of square images of so many values: one channel if that is a square, else three.

    >>> image_shape_of(64), image_shape_of(3072)
    ((1, 8, 8), (3, 32, 32))
    """
    for channels in (1, 3):
        side = math.isqrt(input_dim // channels)
        if channels * side * side == input_dim and side:
            return channels, side, side
    raise OptionError(
        f"images of {input_dim} values are not square in one channel or three; say "
        f"image_shape=(channels, height, width)"
    )


def check_images(filters: Iterable[int], image_shape: Iterable[int], filter_size: int) -> None:
    """Refuse a convolutional net that cannot be built."""
    filters = whole_numbers("filters", filters, 1)
    image_shape = whole_numbers("image_shape", image_shape, 1)
    if not filters or len(image_shape) != 3:
        raise OptionError(
            "a convolutional net needs filters and image_shape, such as filters=(16, 32), "
            f"image_shape=(3, 32, 32); got filters={filters}, image_shape={image_shape}"
        )
    halvings = 2 ** len(filters)
    if (
        image_shape[1] % halvings
        or image_shape[2] % halvings
        or whole_number("filter_size", filter_size, 1) % 2 == 0
    ):
        raise OptionError(
            f"image_shape={image_shape} with {len(filters)} blocks and filter_size={filter_size}: "
            f"each block halves height and width, which {halvings} must divide, and filters have "
            "an odd size"
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
        raise OptionError(
            f"hidden_dims={list(hidden_dims)} has a layer without units; each needs at least 1"
        )
    if normalization is not None and not (
        isinstance(normalization, str) and normalization in norms.BY_NAME
    ):
        raise not_one_of("normalization", normalization, (None, *norms.BY_NAME))
    if not 0 < finite_number("dropout", dropout) <= 1:
        raise OptionError(
            f"dropout={dropout!r} is not a probability of keeping a unit, in (0, 1]; dropout=1 "
            "means no dropout"
        )
    for name, value in (("reg", reg), ("eps", eps), ("norm_noise", norm_noise)):
        finite_number(name, value, 0)
    if finite_number("norm_momentum", norm_momentum, 0) > 1:
        raise OptionError(f"norm_momentum={norm_momentum!r} is not from 0 to 1")
    choice("activation", activation, activations.BY_NAME)
    choice("start", start, starts.BY_NAME)
    choice("residual", residual, RESIDUALS)
    choice("statistics", statistics, STATISTICS)
    if ghost_batch is not None:
        whole_number("ghost_batch", ghost_batch, 2)
    if norm_noise and normalization is None:
        raise OptionError(
            f"norm_noise={norm_noise!r} comes after a norm, and normalization is None"
        )
    if residual is not None and len({*hidden_dims}) > 1:
        raise OptionError(
            f"residual={residual!r} adds each hidden layer to the next, which must be as wide: "
            f"hidden_dims={list(hidden_dims)} differ"
        )
    if residual is None and starts.BY_NAME[start].of_residual_nets:
        raise OptionError(
            f"start={start!r} is for residual nets; say residual='pre-norm' or 'post-norm', or "
            "take another start"
        )
    options: dict[str, Any] = {"num_groups": num_groups, "ghost_batch": ghost_batch}
    options["statistics"] = None if statistics == "batch" else statistics
    _check_norm_options(hidden_dims, normalization, options)


def _check_norm_options(
    hidden_dims: tuple[int, ...], normalization: str | None, options: Mapping[str, Any]
) -> None:
    """Refuse an option that is another norm's, and what the norm itself refuses."""
    norm = norms.BY_NAME[normalization] if normalization is not None else None
    for name, value in options.items():
        if value is not None and (norm is None or name not in norm.options):
            takers = [repr(known.name) for known in norms.BY_NAME.values() if name in known.options]
            raise OptionError(
                f"{name}={value!r} goes with normalization={' or '.join(takers)}, not "
                f"{normalization!r}"
            )
    if norm is not None:
        norm.check(hidden_dims, options)
