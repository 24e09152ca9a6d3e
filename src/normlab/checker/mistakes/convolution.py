"""Mistakes in convolutions, each with the formula it leaves."""

from __future__ import annotations

from functools import partial

import numpy as np

from normlab.checker.mistakes.record import Mistake, by_key
from normlab.typing import Array


def padded(x: Array, pad: int) -> Array:
    """x (N, C, H, W) with `pad` rows and columns of zeros around each image."""
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))


def _padded_by(rows: tuple[int, int], columns: tuple[int, int]) -> object:
    """A padding that puts so many times `pad` before and after the rows, and the columns."""

    def pad_so(x: Array, pad: int) -> Array:
        return np.pad(
            x, ((0, 0), (0, 0), tuple(pad * r for r in rows), tuple(pad * c for c in columns))
        )

    return pad_so


def _edges(x: Array, pad: int) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="edge")


def turned(w: Array) -> Array:
    """The filters turned around: rows and columns in reverse."""
    return w[:, :, ::-1, ::-1]


LINE = "out[n, f, i, j] = b[f] + Σ_cpq w[f, c, p, q] · x_pad[n, c, i·stride + p, j·stride + q]"
CELL = "Convolution: naive forward pass"
PAD = "Look at the pad: which axes get it, how much, and with what."
STRIDE = "Look at where each window begins."
_forward = partial(Mistake, line=LINE, cell=CELL)
_pad = partial(_forward, where=PAD, tried="Give x of ones a pad of 2 and print the padded array.")
_stride = partial(
    _forward, where=STRIDE, tried="Print the first row and column of each window at stride 2."
)
_kernel = partial(
    _forward,
    where="Look at the product of a window and a filter.",
    tried="Use a filter that is 1 at one place and 0 elsewhere: the output is x, shifted.",
)
_bias = partial(
    _forward, where="Look at b.", tried="Set x to zero: every map of the output is its b."
)

CONV_FORWARD = by_key((
    _pad("pad_hard_coded", "the pad is always 1, whatever conv_param['pad'] says",
         "The pad is a setting of the call.",
         cell=CELL + ": it passes, its pad is 1",
         wrong={"padded": lambda x, pad: padded(x, 1)}),
    _pad("pad_ignored", "x is not padded",
         "Zeros go around each image before the first window is taken.",
         wrong={"padded": lambda x, pad: x}),
    _pad("pad_one_axis", "only rows or only columns are padded",
         "Zeros go around an image on all four sides.",
         wrong=({"padded": _padded_by((1, 1), (0, 0))}, {"padded": _padded_by((0, 0), (1, 1))})),
    _pad("pad_one_side", "zeros are put on one side of the image only",
         "Zeros go around an image on all four sides.",
         wrong=({"padded": _padded_by((2, 0), (2, 0))}, {"padded": _padded_by((0, 2), (0, 2))},
                {"padded": _padded_by((1, 0), (1, 0))}, {"padded": _padded_by((0, 1), (0, 1))})),
    _pad("pad_twice", "x is padded by twice the pad",
         "`pad` counts the zeros on each side.",
         wrong={"padded": _padded_by((2, 2), (2, 2))}),
    _pad("pad_not_zero", "the border is filled with the image's edge instead of zeros",
         "What lies outside an image is 0.", wrong={"padded": _edges}),
    _stride("stride_one_axis", "the stride moves the window along one axis only",
            "A window moves by the stride both down and to the right.",
            cell=CELL,
            wrong=({"strides": lambda s: (s, 1)}, {"strides": lambda s: (1, s)})),
    _stride("stride_ignored", "the stride is ignored: windows are one pixel apart",
            "Neighbouring windows are `stride` pixels apart.",
            wrong={"strides": lambda s: (1, 1)}),
    _kernel("kernel_flipped", "the filter is turned around (this is mathematics' convolution)",
            "The layer multiplies window and filter as they stand: cross-correlation.",
            wrong={"kernel": turned}),
    _kernel("kernel_transposed", "rows and columns of the filter are exchanged",
            "Row p of the filter meets row p of the window.",
            wrong={"kernel": lambda w: w.swapaxes(2, 3)}),
    _kernel("one_channel", "only one channel of the image is used",
            "A filter has as many channels as the image, and all are summed.",
            wrong=({"channels": lambda c: slice(0, 1)}, {"channels": lambda c: slice(c - 1, c)})),
    _kernel("mean_for_sum", "the products are averaged instead of summed",
            "An output is the sum over its window.",
            wrong={"scale": lambda w: 1 / w[0].size}),
    _bias("bias_missing", "the bias b is not added", "Every position of a map gets the filter's b.",
          wrong={"bias": lambda b, c: 0 * b}),
    _bias("bias_sign", "the bias b is subtracted instead of added", "out is the sum plus b.",
          wrong={"bias": lambda b, c: -b}),
    _bias("bias_per_channel", "the bias b is added once for every channel",
          "A filter adds its b once.", wrong={"bias": lambda b, c: c * b}),
    Mistake("pad_zero", "is wrong where pad is 0",
            "A pad of 0 adds nothing and cuts nothing away; `a[0:-0]` is empty.",
            line=LINE, where="What does `pad:-pad` select when pad is 0?",
            tried="Call it with {{'stride': 1, 'pad': 0}}.", cell="none: every cell pads"),
    Mistake("not_square", "is wrong where images or filters are not square",
            "Height and width have names of their own, and each its own size of output.",
            line="H' = 1 + (H + 2·pad - HH) / stride, W' = 1 + (W + 2·pad - WW) / stride",
            where="Look for a height where a width belongs.",
            tried="Use x of shape (1, 1, 4, 6) and w of shape (1, 1, 3, 2).",
            cell="none: every image and filter there is square"),
    Mistake("rest", "raises or goes wrong where the stride leaves rows or columns over",
            "Rows that no whole window covers are left out.",
            where="How many windows fit?",
            tried="Use a width of 6, a filter of 3 and a stride of 2.",
            cell="none: in every cell the windows fit", severity="remark"),
))  # fmt: skip

BACK_CELL = "Convolution: naive backward pass"
LINES = {
    "dx": "dx_pad[n, c, k, l] = Σ over the windows (i, j) that pixel (k, l) lies in: dout[n, f, i, "
    "j] · w[f, c, p, q]",
    "dw": "dw[f, c, p, q] = Σ_nij dout[n, f, i, j] · x_pad[n, c, i·stride + p, j·stride + q]",
    "db": "db[f] = Σ_nij dout[n, f, i, j]",
}
_dx = partial(Mistake, line=LINES["dx"], cell=BACK_CELL, where="Look at dx.",
              tried="Use one image, one channel and a filter of ones: dx counts windows.")  # fmt: skip
_dw = partial(Mistake, line=LINES["dw"], cell=BACK_CELL, where="Look at dw.",
              tried="Use one image and a filter of one pixel: dw is Σ dout·x.")  # fmt: skip
_db = partial(Mistake, line=LINES["db"], cell=BACK_CELL, where="Look at db.",
              tried="Print db.shape beside b.shape, with N, F, H' and W' all different.")  # fmt: skip

CONV_BACKWARD = by_key((
    _db("db_wrong_axes", "db is summed over the wrong axes",
        "A filter's b is shared by all images and all positions: their gradients add up.",
        wrong=tuple({"db_sum": partial(np.sum, axis=axes)}
                    for axes in ((1, 2, 3), (0,), (0, 1), (0, 2), (0, 3), (2, 3), (1,)))),
    _db("db_whole_array", "db is one number: the sum runs over the whole of dout",
        "Each filter has its own bias.", wrong={"db_sum": np.sum}),
    _db("db_averaged", "db is a mean where it should be a sum",
        "The loss already holds the 1/N; a layer adds none.",
        wrong=({"db_sum": lambda d: d.mean((0, 2, 3))},
               {"db_sum": lambda d: d.sum((0, 2, 3)) / len(d)})),
    _db("db_last_image", "db is that of the last image alone: each image overwrites the one before",
        "Gradients of something shared add up (+=).",
        wrong={"db_sum": lambda d: d[-1].sum((1, 2))}),
    _dw("dw_not_padded", "dw is taken from x without its pad",
        "The weight met the padded image.", wrong={"dw_padded": lambda x, pad: x}),
    _dw("dw_pad_hard_coded", "dw pads x by 1, whatever conv_param['pad'] says",
        "The pad is a setting of the call.", wrong={"dw_padded": lambda x, pad: padded(x, 1)}),
    _dw("dw_last_window", "dw is that of the last window alone: `=` stands where `+=` is needed",
        "A weight is used at every position: their gradients add up.",
        wrong=({"dw_windows": np.s_[:, :, -1:, -1:]}, {"dw_windows": np.s_[-1:, :, -1:, -1:]})),
    _dw("dw_last_image", "dw is that of the last image alone: each image overwrites the one before",
        "A weight is used on every image: their gradients add up.",
        wrong={"dw_windows": np.s_[-1:]}),
    _dw("dw_flipped", "dw is turned around", "dw[p, q] belongs to the weight at (p, q).",
        wrong={"dw_turn": turned}),
    _dw("dw_stride", "dw ignores the stride along an axis or two",
        "The windows are those of the forward pass.",
        wrong=tuple({"dw_strides": way} for way in (
            lambda s: (1, 1), lambda s: (s, 1), lambda s: (1, s)))),
    _dw("dw_divided_by_n", "dw is divided by N", "The loss already holds the 1/N.",
        wrong={"dw_scale": lambda n: 1 / n}),
    _dw("dw_sign", "dw has the wrong sign", "The derivative of w·x is plus.",
        wrong={"dw_scale": lambda n: -1}),
    _dx("padding_kept", "dx still has the rows and columns of the pad",
        "The zeros around an image have gradients that nobody asked for: cut them off.",
        wrong={"crop": lambda dz, pad, H, W: dz}),
    _dx("crop_hard_coded", "dx is cut by 1 on each side, whatever conv_param['pad'] says",
        "What forward added, backward cuts off.",
        wrong={"crop": lambda dz, pad, H, W: dz[:, :, 1:-1, 1:-1]}),
    _dx("crop_one_side", "the pad of dx is cut off on one side",
        "What forward added, backward cuts off: on both sides.",
        wrong=({"crop": lambda dz, pad, H, W: dz[:, :, :H, :W]},
               {"crop": lambda dz, pad, H, W: dz[:, :, -H:, -W:]})),
    _dx("overlap_overwritten",
        "where windows overlap, one gradient overwrites the other: `=` for `+=`",
        "A pixel lies in several windows: what comes from each adds up.",
        wrong={"add": False}),
    _dx("dx_flipped", "dx uses the filter turned around",
        "Each window's gradient is dout times the filter as it stood in the forward pass.",
        wrong={"dx_kernel": turned}),
    _dx("dx_transposed", "dx uses the filter with rows and columns exchanged",
        "Row p of the filter met row p of the window.",
        wrong={"dx_kernel": lambda w: w.swapaxes(2, 3)}),
    _dx("dx_stride", "dx ignores the stride along an axis or two",
        "The windows are those of the forward pass.",
        wrong=tuple({"dx_strides": way} for way in (
            lambda s: (1, 1), lambda s: (s, 1), lambda s: (1, s)))),
    _dx("dx_one_filter", "dx is that of the last filter alone",
        "A pixel goes into every filter: their gradients add up.",
        wrong={"dx_filters": np.s_[-1:]}),
    _dx("dx_divided_by_n", "dx is divided by N", "The loss already holds the 1/N.",
        wrong={"dx_scale": lambda n: 1 / n}),
    _dx("dx_sign", "dx has the wrong sign", "The derivative of w·x is plus.",
        wrong={"dx_scale": lambda n: -1}),
    *(CONV_FORWARD[key] for key in ("pad_zero", "not_square", "rest")),
))  # fmt: skip

JOINED = by_key((
    Mistake("fast_missing",
            "was not checked: it stands on fast_layers, whose compiled part is not there "
            "({message})",
            "The naive functions are judged by themselves.",
            where="Compile the extension, or use the naive functions.",
            tried="Run the check again after that.", severity="none"),
))  # fmt: skip

_net = partial(
    Mistake, line="conv – ReLU – 2x2 max pool – affine – ReLU – affine – softmax",
    where="Follow one batch through the net, forward and back.",
    tried="Check the gradients with random biases, not at their first values.",
    cell="Three-layer ConvNet: gradient check",
)  # fmt: skip
CONV_NET = by_key((
    _net("conv_relu_missing", "there is no ReLU after the convolution", "conv, ReLU, pool.",
         wrong={"conv_relu": False}),
    _net("hidden_relu_missing", "there is no ReLU after the hidden affine layer", "affine, ReLU.",
         wrong={"hidden_relu": False}),
    _net("hidden_relu_not_reversed", "backward passes the hidden affine layer without its ReLU",
         "Each step forward has its own step back.", wrong={"hidden_relu_back": False}),
    _net("conv_relu_not_reversed", "backward passes the convolution without its ReLU",
         "Each step forward has its own step back.", wrong={"conv_relu_back": False}),
    _net("gradient_divided_by_n", "the gradients are divided by N a second time",
         "softmax_loss has the 1/N already.", wrong={"dscores": lambda n: 1 / n}),
))  # fmt: skip
