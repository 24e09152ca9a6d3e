"""Four preprocessings and two norms, applied to the same real images, and asked the same four questions.

Whose statistics an operation takes shows in what it ignores. So an image is scaled, one of its rows
is scaled, a pattern is added to all images, or the other images are exchanged, and the change of
the output is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from normlab import randomness
from normlab.layers import batchnorm_forward, layernorm_forward
from normlab.studies.measures import Measure
from normlab.studies.probes.record import Probe
from normlab.typing import Array

IMAGES = 100
SHOWN = 6

Operation = Callable[[Array], Array]


def unchanged(X: Array) -> Array:
    """The images as they are, to compare with."""
    return X


def rows_sum_to_one(X: Array) -> Array:
    """Each row of pixels of an image divided by its sum over all its channels; an empty row stays empty."""
    return _divided(X, X.sum(axis=(1, 3), keepdims=True))


def images_sum_to_one(X: Array) -> Array:
    """Each image divided by the sum of all its pixels and channels."""
    return _divided(X, X.sum(axis=(1, 2, 3), keepdims=True))


def mean_image_subtracted(X: Array) -> Array:
    """Each pixel less its mean over the images."""
    centred: Array = X - X.mean(axis=0)
    return centred


def thresholded(X: Array) -> Array:
    """1 where a pixel is above half of the possible 255, otherwise 0."""
    return np.where(X > 127.5, 1.0, 0.0)


def batch_norm(X: Array) -> Array:
    """The reference's batch norm with a pixel as a feature, without scale and shift."""
    rows = X.reshape(len(X), -1)
    out, _ = batchnorm_forward(
        rows, np.ones(rows.shape[1]), np.zeros(rows.shape[1]), {"mode": "train"}
    )
    return out.reshape(X.shape)


def layer_norm(X: Array) -> Array:
    """The reference's layer norm with a pixel as a feature, without scale and shift."""
    rows = X.reshape(len(X), -1)
    out, _ = layernorm_forward(rows, np.ones(rows.shape[1]), np.zeros(rows.shape[1]), {})
    return out.reshape(X.shape)


OPERATIONS: dict[str, Operation] = {
    "unchanged": unchanged,
    "1. each row sums to 1": rows_sum_to_one,
    "2. each image sums to 1": images_sum_to_one,
    "3. mean image subtracted": mean_image_subtracted,
    "4. threshold to 0 or 1": thresholded,
    "batch norm": batch_norm,
    "layer norm": layer_norm,
}
QUESTIONS = ("own scale", "own row", "common offset", "neighbours")


def preprocessing(
    name: str, seed: int, images: Array, with_pictures: bool = False
) -> dict[str, Any]:
    """What the operation of this name does to images drawn with this seed, and how like the two norms it is.

    Arguments: images (N, channels, height, width), pixels from 0 to 255, no mean subtracted.
    Returns the four answers (`responses`), for each norm the agreement of the answers and the
    correlation of the outputs, and, if wanted, small pictures of the first images.
    """
    chosen = randomness.distinct(randomness.generator(seed), len(images), 2 * IMAGES)
    X, others = images[chosen[:IMAGES]], images[chosen[IMAGES:]]
    operation = OPERATIONS[name]
    answers = responses(operation, X, others)
    found: dict[str, Any] = dict(answers)
    for norm_name, norm in (("batch norm", batch_norm), ("layer norm", layer_norm)):
        theirs = responses(norm, X, others)
        found[f"like {norm_name}"] = 1 - float(
            np.mean([abs(answers[q] - theirs[q]) for q in QUESTIONS])
        )
        found[f"correlation with {norm_name}"] = float(
            np.corrcoef(operation(X).ravel(), norm(X).ravel())[0, 1]
        )
    if with_pictures:
        found["pictures"] = pictures(operation, images[:IMAGES])
    return found


def responses(operation: Operation, X: Array, others: Array) -> dict[str, float]:
    """How much the output changes in answer to four changes of the images: 0 nothing, 1 as much as the output itself.

    own scale: the first image is doubled; its own output is compared. own row: the brightest row of
    the first image is doubled; the outputs of its other rows are compared. common offset: one
    pattern, a real image, is added to every image; all outputs are compared. neighbours: all images
    but the first are exchanged for `others`; the output of the first is compared.
    """
    plain = operation(X)
    doubled = X.copy()
    doubled[0] *= 2
    row = int(np.argmax(X[0].sum(axis=(0, 2))))
    one_row = X.copy()
    one_row[0, :, row] *= 2
    elsewhere = np.arange(X.shape[2]) != row
    shifted = X + others[:1]
    exchanged = np.concatenate([X[:1], others[1:]])
    return {
        "own scale": change(plain[0], operation(doubled)[0]),
        "own row": change(plain[0][:, elsewhere], operation(one_row)[0][:, elsewhere]),
        "common offset": change(plain, operation(shifted)),
        "neighbours": change(plain[0], operation(exchanged)[0]),
    }


def change(before: Array, after: Array) -> float:
    """The size of the change over the size of the output, at most 1; 0 for what differs by rounding alone.

    >>> change(np.array([3.0, 4.0]), np.array([3.0, 4.0])), change(np.ones(4), 1.5 * np.ones(4))
    (0.0, 0.5)
    """
    size, moved = float(np.linalg.norm(before)), float(np.linalg.norm(after - before))
    if (
        moved <= 1e-4 * size
    ):  # batch norm's and layer norm's eps leave a trace of the scale that they remove
        return 0.0
    return min(moved / size, 1.0) if size > 0 else 1.0


def pictures(operation: Operation, X: Array) -> list[dict[str, Any]]:
    """The first images after the operation, as grey levels or colours from 0 to 255 over the operation's own range."""
    out = operation(X)[:SHOWN]
    # the brightest and darkest hundredth may saturate: a few extreme pixels would leave all others
    # grey
    low, high = np.percentile(out, [1, 99])
    levels = np.clip(np.round(255 * (out - low) / max(high - low, 1e-12)), 0, 255).astype(int)
    return [
        {"title": f"image {number}", "pixels": _rows_of_pixels(image)}
        for number, image in enumerate(levels, start=1)
    ]


def _rows_of_pixels(image: Array) -> list[Any]:
    """(channels, height, width) as rows of numbers, or of (red, green, blue)."""
    return list((image[0] if len(image) == 1 else image.transpose(1, 2, 0)).tolist())


def _divided(X: Array, sums: Array) -> Array:
    return np.divide(X, sums, out=np.zeros_like(X), where=sums != 0)


PREPROCESSING = Probe(
    "preprocessing",
    "images",
    preprocessing,
    gives=(
        Measure(
            "own scale",
            "Change of an image's output when that image is scaled by 2",
            "share",
            column="its own scale doubled",
        ),
        Measure(
            "own row",
            "Change of the other rows when one row of an image is scaled by 2",
            "share",
            column="one of its rows doubled (seen in the others)",
        ),
        Measure(
            "common offset",
            "Change of the outputs when one pattern is added to every image",
            "share",
            column="one pattern added to every image",
        ),
        Measure(
            "neighbours",
            "Change of an image's output when the other images are replaced",
            "share",
            column="all other images exchanged",
        ),
        Measure(
            "like batch norm",
            "Agreement with batch norm's answers",
            "share",
            column="answers like batch norm's",
        ),
        Measure(
            "like layer norm",
            "Agreement with layer norm's answers",
            "share",
            column="answers like layer norm's",
        ),
        Measure(
            "correlation with batch norm",
            "Correlation with batch norm's output",
            "correlation",
            column="correlation with batch norm's output",
        ),
        Measure(
            "correlation with layer norm",
            "Correlation with layer norm's output",
            "correlation",
            column="correlation with layer norm's output",
        ),
    ),
    edition=2,
)
