"""Nets of odd sizes with settings at random: whatever can be said, both engines train alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from normlab import engines
from normlab.engines.compiling import compiles
from normlab.errors import OptionError
from normlab.specs import NetSpec, RunSpec, TrainingSpec, replace

from .conftest import made_up

if engines.COMPILED.why_not() is not None:
    pytest.skip(engines.COMPILED.why_not(), allow_module_level=True)

WIDTHS = st.sampled_from([1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 70])  # around the lanes of a strip


def divisors(number, least):
    return [None, *(k for k in range(least, number + 1) if number % k == 0)]


@st.composite
def nets(draw, batch_size):
    residual = draw(st.sampled_from([None, None, "pre-norm", "post-norm"]))
    depth = draw(st.integers(0, 5))
    dims = [draw(WIDTHS)] * depth if residual else draw(st.lists(WIDTHS, max_size=depth))
    norm = draw(
        st.sampled_from([None, "batchnorm", "layernorm", "rmsnorm", "groupnorm", "dyt", "derf"])
    )
    starts = ["scale", "he", "glorot", "fan-in", *(["fixup"] if residual else [])]
    options = {
        "residual": residual,
        "normalization": norm,
        "activation": draw(st.sampled_from(["relu", "sigmoid", "tanh"])),
        "start": draw(st.sampled_from(starts)),
        "eps": draw(st.sampled_from([1e-5, 1e-2])),
        "dropout": draw(st.sampled_from([1.0, 0.7])),
        "reg": draw(st.sampled_from([0.0, 0.1])),
        "norm_noise": draw(st.sampled_from([0.0, 0.2])) if norm else 0.0,
        "norm_momentum": draw(st.sampled_from([0.9, 0.5])),
        "weight_scale": 0.3,
    }
    if norm == "groupnorm":
        options["num_groups"] = draw(st.sampled_from(divisors(math.gcd(*dims), 1)))
    if norm == "batchnorm":
        options["ghost_batch"] = draw(st.sampled_from(divisors(batch_size, 2)))
        if options["ghost_batch"] is None:
            options["statistics"] = draw(st.sampled_from(["batch", "population"]))
    try:
        return NetSpec(tuple(dims), **options)
    except OptionError:
        assume(False)


@st.composite
def runs(draw):
    batch_size = draw(st.sampled_from([4, 6, 10, 20, 36]))
    training = TrainingSpec(
        batch_size=batch_size,
        num_epochs=1,
        learning_rate=1e-3,
        update_rule=draw(st.sampled_from(["sgd", "sgd_momentum"])),
        weight_decay=draw(st.sampled_from([0.0, 0.3])),
        schedule=draw(st.sampled_from(["constant", "cosine"])),
        inputs=draw(st.sampled_from(["raw", "standardized"])),
        test=draw(st.booleans()),
    )
    features = draw(st.sampled_from([1, 5, 16, 33, 70]))
    data = made_up(num_train=57, features=max(features, 4))
    split = draw(st.sampled_from([None, 5]))
    seed = draw(st.integers(0, 99))
    return RunSpec(draw(nets(batch_size)), training, replace(data.spec, split=split), seed), data


@given(runs())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_engines_begin_with_the_same_loss_and_end_alike(run):
    spec, data = run
    ours, theirs = (engines.train(name, spec, data) for name in ("compiled", "reference"))
    assert compiles(spec)
    # before the first update there are only the roundings of one pass; a norm of one or two units
    # makes signs of its inputs, so that what comes later may be another net's
    assert abs(ours.loss[0] - theirs.loss[0]) <= 2e-6 * max(1, abs(theirs.loss[0]))
    assert np.array_equal(np.isfinite(ours.loss), np.isfinite(theirs.loss))
    for name in ("train_acc", "val_acc", "test_acc", "val_loss"):
        assert len(getattr(ours, name)) == len(getattr(theirs, name))
