"""Many images as one picture."""

import numpy as np
import pytest

from normlab.errors import ShapeError
from normlab.image_grid import visualize_grid


def test_each_image_is_stretched_to_its_place():
    images = np.random.RandomState(0).randn(5, 2, 3, 3)
    grid = visualize_grid(images, ubound=1.0, padding=2)
    assert grid.shape == (3 * 2 + 2 * 2, 3 * 3 + 2 * 2, 3)
    for place, image in enumerate(images):
        top, left = (place // 3) * 4, (place % 3) * 5
        shown = grid[top : top + 2, left : left + 3]
        assert (shown.min(), shown.max()) == (0, 1)
        np.testing.assert_allclose(shown * np.ptp(image) + image.min(), image)
    assert (grid[4:6, 10:] == 0).all()  # no sixth image


def test_an_image_of_one_value_is_black_and_others_are_refused():
    assert (visualize_grid(np.full((1, 2, 2, 3), 7.0)) == 0).all()
    with pytest.raises(ShapeError, match="channels last"):
        visualize_grid(np.zeros((2, 2, 3)))
