"""Settings that would be ignored in silence."""

import numpy as np
import pytest

from normlab import layers
from normlab.errors import OptionError


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("epss", "eps"),
        ("epsilon", "eps"),
        ("momentun", "momentum"),
        ("runing_mean", "running_mean"),
    ],
)
def test_a_misspelt_setting_is_named(misspelt, meant):
    x, one = np.eye(3), np.ones(3)
    with pytest.raises(OptionError, match=f"{misspelt!r} is no setting.*mean {meant!r}"):
        layers.batchnorm_forward(x, one, one, {"mode": "train", misspelt: 1e-5})
    if meant == "eps":
        with pytest.raises(OptionError, match=f"did you mean {meant!r}"):
            layers.layernorm_forward(x, one, one, {misspelt: 1e-5})


@pytest.mark.parametrize("own", ["layer", "cache", "index", 7, "running_count"])
def test_a_caller_s_own_keys_are_the_caller_s(own):
    x, one = np.eye(3), np.ones(3)
    plain, _ = layers.batchnorm_forward(x, one, one, {"mode": "train"})
    with_own, _ = layers.batchnorm_forward(x, one, one, {"mode": "train", own: 0})
    np.testing.assert_array_equal(with_own, plain)
