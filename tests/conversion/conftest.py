"""Nets of every norm and type, trained a little, and inputs for them."""

from __future__ import annotations

import numpy as np
import pytest

from normlab import randomness
from proof.elsewhere import inputs, trained_nets

NETS = trained_nets()


@pytest.fixture(params=NETS, ids=str)
def net(request):
    return NETS[request.param]


@pytest.fixture
def X():
    return inputs(randomness.generator(7), 50)


@pytest.fixture
def batchnorm_net():
    return NETS["batchnorm, float32"]


@pytest.fixture(autouse=True)
def _the_global_generator_stays_where_it_is():
    """Nobody's draws may depend on a conversion."""
    before = np.random.get_state()[2]
    yield
    assert np.random.get_state()[2] == before
