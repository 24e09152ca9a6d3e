"""Metamorphic identities of every norm, bit for bit, over shapes, values and layouts that Hypothesis looks for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.layers.norms import NORMS

DTYPES = {np.float32: 2.0**-20, np.float64: 2.0**-40}  # the grid that values lie on


class Input(NamedTuple):
    x: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    dout: np.ndarray
    eps: float
    unit: float = 1.0  # x is whole multiples of it


@st.composite
def inputs(draw, name):
    """Whole multiples of a power of two, up to a thousand: sums and shifts of them round nothing."""
    ndim = len(NORMS[name].shape)
    sides = st.integers(2, 6)
    shape = (draw(sides), 2 * draw(st.integers(1, 3)), *(draw(sides) for _ in range(ndim - 2)))
    dtype = draw(st.sampled_from(list(DTYPES)))
    whole = arrays.arrays(np.int64, shape, elements=st.integers(-1000, 1000))
    unit = draw(st.sampled_from([DTYPES[dtype], 1.0, 2.0**20]))
    x = (draw(whole) * unit).astype(dtype)
    parameters = arrays.arrays(dtype, shape[1], elements=st.floats(-8, 8, width=32))
    dout = draw(arrays.arrays(dtype, shape, elements=st.floats(-100, 100, width=32)))
    return Input(
        x, draw(parameters), draw(parameters), dout, draw(st.sampled_from([0.0, 1e-5, 1.0])), unit
    )


def results(name, given_input):
    """y, dx, dgamma, dbeta."""
    x, gamma, beta, dout, eps, _ = given_input
    with np.errstate(over="ignore", under="ignore"):
        out, cache = NORMS[name].forward(x, gamma, beta, eps)
        return [out, *NORMS[name].backward(dout, cache)]


def same(expected, found):
    for a, b in zip(expected, found, strict=True):
        assert (a is None) == (b is None)
        assert a is None or np.array_equal(a, b)


every_norm = pytest.mark.parametrize("name", NORMS)
quick = settings(max_examples=25, deadline=None)


@every_norm
@quick
@given(st.data())
def test_a_power_of_two_passes_through_without_a_trace(name, data):
    given_input = data.draw(inputs(name))
    factor = given_input.x.dtype.type(2.0 ** data.draw(st.integers(-30, 30)))
    y, dx, *parameters = results(name, given_input)
    scaled = given_input._replace(
        x=given_input.x * factor, eps=given_input.eps * float(factor) ** 2
    )
    scaled_y, scaled_dx, *scaled_parameters = results(name, scaled)
    same([y, *parameters], [scaled_y, *scaled_parameters])
    with np.errstate(under="ignore"):
        divided = dx / factor
    # among subnormal numbers a power of two rounds: to the nearest of them, whether before the
    # division or after it
    limits = np.finfo(dx.dtype)
    subnormal = np.minimum(np.abs(dx), np.abs(divided)) < limits.tiny
    assert np.array_equal(scaled_dx[~subnormal], divided[~subnormal])
    step = float(limits.smallest_subnormal) * max(1.0, 1 / float(factor))
    assert np.all(np.abs(np.float64(scaled_dx[subnormal]) - np.float64(divided[subnormal])) <= step)


@pytest.mark.parametrize("name", [name for name in NORMS if NORMS[name].centred])
@quick
@given(st.data())
def test_a_shift_that_rounds_nothing_changes_nothing(name, data):
    given_input = data.draw(inputs(name))
    by = data.draw(st.integers(-(2**20), 2**20)) * given_input.unit
    shifted = (given_input.x + by).astype(given_input.x.dtype)
    same(results(name, given_input), results(name, given_input._replace(x=shifted)))


@every_norm
@quick
@given(st.data())
def test_every_result_follows_when_rows_features_and_positions_change_places(name, data):
    x, gamma, beta, dout, eps, _ = given_input = data.draw(inputs(name))
    order = [data.draw(st.permutations(range(size))) for size in x.shape]
    if name == "groupnorm":  # its groups are two halves
        half = x.shape[1] // 2
        within = [data.draw(st.permutations(range(half))) for _ in range(2)]
        order[1] = [*within[0], *(half + channel for channel in within[1])]
    index, channels = np.ix_(*order), np.array(order[1])
    y, dx, *parameters = results(name, given_input)
    expected = [y[index], dx[index], *(None if p is None else p[channels] for p in parameters)]
    same(
        expected, results(name, Input(x[index], gamma[channels], beta[channels], dout[index], eps))
    )


@every_norm
@quick
@given(st.data())
def test_strides_do_not_matter(name, data):
    given_input = data.draw(inputs(name))

    def laid_out(array):
        """The same numbers, at other places in memory."""
        axes = data.draw(st.permutations(range(array.ndim)))
        steps = [data.draw(st.sampled_from([-2, -1, 1, 2])) for _ in axes]
        room = np.zeros([array.shape[axis] * 2 for axis in axes], array.dtype).transpose(
            np.argsort(axes)
        )
        slices = {
            1: slice(0, None),
            -1: slice(None, None, -1),
            2: slice(None, None, 2),
            -2: slice(None, None, -2),
        }
        view = room[tuple(slices[step] for step in steps)]
        view = view[tuple(slice(size) for size in array.shape)]
        view[...] = array
        return view

    strange = given_input._replace(x=laid_out(given_input.x), dout=laid_out(given_input.dout))
    same(results(name, given_input), results(name, strange))


@every_norm
@quick
@given(st.data())
def test_a_part_of_the_batch_gets_what_it_gets_within_the_whole(name, data):
    """Examples stand alone in all norms but batch norm, where features do."""
    x, gamma, beta, dout, eps, _ = given_input = data.draw(inputs(name))
    axis = 1 if "batch" in name else 0
    cut = data.draw(st.integers(1, x.shape[axis] - 1))
    first, second = (slice(None, cut), slice(cut, None))
    whole = results(name, given_input)
    parts = []
    for part in (first, second):
        index = (slice(None),) * axis + (part,)
        parameters = [p[part] if axis == 1 else p for p in (gamma, beta)]
        parts.append(results(name, Input(x[index], *parameters, dout[index], eps)))
    same(
        whole[:2],
        [np.concatenate(pair, axis=axis) for pair in zip(parts[0][:2], parts[1][:2], strict=True)],
    )
    if axis == 1:
        same(
            whole[2:],
            [np.concatenate(pair) for pair in zip(parts[0][2:], parts[1][2:], strict=True)],
        )
    else:  # sums over examples: those of the parts, but for roundings
        for all_of_it, one, other in zip(whole[2:], parts[0][2:], parts[1][2:], strict=True):
            if all_of_it is not None:
                size = np.abs(one).max() + np.abs(other).max()
                assert np.abs(all_of_it - (one + other)).max() <= 4 * np.finfo(x.dtype).eps * size
