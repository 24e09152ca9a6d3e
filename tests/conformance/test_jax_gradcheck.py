"""JAX's check_grads over every layer and layout; and that a wrong backward pass does not pass it."""

import pytest

pytest.importorskip("jax", reason="JAX is not installed")

from proof.conformance import jax_gradients
from proof.conformance.subjects import LAYOUTS, SUBJECTS, Subject, all_subjects


@pytest.mark.parametrize("name", all_subjects())
def test_check_grads_of_every_layer_and_layout(name):
    told = dict(jax_gradients.gradchecks({name: all_subjects()[name]}))
    assert told == {f"{name}, {layout}": "" for layout in LAYOUTS}


def test_a_wrong_backward_pass_is_noticed():
    right = SUBJECTS["lpnorm_3"]
    planted = {
        "lpnorm_3": Subject(
            right.forward, lambda dout, cache: (1.01 * right.backward(dout, cache)[0],), right.draw
        )
    }
    assert all("Not equal to tolerance" in told for _, told in jax_gradients.gradchecks(planted))
