"""The data cell of the assignment's notebooks, on the real images."""

import numpy as np
import pytest

from cs682.data_utils import get_CIFAR10_data


def test_the_shapes_that_the_notebook_prints(real_cifar10, monkeypatch):
    if real_cifar10 is None:
        pytest.skip("real CIFAR-10 is neither where NORMLAB_DATA points nor in ../shared/data")
    monkeypatch.setenv("NORMLAB_DATA", str(real_cifar10))
    data = get_CIFAR10_data()
    shapes = {name: array.shape for name, array in data.items()}
    assert shapes == {
        "X_train": (49000, 3, 32, 32),
        "y_train": (49000,),
        "X_val": (1000, 3, 32, 32),
        "y_val": (1000,),
        "X_test": (1000, 3, 32, 32),
        "y_test": (1000,),
    }
    # the mean image is gone: a pixel's mean over 49,000 images is rounding
    assert np.abs(data["X_train"][:, :, :4, :4].mean(axis=0)).max() < 1e-9
    assert set(np.unique(data["y_train"])) == set(range(10))
