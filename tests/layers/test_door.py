"""What the layers refuse, and the sentence they say."""

import numpy as np
import pytest

from normlab import layers
from normlab.errors import MissingKeyError, OptionError, ShapeError, UserError

ONES, ZEROS = np.ones(3), np.zeros(3)
X = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: layers.batchnorm_forward(X, ONES, ZEROS, {}),
            MissingKeyError,
            "put mode='train' or mode='test'",
        ),
        (
            lambda: layers.batchnorm_forward(X, ONES, ZEROS, {"mode": "training"}),
            OptionError,
            "did you mean 'train'",
        ),
        (
            lambda: layers.batchnorm_forward(X, ONES, ZEROS, {"mode": "train", "eps": -1}),
            OptionError,
            "1e-5",
        ),
        (
            lambda: layers.batchnorm_forward(X, ONES, ZEROS, {"mode": "train", "momentum": 9}),
            OptionError,
            "0.9",
        ),
        (
            lambda: layers.batchnorm_forward(X[:1], ONES, ZEROS, {"mode": "train"}),
            ShapeError,
            "at least 2",
        ),
        (
            lambda: layers.batchnorm_forward(X[:0], ONES, ZEROS, {"mode": "train"}),
            ShapeError,
            "empty batch",
        ),
        (
            lambda: layers.batchnorm_forward(X, np.ones((1, 3)), ZEROS, {"mode": "train"}),
            ShapeError,
            "a feature",
        ),
        (
            lambda: layers.batchnorm_forward(X[0], ONES, ZEROS, {"mode": "train"}),
            ShapeError,
            "one row an example",
        ),
        (
            lambda: layers.batchnorm_forward(
                X, ONES, ZEROS, {"mode": "test", "running_mean": np.ones(2)}
            ),
            ShapeError,
            "running_mean",
        ),
        (lambda: layers.layernorm_forward(X[:0], ONES, ZEROS, {}), ShapeError, "empty batch"),
        (lambda: layers.layernorm_forward(X, np.ones(4), ZEROS, {}), ShapeError, "gamma of shape"),
        (lambda: layers.rmsnorm_forward(X[:0], ONES, {}), ShapeError, "empty batch"),
        (
            lambda: layers.groupnorm_forward(X, ONES, ZEROS, 2, {}),
            OptionError,
            r"possible are \[1, 3\]",
        ),
        (lambda: layers.groupnorm_forward(X, np.ones(4), ZEROS, 1, {}), ShapeError, "a channel"),
        (lambda: layers.groupnorm_forward(X[:0], ONES, ZEROS, 1, {}), ShapeError, "empty batch"),
        (lambda: layers.instancenorm_forward(X, ONES, ZEROS, {}), ShapeError, "its own mean"),
        (
            lambda: layers.layernorm_forward(X.astype(complex), ONES, ZEROS, {}),
            UserError,
            "float64 or whole",
        ),
        (
            lambda: layers.affine_forward(X, np.ones((4, 2)), np.ones(2)),
            ShapeError,
            "as w has rows",
        ),
        (
            lambda: layers.affine_forward(X, np.ones((3, 2)), np.ones(3)),
            ShapeError,
            "one value an output",
        ),
        (
            lambda: layers.softmax_loss(X, np.array([0, 1, 2, 3])),
            ShapeError,
            "from 0 to 3 for 3 classes",
        ),
        (lambda: layers.softmax_loss(X, np.array([0, 1, 2, -1])), ShapeError, "from -1"),
        (lambda: layers.softmax_loss(X, np.array([0.0, 1, 2, 2])), ShapeError, "whole numbers"),
        (lambda: layers.svm_loss(X, np.array([0, 1])), ShapeError, r"expected \(N, C\) and \(N,\)"),
        (lambda: layers.softmax_loss(X[:0], np.array([], int)), ShapeError, "empty"),
        (
            lambda: layers.dropout_forward(X, {"mode": "train", "p": 0}),
            OptionError,
            "p=1 means no dropout",
        ),
        (lambda: layers.dropout_forward(X, {"p": 0.5}), MissingKeyError, "dropout needs a mode"),
        (lambda: layers.relu_backward(X, X[:2]), ShapeError, "dout of shape"),
    ],
)
def test_refusals(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


@pytest.mark.parametrize("backward", [layers.batchnorm_backward, layers.batchnorm_backward_alt])
def test_a_backward_pass_refuses_an_upstream_gradient_of_another_shape(backward):
    _, cache = layers.batchnorm_forward(X, ONES, ZEROS, {"mode": "train"})
    with pytest.raises(ShapeError, match=r"dout of shape \(3,\); expected the output's, \(4, 3\)"):
        backward(np.ones(3), cache)


def test_caches_unpack_like_tuples():
    _, cache = layers.affine_forward(X, np.ones((3, 2)), np.zeros(2))
    x, w, b = cache
    assert x is X
    assert (w.shape, b.shape) == ((3, 2), (2,))


def test_whole_numbers_are_normalized_in_float64():
    out, _ = layers.layernorm_forward(
        np.array([[1, 3], [10, 30]]), np.ones(2), np.zeros(2), {"eps": 0}
    )
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, [[-1, 1], [-1, 1]])
    assert (
        layers.rmsnorm_forward(np.array([[-128]], np.int8), np.ones(1), {"eps": 0})[0][0, 0] == -1
    )
