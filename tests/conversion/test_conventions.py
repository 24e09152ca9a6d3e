"""The conventions, each against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlab import randomness
from normlab.conversion import biased, complement, export_net, unbiased
from normlab.conversion.bounded import read_safetensors
from normlab.errors import OptionError
from normlab.layers import batchnorm_forward


@given(st.integers(0, 10**6))
def test_complements_are_decimal_and_undo_each_other(millionths):
    share = millionths / 10**6
    assert complement(complement(share)) == share
    assert complement(share) == (10**6 - millionths) / 10**6


def test_unbiased_is_what_pytorch_s_rule_collects_from_the_same_batches():
    """PyTorch: running = (1 - m) * running + m * var with N - 1, m = 1 - momentum; begun at 0 here."""
    rng, bn_param, theirs = randomness.generator(0), {"mode": "train", "momentum": 0.8}, np.zeros(3)
    for _ in range(50):
        x = rng.randn(7, 3) * [1, 10, 0.1] + 5
        batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
        theirs = (1 - complement(0.8)) * theirs + complement(0.8) * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(
        unbiased(bn_param["running_var"], 7), theirs, rtol=1e-13
    )  # rounding of 50 updates
    np.testing.assert_allclose(biased(theirs, 7), bn_param["running_var"], rtol=1e-13)


def test_an_export_keeps_the_number_that_eval_mode_uses_unless_asked(batchnorm_net, tmp_path):
    def running_var(**options):
        export_net(batchnorm_net, tmp_path / "net.safetensors", "torch", **options)
        return read_safetensors((tmp_path / "net.safetensors").read_bytes(), "net")[0][
            "1.running_var"
        ]

    here = batchnorm_net.bn_params[0]["running_var"]
    assert np.array_equal(running_var(), here.astype(np.float32))
    assert np.array_equal(running_var(unbiased_for=20), (here * (20 / 19)).astype(np.float32))


def test_a_variance_of_one_example_is_refused(tmp_path, batchnorm_net):
    with pytest.raises(OptionError, match="batch size 1 is not above 1"):
        export_net(batchnorm_net, tmp_path / "net.safetensors", "torch", unbiased_for=1)
