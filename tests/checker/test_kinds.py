"""Kinds of mistakes seen in real code are named first; what stands on them is judged by itself."""

import re

import pytest

from tests.checker.kinds import BN_FULL, KINDS, LN_FULL, NET, SUMS, UNPACK
from tests.checker.planting import BASE, Plant, examined, planted, relevant, span, text_of

SOURCE = text_of(*BASE)


def with_code(code, source=SOURCE):
    """The correct source with whole functions replaced."""
    for name in re.findall(r"^(?:def|class) (\w+)", code, re.M):
        if re.search(rf"^(def|class) {name}\b", source, re.M):
            begin, end = span(source, name)
            source = source[:begin] + source[end:]
    return f"{source}\n{code}"


def asked(function):
    return relevant(Plant("", {function: ()}, ()))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_kind_of_mistake_is_named_first(kind):
    report = examined(with_code(kind.code), asked(kind.function))
    wrong = [f.fault.partition(".")[2] for f in report.wrong if f.function == kind.function]
    assert wrong, [
        (f.function, f.verdict, f.sentence) for f in report.findings if f.verdict != "right"
    ]
    assert wrong[0] in kind.named, wrong


RIGHT = (
    "    d = gamma * dout\n    dx = (d - d.mean(0) - xhat * (d * xhat).mean(0)) / sqrtvar" + SUMS
)
MEANLESS = "    d = gamma * dout\n    dx = (d - xhat * (d * xhat).mean(0)) / sqrtvar" + SUMS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("np.sqrt(var + eps)\n", "np.sqrt(var) + eps\n"),
        ("np.sqrt(var + eps)\n", "np.sqrt(var)\n"),
        ("np.sqrt(var + eps)\n", "np.sqrt(var + 1e-5)\n"),
        ("return gamma * xhat + beta, (xhat, gamma, xmu", "return xhat + beta, (xhat, gamma, xmu"),
        (
            "return gamma * xhat + beta, (xhat, gamma, xmu",
            "return gamma * xhat - beta, (xhat, gamma, xmu",
        ),
        ("m * rm + (1 - m) * mu", "m * mu + (1 - m) * rm"),
    ],
    ids=["eps beside", "no eps", "fixed eps", "no gamma", "beta subtracted", "momentum"],
)
def test_a_right_backward_pass_on_a_wrong_forward_pass_is_right(old, new):
    code = BN_FULL + UNPACK + RIGHT
    assert old in code
    report = examined(with_code(code.replace(old, new)), asked("spatial_batchnorm_forward"))
    assert report.functions["batchnorm_forward"] == "wrong"
    assert (
        report.functions["batchnorm_backward"]
        == report.functions["batchnorm_backward_alt"]
        == "right"
    )
    assert report.functions["spatial_batchnorm_forward"] == "right"
    assert report.functions["spatial_batchnorm_backward"] == "right"
    wrong = examined(
        with_code((BN_FULL + UNPACK + MEANLESS).replace(old, new)), asked("batchnorm_backward")
    )
    faults = {f.fault for f in wrong.wrong}
    assert "batchnorm_backward.mean_path_missing" in faults


def test_a_backward_pass_that_is_the_slope_of_a_wrong_forward_pass_is_right():
    code = LN_FULL.replace("x.var(1, keepdims=True)", "x.var(1, ddof=1, keepdims=True)") + UNPACK
    body = "    d, K = gamma * dout, {'axis': 1, 'keepdims': True}\n"
    body += "    dx = (d - d.mean(**K) - xhat * (d * xhat).sum(**K) / (D - 1)) * ivar" + SUMS
    report = examined(with_code(code + body), asked("layernorm_backward"))
    assert report.functions == {"layernorm_forward": "wrong", "layernorm_backward": "right"}
    follows = [f.follows for f in report.findings if f.function == "layernorm_backward"]
    assert follows == [("layernorm_forward",)]


def test_a_net_on_wrong_layers_is_judged_for_its_wiring():
    wrong_layer = planted(SOURCE, {"relu_backward": [("(x > 0)", "(x < 0)")]})
    report = examined(with_code(NET, wrong_layer))
    assert report.functions["relu_backward"] == "wrong"
    assert report.functions["FullyConnectedNet"] == report.functions["TwoLayerNet"] == "right"
    badly = NET.replace('        grads["W%d" % L] += self.reg * p["W%d" % L]\n', "")
    faults = {f.fault for f in examined(with_code(badly, wrong_layer)).wrong}
    assert "FullyConnectedNet.reg_gradient_last_missing" in faults


def test_an_option_that_is_not_written_is_not_wrong():
    plain = NET.replace("if normalization is not None and", "if False and")
    plain = plain.replace('self.normalization == "batchnorm"', "False").replace(
        'self.normalization == "layernorm"', "False"
    )
    report = examined(with_code(plain))
    assert report.functions["FullyConnectedNet"] == "unimplemented"
    assert not report.wrong
    told = " ".join(f.sentence for f in report.findings if f.verdict == "unimplemented")
    assert "'batchnorm' is not written yet" in told
    assert "'layernorm' is not written yet" in told


def test_a_todo_that_is_raised_is_not_wrong():
    for line in (
        'assert False, "TODO: later"',
        "raise NotImplementedError",
        'raise Exception("not implemented yet")',
    ):
        report = examined(with_code(f"def batchnorm_backward_alt(dout, cache):\n    {line}\n"))
        assert report.functions["batchnorm_backward_alt"] == "unimplemented"
        assert not report.wrong


def test_what_is_no_fault_stops_nothing_and_comes_last():
    code = NET.replace(
        "np.zeros(dims[i + 1])\n            if", "np.zeros((1, dims[i + 1]))\n            if"
    )
    report = examined(with_code(code))
    assert {f.severity for f in report.wrong} == {"robustness"}
    both = code.replace('            grads["W%d" % i] += self.reg * p["W%d" % i]\n', "")
    first = examined(with_code(both)).wrong[0]
    assert (first.fault, first.severity) == (
        "FullyConnectedNet.reg_gradient_hidden_missing",
        "fault",
    )


@pytest.mark.parametrize("shape", ["(1, C)", "(1, C, 1, 1)", "(C, 1, 1)"])
def test_running_statistics_may_have_any_shape_of_one_value_a_channel(shape):
    code = f"""
def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    C, m, eps = x.shape[1], bn_param.get("momentum", 0.9), bn_param.get("eps", 1e-5)
    rm, rv = bn_param.get("running_mean", np.zeros({shape})), bn_param.get("running_var",
    np.zeros({shape}))
    column = (1, C, 1, 1)
    mu, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    if bn_param["mode"] == "test":
        mu, var = rm, rv
    else:
        bn_param["running_mean"] = m * rm + (1 - m) * mu.reshape({shape})
        bn_param["running_var"] = m * rv + (1 - m) * var.reshape({shape})
    xhat = (x - np.reshape(mu, column)) / np.sqrt(np.reshape(var, column) + eps)
    return gamma.reshape(column) * xhat + beta.reshape(column), None
"""
    report = examined(with_code(code), {"batchnorm_forward", "spatial_batchnorm_forward"})
    assert report.functions["spatial_batchnorm_forward"] == "right"
