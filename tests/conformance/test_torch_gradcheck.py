"""PyTorch's gradcheck and formulas over every layer and layout; and that a wrong backward pass does not pass them."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

from normlab import layers
from proof.conformance import torch_gradients
from proof.conformance.subjects import LAYOUTS, SUBJECTS, Subject, all_subjects


@pytest.mark.parametrize("name", all_subjects())
def test_gradcheck_of_every_layer_and_layout(name):
    told = dict(torch_gradients.gradchecks({name: all_subjects()[name]}))
    assert told == {f"{name}, {layout}": "" for layout in LAYOUTS}


def test_every_layer_beside_pytorch_s_formula_in_every_type_and_layout():
    found = list(torch_gradients.comparisons(all_subjects()))
    assert len(found) == len(all_subjects()) * 3 * len(LAYOUTS)
    assert [(name, error, bound) for name, error, bound in found if not error <= bound] == []


def without_the_mean_s_path(dout, cache):
    """Layer norm's backward pass, the path through the mean forgotten."""
    dx, dgamma, dbeta = layers.layernorm_backward(dout, cache)
    dxhat = np.asarray(dout) * cache.gamma
    return dx + cache.rstd * dxhat.mean(axis=-1, keepdims=True), dgamma, dbeta


def test_a_wrong_backward_pass_is_noticed_by_both():
    right = SUBJECTS["layernorm"]
    planted = {"layernorm": Subject(right.forward, without_the_mean_s_path, right.draw)}
    assert all("mismatch" in told for _, told in torch_gradients.gradchecks(planted))
    assert all(
        error > 1000 * bound
        for name, error, bound in torch_gradients.comparisons(planted)
        if "float64" in name
    )
