"""What a checkpoint tells of a net beside its arrays, for this house's nets and for anybody's."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from normlab.nets import FullyConnectedNet, TwoLayerNet
from normlab.nets.settings import settings_of

NOTHING = {"normalization": None, "dropout": 1.0, "reg": 0.0, "norms": []}


def test_of_the_house_s_own_nets():
    assert settings_of(TwoLayerNet(4, 3, 2, reg=0.5)) == NOTHING | {"reg": 0.5}
    net = FullyConnectedNet(
        [4, 4], 3, normalization="groupnorm", num_groups=2, dropout=0.5, reg=0.25
    )
    assert settings_of(net) == {
        "normalization": "groupnorm",
        "dropout": 0.5,
        "reg": 0.25,
        "norms": [{"num_groups": 2}, {"num_groups": 2}],
    }


def test_of_a_net_that_has_none_of_them():
    assert settings_of(object()) == NOTHING
    assert (
        settings_of(SimpleNamespace(normalization=1, dropout_param=3, reg="much", bn_params=7))
        == NOTHING
    )


def test_what_is_no_number_is_left_out_and_numpy_s_numbers_become_json_s():
    param = {
        "eps": np.float64(1e-3),
        "momentum": 0.5,
        "num_groups": True,
        "running_mean": np.zeros(3),
        "mode": "train",
    }
    net = SimpleNamespace(
        bn_params=({"num_batches_tracked": np.int64(7), "eps": None}, param, None),
        reg=np.float32(0.5),
    )
    settings = settings_of(net)
    assert settings == NOTHING | {
        "reg": 0.5,
        "norms": [{"num_batches_tracked": 7}, {"eps": 1e-3, "momentum": 0.5}],
    }
    assert json.loads(json.dumps(settings)) == settings


@pytest.mark.parametrize("keep", [0, 0.5, 1])
def test_a_probability_of_zero_is_a_number_too(keep):
    assert settings_of(SimpleNamespace(dropout_param={"p": keep}))["dropout"] == keep
