"""Convolutions: right code in every style passes in silence, and each planted mistake is named."""

import numpy as np
import pytest

from normlab.checker.mistakes.convolution import CONV_BACKWARD, CONV_FORWARD, CONV_NET
from tests.checker.planting import FOLDER, examined, planted

STYLES = ("conv_loops", "conv_im2col", "conv_strided", "conv_fft")
LOOPS = (FOLDER / "conv_loops.py").read_text()
FORWARD, BACKWARD = "conv_forward_naive", "conv_backward_naive"
PAD_ALL = 'x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")'
ROWS, COLUMNS = "i * stride:i * stride + HH", "j * stride:j * stride + WW"
CROP = "dx = dx_pad[:, :, pad:pad + H, pad:pad + W]"

PLANTS = [
    (FORWARD, [(PAD_ALL, "x_pad = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))"),
               ("2 * pad", "2 * 1")], "pad_hard_coded"),
    (FORWARD, [(PAD_ALL, "x_pad = x"), ("2 * pad", "0")], "pad_ignored"),
    (FORWARD, [("(0, 0), (pad, pad), (pad, pad)", "(0, 0), (2 * pad, 0), (2 * pad, 0)")], "pad_one_side"),
    (FORWARD, [('"constant"', '"edge"')], "pad_not_zero"),
    (FORWARD, [(COLUMNS, "j:j + WW")], "stride_one_axis"),
    (FORWARD, [(ROWS, "i:i + HH")], "stride_one_axis"),
    (FORWARD, [(COLUMNS, "j:j + WW"), (ROWS, "i:i + HH")], "stride_ignored"),
    (FORWARD, [("w[f])", "w[f, :, ::-1, ::-1])")], "kernel_flipped"),
    (FORWARD, [("w[f])", "w[f].swapaxes(1, 2))")], "kernel_transposed"),
    (FORWARD, [("np.sum(window * w[f])", "np.sum(window[0] * w[f, 0])")], "one_channel"),
    (FORWARD, [("np.sum(window", "np.mean(window")], "mean_for_sum"),
    (FORWARD, [(" + b[f]", "")], "bias_missing"),
    (FORWARD, [(" + b[f]", " - b[f]")], "bias_sign"),
    (FORWARD, [(" + b[f]", " + C * b[f]")], "bias_per_channel"),
    (FORWARD, [("W_out = 1 + (W + 2 * pad - WW)", "W_out = 1 + (H + 2 * pad - HH)")], "not_square"),
    (FORWARD, [("H_out = 1 + (H + 2 * pad - HH) // stride",
                "H_out = 1 + (H + 2 * pad - HH) // stride; assert (H + 2 * pad - HH) % stride == 0")], "rest"),
    (BACKWARD, [("axis=(0, 2, 3)", "axis=(1, 2, 3)")], "db_wrong_axes"),
    (BACKWARD, [("axis=(0, 2, 3)", "axis=0")], "db_wrong_axes"),
    (BACKWARD, [("np.sum(dout, axis=(0, 2, 3))", "np.sum(dout)")], "db_whole_array"),
    (BACKWARD, [("np.sum(dout", "np.mean(dout")], "db_averaged"),
    (BACKWARD, [("np.sum(dout, axis=(0, 2, 3))", "np.sum(dout[-1], axis=(1, 2))")], "db_last_image"),
    (BACKWARD, [("dw[f] += ", "dw[f] = ")], "dw_last_window"),
    (BACKWARD, [("    for n in range(N):\n", "    for n in range(N):\n        dw[...] = 0\n")], "dw_last_image"),
    (BACKWARD, [("dw[f] += window *", "dw[f] += window[:, ::-1, ::-1] *")], "dw_flipped"),
    (BACKWARD, [("return dx, dw, db", "return dx, dw / N, db")], "dw_divided_by_n"),
    (BACKWARD, [("return dx, dw, db", "return dx, -dw, db")], "dw_sign"),
    (BACKWARD, [(CROP, "dx = dx_pad")], "padding_kept"),
    (BACKWARD, [(CROP, "dx = dx_pad[:, :, 1:-1, 1:-1]")], "crop_hard_coded"),
    (BACKWARD, [(CROP, "dx = dx_pad[:, :, :H, :W]")], "crop_one_side"),
    (BACKWARD, [(CROP, "dx = dx_pad[:, :, pad:-pad, pad:-pad]")], "pad_zero"),
    (BACKWARD, [("w[f] * dout", "w[f, :, ::-1, ::-1] * dout")], "dx_flipped"),
    (BACKWARD, [("w[f] * dout", "w[f].swapaxes(1, 2) * dout")], "dx_transposed"),
    (BACKWARD, [("return dx, dw, db", "return dx / N, dw, db")], "dx_divided_by_n"),
    (BACKWARD, [("return dx, dw, db", "return -dx, dw, db")], "dx_sign"),
    (BACKWARD, [("dx_pad[n, :, i * stride:i * stride + HH, j * stride:j * stride + WW]",
                 "dx_pad[n, :, i:i + HH, j:j + WW]")], "dx_stride"),
    (BACKWARD, [("    for n in range(N):\n        for f in range(F):\n",
                 "    for n in range(N):\n        for f in range(F):\n            dx_pad[n] = 0\n")], "dx_one_filter"),
]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_right_code_passes_in_silence(style):
    for seed in range(3):
        report = examined((FOLDER / f"{style}.py").read_text(), seed=seed)
        assert set(report.functions.values()) == {"right"}, report.findings
        assert not [f.fault for f in report.findings if f.fault]


@pytest.mark.parametrize(
    ("function", "edits", "key"), PLANTS, ids=[f"{k}-{i}" for i, (*_, k) in enumerate(PLANTS)]
)
def test_a_planted_mistake_is_named_first(function, edits, key):
    report = examined(planted(LOOPS, {function: edits}))
    faults = [f.fault for f in report.findings if f.fault and f.function == function]
    assert faults[:1] == [f"{function}.{key}"], report.findings


def test_where_windows_overlap_the_last_overwrites():
    """As vectorized code has it: all filters at once, and `=` for `+=`."""
    old = f"                    dx_pad[n, :, {ROWS}, {COLUMNS}] += w[f] * dout[n, f, i, j]\n"
    assert old in LOOPS
    source = LOOPS.replace(old, "")
    vectorized = (
        "    for n in range(N):\n        for i in range(H_out):\n            for j in range(W_out):\n"
        "                dx_pad[n, :, i * stride:i * stride + HH, j * stride:j * stride + WW] = "
        "np.tensordot(dout[n, :, i, j], w, 1)\n"
    )
    source = source.replace(f"    {CROP}", vectorized + f"    {CROP}")
    faults = {f.fault for f in examined(source).findings if f.fault}
    assert faults == {f"{BACKWARD}.overlap_overwritten"}


def test_a_mistake_in_im2col_is_named_too():
    source = (FOLDER / "conv_im2col.py").read_text()
    for old, new, fault in (
        ("padded if p == 0 else padded[:, :, p:-p, p:-p]", "padded[:, :, p:-p, p:-p]", "pad_zero"),
        ("d.sum(axis=(0, 2))", "d.sum(axis=(1, 2))", "db_wrong_axes"),
    ):
        found = [f.fault for f in examined(source.replace(old, new)).findings if f.fault]
        assert found == [f"{BACKWARD}.{fault}"]


def test_a_right_backward_of_a_wrong_forward_is_no_mistake():
    """The filter is turned in forward and in all of backward: the derivation of that layer is right."""
    source = planted(LOOPS, {
        FORWARD: [("w[f])", "w[f, :, ::-1, ::-1])")],
        BACKWARD: [("w[f] * dout", "w[f, :, ::-1, ::-1] * dout"), ("window *", "window[:, ::-1, ::-1] *")],
    })  # fmt: skip
    report = examined(source)
    assert report.functions[FORWARD] == "wrong"
    assert report.functions[BACKWARD] == "right"


NET = """
from normlab.layers import *
import numpy as np


class ThreeLayerConvNet:
    def __init__(self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10,
                 weight_scale=1e-3, reg=0.0, dtype=np.float32):
        C, H, W = input_dim
        self.reg, self.params = reg, {}
        self.params["W1"] = np.random.normal(0, weight_scale, (num_filters, C, filter_size, filter_size))
        self.params["b1"] = np.zeros(num_filters)
        self.params["W2"] = np.random.normal(0, weight_scale, (num_filters * H * W // 4, hidden_dim))
        self.params["b2"] = np.zeros(hidden_dim)
        self.params["W3"] = np.random.normal(0, weight_scale, (hidden_dim, num_classes))
        self.params["b3"] = np.zeros(num_classes)

    def loss(self, X, y=None):
        W1, b1, W2, b2, W3, b3 = (self.params[k] for k in ("W1", "b1", "W2", "b2", "W3", "b3"))
        conv_param = {"stride": 1, "pad": (W1.shape[2] - 1) // 2}
        pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
        conv, conv_cache = conv_forward_naive(X, W1, b1, conv_param)
        positive, relu_cache = relu_forward(conv)
        a, pool_cache = max_pool_forward_naive(positive, pool_param)
        h, h_cache = affine_relu_forward(a, W2, b2)
        scores, s_cache = affine_forward(h, W3, b3)
        if y is None:
            return scores
        loss, dout = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.sum(W1 ** 2) + np.sum(W2 ** 2) + np.sum(W3 ** 2))
        dh, dW3, db3 = affine_backward(dout, s_cache)
        da, dW2, db2 = affine_relu_backward(dh, h_cache)
        dconv = relu_backward(max_pool_backward_naive(da, pool_cache), relu_cache)
        _, dW1, db1 = conv_backward_naive(dconv, conv_cache)
        return loss, {"W1": dW1 + self.reg * W1, "b1": db1, "W2": dW2 + self.reg * W2, "b2": db2,
                      "W3": dW3 + self.reg * W3, "b3": db3}
"""


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("", "", None),
        ("positive, relu_cache = relu_forward(conv)", "positive, relu_cache = conv, np.ones_like(conv)",
         "conv_relu_missing"),
        ("relu_backward(max_pool_backward_naive(da, pool_cache), relu_cache)",
         "max_pool_backward_naive(da, pool_cache)", "conv_relu_not_reversed"),
        ("affine_relu_backward(dh, h_cache)", "affine_backward(dh, h_cache[0])", "hidden_relu_not_reversed"),
        ("affine_backward(dout, s_cache)", "affine_backward(dout / len(X), s_cache)", "gradient_divided_by_n"),
        ("+ np.sum(W2 ** 2) ", "", "reg_loss_some_missing"),
    ],
)  # fmt: skip
def test_the_net_is_judged(old, new, key):
    report = examined(NET.replace(old, new), ["ThreeLayerConvNet"])
    faults = [
        f.fault.partition(".")[2]
        for f in report.findings
        if f.function == "ThreeLayerConvNet" and f.fault
    ]
    if key is None or key not in CONV_NET:
        assert bool(faults) is (key is not None)
    else:
        assert faults == [key]


def test_what_stands_on_a_compiled_extension_that_is_missing_is_not_called_wrong():
    source = "def conv_relu_forward(x, w, b, conv_param):\n    return im2col_cython(x), None\n"
    report = examined(source)
    assert report.functions == {"conv_relu_forward": "unimplemented"}
    assert "fast_layers" in report.findings[0].sentence


def test_every_mistake_of_the_catalogue_is_planted():
    planted_keys = {key for *_, key in PLANTS} | {"overlap_overwritten"}
    elsewhere = {"pad_one_axis", "pad_twice", "dw_not_padded", "dw_pad_hard_coded", "dw_stride"}
    assert {*CONV_FORWARD, *CONV_BACKWARD} - elsewhere == planted_keys


def test_the_slots_leave_what_they_say():
    """Each formula differs from the right one on some draw: none is a name for being right."""
    from normlab.checker.probes.convolution import DB, DW, DX, usual
    from normlab.checker.probes.convolution import FORWARD as FAMILY

    draws = usual(np.random.default_rng(0))
    for family in (FAMILY, DX, DW, DB):
        for choice in family.choices(1):
            if choice.keys:
                try:
                    values = [(d, family.compute(d, choice.pick)) for d in draws]
                except ValueError:  # the shapes no longer meet: such code raises
                    continue
                assert family.explain(values, 0) is None, choice.keys
