"""Update rules against their own recurrences, unrolled by hand, and one contract over all of them."""

import numpy as np
import pytest

from normlab import optim
from normlab.errors import ShapeError, UserError
from normlab.optim import UPDATE_RULES

RULES = [rule.step for rule in optim.UPDATE_RULES.values()]


@pytest.mark.parametrize("rule", RULES)
def test_one_contract_for_all(rule):
    rng = np.random.RandomState(0)
    w, dw = rng.randn(3, 4).astype(np.float32), rng.randn(3, 4).astype(np.float32)
    before = w.copy(), dw.copy()
    next_w, _ = rule(w, dw)
    assert (next_w.shape, next_w.dtype) == (w.shape, w.dtype)
    assert (w == before[0]).all()
    assert (dw == before[1]).all()
    assert (
        np.sign(w - next_w) == np.sign(dw)
    ).all()  # the first step goes downhill in every coordinate
    mine = {"learning_rate": 0.5}
    assert rule(w, dw, mine)[1] is mine  # kept where the caller can see it


@pytest.mark.parametrize("rule", RULES)
def test_a_stack_is_updated_as_its_nets_are_alone(rule):
    rng = np.random.RandomState(1)
    w = rng.randn(3, 4, 5)
    stacked, config = w, None
    solo, configs = list(w), [None] * 3
    for _ in range(5):
        dw = rng.randn(3, 4, 5)
        stacked, config = rule(stacked, dw, config)
        for m in range(3):
            solo[m], configs[m] = rule(solo[m], dw[m], configs[m])
    assert (stacked == np.stack(solo)).all()


def test_momentum_is_a_geometric_sum_of_gradients():
    gradients = np.random.RandomState(2).randn(6)
    w, config = np.array(1.0), {"learning_rate": 0.1, "momentum": 0.7}
    for dw in gradients:
        w, config = optim.sgd_momentum(w, np.array(dw), config)
    velocity = -0.1 * sum(g * 0.7 ** (5 - k) for k, g in enumerate(gradients))
    assert float(config["velocity"]) == pytest.approx(velocity)
    path = -0.1 * sum(g * (1 - 0.7 ** (6 - k)) / (1 - 0.7) for k, g in enumerate(gradients))
    assert float(w) == pytest.approx(1 + path)


def test_rmsprop_of_a_constant_gradient():
    w, config = np.array(0.0), {"learning_rate": 0.1, "decay_rate": 0.9, "epsilon": 0.5}
    expected = 0.0
    for step in range(1, 6):
        w, config = optim.rmsprop(w, np.array(3.0), config)
        expected -= 0.1 * 3 / (3 * np.sqrt(1 - 0.9**step) + 0.5)  # cache = 9 (1 - 0.9^step)
    assert float(w) == pytest.approx(expected)


def test_adagrad_divides_by_the_root_of_all_squares_so_far():
    gradients = np.random.RandomState(4).randn(7)
    w, config = np.array(0.5), {"learning_rate": 0.1, "epsilon": 1e-3}
    expected = 0.5
    for t, dw in enumerate(gradients, start=1):
        w, config = optim.adagrad(w, np.array(dw), config)
        expected -= 0.1 * dw / (np.sqrt((gradients[:t] ** 2).sum()) + 1e-3)
        assert float(w) == pytest.approx(expected, rel=1e-12)


def test_adam_is_the_ratio_of_bias_corrected_moments():
    gradients = np.random.RandomState(3).randn(8)
    w, config = np.array(0.5), {"learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}
    expected = 0.5
    for t, dw in enumerate(gradients, start=1):
        w, config = optim.adam(w, np.array(dw), config)
        weights1, weights2 = (np.array([b ** (t - 1 - k) for k in range(t)]) for b in (0.8, 0.95))
        first = (
            weights1 * gradients[:t]
        ).sum() / weights1.sum()  # the correction makes them weighted means
        second = (weights2 * gradients[:t] ** 2).sum() / weights2.sum()
        expected -= 0.01 * first / (np.sqrt(second) + 1e-3)
        assert float(w) == pytest.approx(expected, rel=1e-12)
    assert config["t"] == 8


def test_defaults():
    configs = {rule.__name__: rule(np.ones(1), np.ones(1))[1] for rule in RULES}
    assert {name: config["learning_rate"] for name, config in configs.items()} == {
        "sgd": 1e-2,
        "sgd_momentum": 1e-2,
        "rmsprop": 1e-2,
        "adagrad": 1e-2,
        "adam": 1e-3,
    }
    assert configs["sgd_momentum"]["momentum"] == 0.9
    assert (
        configs["rmsprop"]["decay_rate"],
        configs["rmsprop"]["epsilon"],
        configs["adagrad"]["epsilon"],
    ) == (
        0.99,
        1e-8,
        1e-8,
    )
    assert (configs["adam"]["beta1"], configs["adam"]["beta2"], configs["adam"]["epsilon"]) == (
        0.9,
        0.999,
        1e-8,
    )


@pytest.mark.parametrize("rule", UPDATE_RULES.values(), ids=UPDATE_RULES)
@pytest.mark.parametrize(
    ("w", "dw", "config", "said"),
    [
        (np.ones(3), np.ones((3, 1)), None, r"w of shape \(3,\) and dw of shape \(3, 1\)"),
        (np.ones(3), None, None, "dw, given to .*, is of type NoneType"),
        ([1.0], np.ones(1), None, "w, given to .*, is of type list"),
        (np.ones(3), np.ones(3), 0.1, "expected a dictionary"),
        (
            np.ones(3),
            np.ones(3),
            {"learning_rate": None},
            "learning_rate=None is not a finite number",
        ),
        (
            np.ones(3),
            np.ones(3),
            {"learning_rate": np.nan},
            "learning_rate=nan is not a finite number",
        ),
        (
            np.ones(3),
            np.ones(3),
            {"learning_rate": "0.1"},
            "learning_rate='0.1' is not a finite number",
        ),
    ],
)
def test_what_no_rule_can_use_is_a_sentence(rule, w, dw, config, said):
    with pytest.raises(UserError, match=said):
        rule.step(w, dw, config)


@pytest.mark.parametrize(
    "rule", [rule for rule in UPDATE_RULES.values() if rule.state], ids=lambda rule: rule.name
)
def test_a_state_of_another_parameter_is_a_sentence(rule):
    with pytest.raises(
        ShapeError, match=rf"{rule.state[0]} in the config of {rule.name} has shape \(2,\)"
    ):
        rule.step(np.ones(3), np.ones(3), {rule.state[0]: np.ones(2)})


@pytest.mark.parametrize("rule", UPDATE_RULES.values(), ids=UPDATE_RULES)
def test_a_rule_keeps_what_its_record_says(rule):
    _, config = rule.step(np.ones(3), np.ones(3), None)
    assert {*config} == {*rule.defaults, *rule.state}
