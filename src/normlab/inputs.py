"""What a net is given of a data set's numbers: as they are, scaled, or standardized.

Each treatment is `x -> (x - shift) / scale`, with shift and scale measured on the training examples
alone and then used for validation and test examples as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from normlab.typing import Array


@dataclass(frozen=True)
class Treatment:
    """A treatment: `measure(X_train)` gives the shift and the scale; None leaves X as it is.

    X_train is (N, D), an example a row.
    """

    name: str
    title: str
    measure: Callable[[Array], tuple[Array | float, Array | float]] | None


def scaled(X: Array) -> tuple[Array | float, Array | float]:
    """Shift 0; scale, the widest range of a feature: 255 for pixels, less a mean or not.

    >>> scaled(np.array([[0.0, 7.0], [4.0, 8.0]]))
    (0.0, 4.0)
    """
    width = float((X.max(axis=0) - X.min(axis=0)).max()) if X.size else 0.0
    return 0.0, width or 1.0


def standardized(X: Array) -> tuple[Array | float, Array | float]:
    """Each feature's mean and standard deviation; one that never varies is shifted to 0.

    >>> standardized(np.array([[1.0, 5.0], [3.0, 5.0]]))
    (array([2., 5.]), array([1., 1.]))
    """
    mean = X.mean(axis=0)
    constant = X.min(axis=0) == X.max(
        axis=0
    )  # a computed std of equal numbers may be above 0 by rounding
    return np.where(constant, X[0], mean), np.where(constant, 1.0, X.std(axis=0))


BY_NAME = {
    treatment.name: treatment
    for treatment in (
        Treatment("raw", "pixels as they are", None),
        Treatment("scaled", "pixels divided by their range", scaled),
        Treatment("standardized", "each pixel standardized", standardized),
    )
}
