"""Every refusal names the layer that refuses, and what it got."""

import numpy as np
import pytest

from normlab import layers
from normlab.errors import MissingKeyError, OptionError, ShapeError, UserError
from normlab.specs import NetSpec

X = np.arange(12.0).reshape(4, 3)
ONES, ZEROS = np.ones(3), np.zeros(3)
FOUR = np.ones(4)

# name in sentences: forward(x, gamma, beta), backward
PLAIN = {
    "batch norm": (
        lambda x, gamma, beta: layers.batchnorm_forward(x, gamma, beta, {"mode": "train"}),
        layers.batchnorm_backward,
    ),
    "batch norm ": (
        lambda x, gamma, beta: layers.batchnorm_forward(x, gamma, beta, {"mode": "test"}),
        layers.batchnorm_backward_alt,
    ),
    "layer norm": (
        lambda x, gamma, beta: layers.layernorm_forward(x, gamma, beta, {}),
        layers.layernorm_backward,
    ),
    "RMS norm": (
        lambda x, gamma, _beta: layers.rmsnorm_forward(x, gamma, {}),
        layers.rmsnorm_backward,
    ),
    "group norm": (
        lambda x, gamma, beta: layers.groupnorm_forward(x, gamma, beta, 1, {}),
        layers.groupnorm_backward,
    ),
}
LOSSES = {
    "softmax loss": layers.softmax_loss,
    "NLL loss": layers.nll_loss,
    "SVM loss": layers.svm_loss,
}


def says(error, call, *arguments):
    """The sentence with which a call is refused."""
    with pytest.raises(error) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("name", PLAIN)
def test_norms(name):
    forward, backward = PLAIN[name]
    name = name.strip()
    assert says(ShapeError, forward, X[:0], ONES, ZEROS).startswith(
        f"{name} got an empty batch, x of shape (0, 3): "
    )
    assert says(ShapeError, forward, X + 0j, ONES, ZEROS).startswith(
        f"{name} got x of type complex128; "
    )
    wrong = says(ShapeError, forward, X, FOUR, ZEROS)
    assert wrong.startswith(f"{name} got gamma of shape (4,)")
    assert "for x of shape (4, 3)" in wrong
    if name != "RMS norm":
        wrong = says(ShapeError, forward, X, ONES, FOUR)
        assert wrong.startswith(f"{name} got ")
        assert "beta of shape (4,)" in wrong
    if name != "group norm":
        assert says(ShapeError, forward, X[0], ONES, ZEROS).startswith(
            f"{name} got x of shape (3,); expected (N, D)"
        )
    _, cache = forward(X, ONES, ZEROS)
    assert says(ShapeError, backward, FOUR, cache) == (
        f"{name}'s backward pass got dout of shape (4,); expected the output's, (4, 3)"
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss = LOSSES[name]
    assert says(ShapeError, loss, X[:0], np.array([], int)).startswith(f"{name} got an empty batch")
    assert says(ShapeError, loss, X, np.array([0, 1])).startswith(
        f"{name} got scores of shape (4, 3) and labels of"
    )
    assert says(ShapeError, loss, X, np.array([0, 1, 2, 3])) == (
        f"{name} got labels from 0 to 3 for 3 classes; expected 0 to 2"
    )


def test_the_other_layers_backward_passes():
    caches = {
        "affine": (
            layers.affine_backward,
            layers.affine_forward(X, np.ones((3, 2)), np.zeros(2))[1],
            (4, 2),
        ),
        "ReLU": (layers.relu_backward, X, (4, 3)),
        "dropout": (
            layers.dropout_backward,
            layers.dropout_forward(X, {"mode": "train", "p": 0.5})[1],
            (4, 3),
        ),
    }
    for name, (backward, cache, shape) in caches.items():
        assert says(ShapeError, backward, FOUR, cache) == (
            f"{name}'s backward pass got dout of shape (4,); expected the output's, {shape}"
        )


def test_modes():
    assert says(MissingKeyError, layers.batchnorm_forward, X, ONES, ZEROS, {}).startswith(
        "batch norm needs a mode: "
    )
    assert says(OptionError, layers.batchnorm_forward, X, ONES, ZEROS, {"mode": "tset"}) == (
        "mode='tset' is not one of 'train', 'test'; did you mean 'test'?"
    )


def test_types_and_eps_that_cannot_be():
    forward, _ = PLAIN["layer norm"]
    for dtype in (np.complex64, object):  # of 8 bytes, as float64 is
        assert "float16, float32, float64 or whole numbers" in says(
            ShapeError, forward, X.astype(dtype), ONES, ZEROS
        )
    for eps in (-1e-9, np.inf, np.nan):
        refused = says(OptionError, layers.layernorm_forward, X, ONES, ZEROS, {"eps": eps})
        assert refused.startswith(f"eps={eps!r} is not a finite number >= 0")


def test_a_batch_of_one():
    assert says(ShapeError, layers.batchnorm_forward, X[:1], ONES, ZEROS, {"mode": "train"}) == (
        "batch norm got a batch of one example in train mode, whose variance is 0 whatever it "
        "holds; use a batch of at least 2, mode='test', or layer norm"
    )


def test_shapes_of_group_and_instance_norm():
    assert says(ShapeError, layers.groupnorm_forward, X, FOUR, ONES, 1, {}).startswith(
        "group norm got gamma of shape (4,) and beta of shape (3,) for x of shape (4, 3); "
        "expected one value a channel"
    )
    assert says(ShapeError, layers.instancenorm_forward, X, ONES, ZEROS, {}).startswith(
        "instance norm got x of shape (4, 3), (N, C) without spatial axes"
    )


def test_shapes_of_affine():
    assert says(ShapeError, layers.affine_forward, X, np.ones((4, 2)), np.ones(2)).startswith(
        "affine got x of shape (4, 3) and w of shape (4, 2); "
    )
    assert says(ShapeError, layers.affine_forward, X, np.ones((3, 2)), np.ones(5)).startswith(
        "affine got b of shape (5,) for w of shape (3, 2); "
    )
    with pytest.raises(ShapeError, match=r"x of shape \(\)"):
        layers.affine_forward(np.array(3.0), np.ones((1, 2)), np.zeros(2))
    # one batch for three nets would broadcast, and be the same batch for each: refused, not guessed
    with pytest.raises(ShapeError, match=r"x of shape \(1, 4, 3\) and w of shape \(3, 3, 2\)"):
        layers.affine_forward(X[None], np.ones((3, 3, 2)), np.zeros((3, 2)))


# What is no array, and statistics of a single number


@pytest.mark.parametrize("wrong", [None, "x", {}, X.astype(str), object()])
def test_what_is_no_array_of_numbers_is_named(wrong):
    for name in ("affine", "affine_relu"):
        sentence = says(
            UserError, getattr(layers, f"{name}_forward"), wrong, np.ones((3, 2)), np.zeros(2)
        )
        assert sentence.startswith("affine_forward got x ")
        assert "expected an array of numbers" in sentence
    for name in ("batchnorm", "layernorm"):
        says(UserError, getattr(layers, f"{name}_forward"), wrong, ONES, ZEROS, {"mode": "train"})
    says(UserError, layers.relu_forward, wrong)


@pytest.mark.parametrize("wrong", [None, (), 3, "cache", [1]])
@pytest.mark.parametrize("name", [name for name in layers.__all__ if "_backward" in name])
def test_a_cache_that_is_none_is_named(name, wrong):
    said = says(UserError, getattr(layers, name), X, wrong)
    assert "the cache that the forward pass returned" in said or "got dout" in said


def test_a_parameter_dictionary_that_is_none_is_named():
    said = says(UserError, layers.batchnorm_forward, X, ONES, ZEROS, None)
    assert said == "batchnorm_forward got bn_param of type NoneType; expected a dictionary"
    said = says(UserError, layers.layernorm_forward, X, ONES, ZEROS, {"eps": None})
    assert "ln_param = {'eps': None}" in said


@pytest.mark.parametrize("name", [name for name in layers.__all__ if "_forward" in name])
def test_a_masked_array_is_refused(name):
    said = says(
        UserError,
        getattr(layers, name),
        np.ma.masked_array(X, X > 5),
        ONES,
        ZEROS,
        {"mode": "train"},
    )
    assert "got a masked array, whose mask it does not know" in said


@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 3, 1, 1)])
def test_instance_norm_of_one_position_is_refused(shape):
    said = says(ShapeError, layers.instancenorm_forward, np.ones(shape), ONES, ZEROS, {})
    assert "each mean and variance is of a single number" in said


def test_group_norm_of_one_unit_a_group_is_refused():
    assert "single number" in says(ShapeError, layers.groupnorm_forward, X, ONES, ZEROS, 3, {})
    layers.groupnorm_forward(np.ones((2, 3, 2)), ONES, ZEROS, 3, {})  # two positions a channel
    said = says(OptionError, NetSpec, (20, 20), "groupnorm", 20)
    assert "puts a single unit into each group" in said


def test_dropout_of_whole_numbers_keeps_its_scale():
    for p in (0.3, 0.7):
        param = {"mode": "train", "p": p, "seed": 0}
        for x in (np.full(1000, 10), np.full(1000, 10, np.uint8), np.ones(1000, bool)):
            state = np.random.get_state()
            out, _ = layers.dropout_forward(x, param)
            np.random.set_state(state)
            assert out.dtype == np.float64
            assert {*out} == {0.0, float(x[0]) / p} or np.allclose(
                sorted({*out}), [0, float(x[0]) / p]
            )


def test_examples_without_numbers_are_no_empty_batch():
    assert "its examples hold no numbers" in says(
        ShapeError, layers.layernorm_forward, X[:, :0], ONES[:0], ZEROS[:0], {}
    )
    out, _ = layers.affine_forward(np.zeros((0, 3, 2, 2)), np.ones((12, 5)), np.zeros(5))
    assert out.shape == (0, 5)
