"""The same layers written for PyTorch.

On tensors, as autograd functions, as modules, as classes of a course.
"""

import pytest

from normlab.checker import check

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TENSORS = """
import torch
def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get('eps', 1e-5), bn_param.get('momentum', 0.9)
    mean = bn_param.get('running_mean', torch.zeros(x.shape[1]))
    var = bn_param.get('running_var', torch.zeros(x.shape[1]))
    if bn_param['mode'] == 'train':
        m, v = x.mean(dim=0), x.var(dim=0, unbiased=False)
        bn_param['running_mean'] = momentum * mean + (1 - momentum) * m
        bn_param['running_var'] = momentum * var + (1 - momentum) * v
        mean, var = m, v
    std = torch.sqrt(var + eps)
    xhat = (x - mean) / std
    return gamma * xhat + beta, (xhat, std, gamma)
def batchnorm_backward(dout, cache):
    xhat, std, gamma = cache
    dx = gamma / std * (dout - dout.mean(dim=0) - xhat * (dout * xhat).mean(dim=0))
    return dx, (dout * xhat).sum(dim=0), dout.sum(dim=0)
def softmax_loss(x, y):
    logp = x.log_softmax(dim=1)
    grad = logp.exp()
    grad[torch.arange(len(x)), y] -= 1
    return -logp[torch.arange(len(x)), y].mean().item(), grad / len(x)
"""
COURSE = """
import torch
class Linear(object):
    @staticmethod
    def forward(x, w, b):
        return x.reshape(x.shape[0], -1).mm(w) + b, (x, w, b)
    @staticmethod
    def backward(dout, cache):
        x, w, b = cache
        dw = x.reshape(x.shape[0], -1).t().mm(dout)
        return dout.mm(w.t()).reshape(x.shape), dw, dout.sum(dim=0)
class ReLU(object):
    @staticmethod
    def forward(x):
        return x.clamp(min=0), x
    @staticmethod
    def backward(dout, cache):
        return dout
"""
FUNCTION = """
import torch
class MyLayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, eps=1e-5):
        s = 1 / torch.sqrt(x.var(1, unbiased=False, keepdim=True) + eps)
        xhat = (x - x.mean(1, keepdim=True)) * s
        ctx.save_for_backward(xhat, s, weight)
        return xhat * weight + bias
    @staticmethod
    def backward(ctx, dout):
        xhat, s, weight = ctx.saved_tensors
        dx = dout * weight
        dx = s * (dx - dx.mean(1, keepdim=True) - xhat * (dx * xhat).mean(1, keepdim=True))
        return dx, (dout * xhat).sum(0), dout.sum(0), None
"""
MODULE = """
import torch
class BatchNormByHand(torch.nn.Module):
    def __init__(self, width, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma = torch.nn.Parameter(torch.ones(width))
        self.beta = torch.nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mean.detach()
            self.running_var = (1 - m) * self.running_var + m * var.detach()
        return (x - mean) / torch.sqrt(var + self.eps) * self.gamma + self.beta
"""


@pytest.fixture
def checked(tmp_path):
    def checked(source, entry=""):
        (tmp_path / "model.py").write_text(source)
        return check(f"{tmp_path / 'model.py'}{entry}", seed=2)

    return checked


def test_functions_on_tensors(checked):
    report = checked(TENSORS)
    names = ("batchnorm_forward", "batchnorm_backward", "softmax_loss")
    assert report.functions == dict.fromkeys(
        sorted(names, key=list(report.functions).index), "right"
    )
    wrong = checked(
        TENSORS.replace(
            "xhat * (dout * xhat).mean(dim=0))", "xhat * (dout * xhat).mean(dim=0) / 2)"
        )
    )
    assert [f.fault for f in wrong.wrong] == ["batchnorm_backward.factor_two_missing"]


def test_classes_of_static_methods(checked):
    report = checked(COURSE)
    assert report.functions == {
        "affine_forward": "right", "affine_backward": "right", "relu_forward": "right",
        "relu_backward": "wrong",
    }  # fmt: skip
    assert not report.not_judged


def test_an_autograd_function(checked):
    report = checked(FUNCTION, ":MyLayerNorm")
    assert report.functions == {"layernorm_forward": "right", "layernorm_backward": "right"}
    wrong = checked(FUNCTION.replace(" - dx.mean(1, keepdim=True)", ""), ":MyLayerNorm")
    (finding,) = wrong.wrong
    assert finding.fault == "layernorm_backward.mean_path_missing"
    assert finding.line == 14  # where dx is written


def test_a_module(checked):
    report = checked(MODULE, ":BatchNormByHand")
    assert report.functions == {"batchnorm_forward": "right", "batchnorm_backward": "right"}
    wrong = checked(MODULE.replace("x.var(0, unbiased=False)", "x.var(0)"), ":BatchNormByHand")
    assert wrong.functions["batchnorm_forward"] == "wrong"


def test_what_is_no_layer_says_so(checked):
    assert "does not say what it computes" in str(
        checked("import torch\nclass Net(torch.nn.Module): pass\n", ":Net")
    )
    assert "there is no Nothing" in str(checked(MODULE, ":Nothing"))
    assert checked("import torch\nNet = 3\n", ":Net").exit_code == 3
