"""Correct code in every style passes in silence: no verdict but 'right', on several draws."""

import pytest

from tests.checker.planting import STYLES, examined, text_of


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style[0])
def test_correct_code_is_never_accused(style):
    source = text_of(*style)
    for seed in range(2):
        report = examined(source, seed=seed)
        accused = [
            (f.fault, f.sentence, f.evidence) for f in report.findings if f.verdict != "right"
        ]
        assert not accused
        assert len(report.functions) >= 19


def test_the_course_style_names_its_conventions():
    faults = {
        f.fault
        for f in examined(text_of("layers_course", "nets_lists", "optim_inplace")).findings
        if f.fault
    }
    assert {"dropout_forward.p_drops", "adam.t_starts_at_one", "rmsprop.eps_inside"} <= faults


def test_the_books_own_layers_are_right():
    import cs682.classifiers.fc_net
    import cs682.optim
    from normlab.checker import check

    report = check({**vars(cs682.classifiers.fc_net), **vars(cs682.optim)})
    assert set(report.functions.values()) == {"right"}
    assert len(report.functions) >= 19


def test_harmless_constants_are_no_mistakes():
    """An ε of 1e-8 beside the given one, or in a logarithm, changes the eighth digit and no derivation."""
    source = text_of("layers_staged")
    source = source.replace("np.sqrt(var + eps)", "np.sqrt(var + eps + 1e-9)")
    source = source.replace(
        "log_probs = shifted - np.log(Z)", "log_probs = np.log(powers / Z + 1e-9)"
    )
    report = examined(source)
    assert {f.fault for f in report.wrong} == set()
    assert "softmax_loss.small_constant" in {f.fault for f in report.findings}


def test_a_net_of_another_assignment_is_not_judged():
    other = (
        "class TwoLayerNet:\n"
        "    def __init__(self, input_size, hidden_size, output_size):\n"
        "        self.params = {}\n"
    )
    assert examined(other).functions == {}


def test_group_norm_may_take_a_flat_gamma():
    """In some years gamma and beta are (C,), and so are their gradients."""
    source = text_of("layers_staged").replace("out = gamma * xhat + beta\n    return out, (xhat, std, gamma, G)",
        "gamma = gamma[None, :, None, None]\n    out = gamma * xhat + beta[None, :, None, None]\n"
        "    return out, (xhat, std, gamma, G)")  # fmt: skip
    source = source.replace("axis=(0, 2, 3), keepdims=True)", "axis=(0, 2, 3))")
    report = examined(source, {"spatial_groupnorm_forward", "spatial_groupnorm_backward"})
    assert set(report.functions.values()) == {"right"}
