"""The layers as the foreign checkers see them: every argument in every layout gives what contiguous ones give."""

import numpy as np
import pytest

from proof.conformance.subjects import LAYOUTS, all_subjects, laid_out


@pytest.mark.parametrize("name", all_subjects())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_of_all_arguments_give_the_same_bits(name, dtype):
    subject, rng = all_subjects()[name], np.random.RandomState(0)
    arguments = [a.astype(dtype) for a in subject.draw(rng)]
    out, cache = subject.forward(*arguments)
    dout = rng.standard_normal(np.shape(out)).astype(dtype)
    expected = [out, *subject.backward(dout, cache)]
    assert len(expected) == 1 + len(arguments)
    for layout in LAYOUTS:
        moved = laid_out(subject, layout)
        ours, cache = moved.forward(*arguments)
        for a, b in zip([ours, *moved.backward(dout, cache)], expected, strict=True):
            # a product of matrices and a plain sum add in the order of memory; norms promise bits
            atol = (
                4 * np.finfo(dtype).eps * np.abs(b).max()
                if name.startswith(("affine", "softmax", "svm", "nll"))
                else 0
            )
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=layout)


def test_the_layouts_are_what_they_say():
    array = np.arange(12.0).reshape(3, 4)
    for name, lay_out in LAYOUTS.items():
        assert (lay_out(array) == array).all()
        assert lay_out(np.array(2.0)).shape == ()
        assert lay_out(array).flags.c_contiguous == (name == "contiguous")
    assert LAYOUTS["reversed"](array).strides == (-32, -8)
    assert LAYOUTS["strided"](array).strides == (128, 16)
    assert LAYOUTS["transposed"](array).flags.f_contiguous
