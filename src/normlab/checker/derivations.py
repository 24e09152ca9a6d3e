# ruff: noqa: E501
# sentences and formulas are kept whole
"""`normlab explain NAME`: the derivation itself, with its graph, in text."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from normlab.errors import not_one_of


class Derivation(NamedTuple):
    """What a function computes, its graph, the steps with their reasons, and a way to check oneself."""

    title: str
    graph: str
    steps: tuple[tuple[str, str], ...]
    check: str


NORM_GRAPH = """
    x ──┬──────────────(−)── x−μ ──┬───────────────(·)── x̂ ──(·γ)──(+β)── out
        │               │          │                │
        └── mean ── μ ──┘          └─ square ─ mean ┘
                                        var ── +ε ── √ ── 1/ = s
"""
NORM_STEPS = (
    ("∂L/∂β = Σ dout", "β is added to every row: its gradients add up"),
    ("∂L/∂γ = Σ dout·x̂", "out = γ·x̂ + β, and γ is shared by every row"),
    ("dx̂ = γ·dout", "out = γ·x̂ + β, element by element"),
    (
        "∂L/∂var = Σ dx̂·(x − μ)·(−1/2)·(var + ε)^(−3/2)",
        "x̂ = (x − μ)·(var + ε)^(−1/2); all x̂ of a group share one var",
    ),
    (
        "∂L/∂μ = −s·Σ dx̂",
        "x̂ = (x − μ)·s; all x̂ of a group share one μ (the way through var adds Σ(x − μ) = 0)",
    ),
    (
        "dx = dx̂·s + ∂L/∂var·2(x − μ)/n + ∂L/∂μ/n",
        "x enters directly, through var = mean (x − μ)², and through μ = mean x",
    ),
    (
        "dx = s·[dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)]",
        "the same, multiplied out: three terms, one for each way",
    ),
)
BATCH = "Here n = N and every sum and mean runs over the batch (axis 0), a feature at a time."
LAYER = "Here n = D and the means of dx run over the features (axis 1), an example at a time; dγ and dβ still sum over the batch."
CHECKS = (
    "Check yourself with random γ, β and dout, eps = 0.5 and N ≠ D. A dout that is the same "
    "everywhere gives dx = 0; dout = x̂/γ gives nearly 0."
)
FORWARD_STEPS = (
    ("μ = mean(x)", "over the group that is normalized"),
    ("var = mean((x − μ)²)", "the biased variance: divided by n, not n − 1"),
    ("x̂ = (x − μ)/√(var + ε)", "ε under the root keeps a constant group finite"),
    ("out = γ·x̂ + β", "one γ and one β a feature"),
)

DERIVATIONS: dict[str, Derivation] = {
    "affine_forward": Derivation("out = x·w + b", "\n    x (N, …) ── flatten (N, D) ──(·w)──(+b)── out (N, M)\n", (
        ("rows = x, each example's values in one row", "row-major: example n keeps its own values, in their order"),
        ("out = rows·w + b", "b is added to every row"),
    ), "Set x = 0: out is b. Use x with four axes."),
    "affine_backward": Derivation("three gradients of out = x·w + b", "\n    dout (N, M) ──┬── ·wᵀ ── dx\n                  ├── xᵀ· ── dw\n                  └── Σₙ ─── db\n", (
        ("dx = dout·wᵀ, in x's shape", "out[n, m] = Σ_d x[n, d]·w[d, m]: each x meets row d of w"),
        ("dw = xᵀ·dout", "each w is used once an example: N contributions add up"),
        ("db = Σₙ dout[n]", "b is used once an example"),
    ), "No 1/N appears here: the loss has it."),
    "relu_forward": Derivation("out = max(0, x)", "\n    x ── max(0, ·) ── out\n", (("out = x where x > 0, else 0", "element by element, into a new array"),),
        "x must be the same after the call."),
    "relu_backward": Derivation("dx = dout where x > 0", "\n    dout ──(· [x > 0])── dx\n", (("dx = dout·[x > 0]", "slope 1 for positive x, 0 for negative; at 0 either"),),
        "Make the mask from x, not from dout."),
    "softmax_loss": Derivation("L = −mean log softmax(x)[y]", "\n    x ── −max ── exp ── /Σ ── p ── log p[n, yₙ] ── −mean ── L\n", (
        ("p = exp(x − max x)/Σ exp(x − max x)", "a row at a time; the shift changes nothing and prevents overflow"),
        ("L = −(1/N)·Σ log p[n, yₙ]", "one entry a row"),
        ("∂L/∂x = (p − onehot(y))/N", "∂(log Σ exp)/∂x = p, and −x[y] gives −1"),
    ), "Each row of the gradient sums to 0. Adding 1000 to all scores changes nothing."),
    "svm_loss": Derivation("L = mean Σ max(0, x_j − x_y + 1)", "\n    x ──(− x[n, yₙ] + 1)── max(0, ·), j ≠ y ── Σ ── mean ── L\n", (
        ("margin_j = max(0, x_j − x_y + 1), j ≠ y", "a class counts unless it is lower by 1"),
        ("∂L/∂x_j = [margin_j > 0]/N", "each positive margin holds +x_j"),
        ("∂L/∂x_y = −(number of positive margins)/N", "and each holds −x_y"),
    ), "Each row of the gradient sums to 0."),
    "batchnorm_forward": Derivation("normalize each feature over the batch", NORM_GRAPH, (*FORWARD_STEPS,
        ("running = momentum·running + (1 − momentum)·batch", "in training only, for μ and var, stored in bn_param"),
        ("test: out = γ·(x − running_mean)/√(running_var + ε) + β", "nothing of the batch enters"),
    ), "Group: the batch, a feature at a time. In training the mean of out is β and its spread |γ|."),
    "batchnorm_backward": Derivation("the way back through a mean and a variance over the batch", NORM_GRAPH, NORM_STEPS, f"{BATCH} {CHECKS}"),
    "layernorm_forward": Derivation("normalize each example over its features", NORM_GRAPH, FORWARD_STEPS,
        "Group: the features, an example at a time; γ and β still have one entry a feature. No modes, no running values."),
    "layernorm_backward": Derivation("the way back through a mean and a variance over the features", NORM_GRAPH, NORM_STEPS,
        f"{LAYER} γ varies inside the means: multiply before you average. {CHECKS}"),
    "dropout_forward": Derivation("inverted dropout", "\n    x ──(· mask/q)── out        mask = 1 with probability q\n", (
        ("mask = [uniform < q]", "each element by itself; q is the probability of keeping (p, or 1 − p in the years until 2017)"),
        ("out = x·mask/q in training, x in testing", "so the mean is the same in both"),
    ), "On ones: a fraction q is 1/q, the mean is 1."),
    "dropout_backward": Derivation("dx = dout·mask/q", "\n    dout ──(· mask/q)── dx\n", (("dx = dout·mask/q", "the same factor as forward; test mode: dx = dout"),),
        "Keep mask/q in the cache as one array."),
    "spatial_batchnorm_backward": Derivation("batch norm a channel", "\n    (N, C, H, W) ── channels last ── (N·H·W, C) ── batch norm ── back\n", (
        ("rows: one pixel of one example each, C wide", "move channels to the end, then flatten"),
        ("everything else is batch norm of those rows", "and the way back is the inverse permutation"),
    ), "Follow one pixel there and back."),
    "spatial_groupnorm_backward": Derivation("layer norm a group of channels", NORM_GRAPH, NORM_STEPS,
        "Group: C/G neighbouring channels and all pixels of one example; n = C/G·H·W. dγ and dβ sum over examples and pixels."),
    "sgd_momentum": Derivation("a velocity that remembers", "\n    dw ──(−lr)──(+ μ·v)── v ──(+w)── w\n", (
        ("v ← μ·v − lr·dw", "the old velocity keeps the share μ"), ("w ← w + v", "then w moves by the new velocity"),
    ), "From v = 0 the first step is −lr·dw."),
    "rmsprop": Derivation("a step scaled by recent gradients", "\n    dw ── square ── average ── √ + ε ── divides lr·dw\n", (
        ("cache ← ρ·cache + (1 − ρ)·dw²", "a moving average"), ("w ← w − lr·dw/(√cache + ε)", "with the new cache"),
    ), "Scaling every gradient by 10 hardly changes the step."),
    "adam": Derivation("momentum and scaling, both corrected for their start at zero",
        "\n    dw ─┬─ average m ─ /(1 − β₁ᵗ) ── m̂ ─┐\n        └─ average of squares v ─ /(1 − β₂ᵗ) ── v̂ ── √ + ε ── divides\n", (
        ("t ← t + 1", "first"), ("m ← β₁m + (1 − β₁)dw,  v ← β₂v + (1 − β₂)dw²", "two moving averages, stored as they are"),
        ("m̂ = m/(1 − β₁ᵗ),  v̂ = v/(1 − β₂ᵗ)", "from zero the averages are too small by exactly that factor"),
        ("w ← w − lr·m̂/(√v̂ + ε)", "the first step is ±lr, whatever the gradient's size"),
    ), "From zeros, at t = 1: m̂ = dw and v̂ = dw²."),
    "FullyConnectedNet": Derivation("a net is its layers, and backward is forward reversed",
        "\n    X ─ [affine ─ norm ─ ReLU ─ dropout] × (L − 1) ─ affine ─ scores ─ softmax ─ L\n", (
        ("L = data loss + (reg/2)·Σ W²", "weights only: no b, γ, β"), ("∂L/∂W gets reg·W", "for every W"),
        ("backward: dropout, ReLU, norm, affine, for layer L − 1 down to 1", "each with the cache of its own layer"),
        ("loss(X) without labels is test mode", "every bn_param and the dropout_param are told so"),
    ), "Check with random b, γ, β and reg > 0; compare loss(X)[:3] with loss(X[:3])."),
}  # fmt: skip
SAME = {
    "batchnorm_backward_alt": "batchnorm_backward", "spatial_batchnorm_forward": "batchnorm_forward",
    "spatial_groupnorm_forward": "layernorm_forward", "TwoLayerNet": "FullyConnectedNet",
}  # fmt: skip


def explain(name: str, width: int = 0) -> str:
    """The derivation behind one of the assignment's functions, as text.

    >>> "mean(dx̂·x̂)" in explain("batchnorm_backward")
    True

    `width` is that of the terminal: no line but the graph's is longer, and reasons go below their
    formulas where both do not fit beside each other. Raises OptionError for a name that has none.
    """
    found = DERIVATIONS.get(SAME.get(name, name))
    if found is None:
        raise not_one_of("name", name, [*DERIVATIONS, *SAME])
    beside = max(_columns(formula) for formula, _ in found.steps)
    lines = [*_wrapped(f"{name}: {found.title}", width), found.graph]
    for number, (formula, why) in enumerate(found.steps, start=1):
        line = f"  {number}. {formula}{' ' * (beside - _columns(formula))}   {why}"
        if not width or _columns(line) <= width:
            lines.append(line)
        else:
            lines += [
                *_wrapped(f"  {number}. {formula}", width, 7),
                *_wrapped(f"       {why}", width, 7),
            ]
    return "\n".join([*lines, "", *_wrapped(found.check, width)])


def titles() -> dict[str, str]:
    """Every name that `explain` knows, with what it explains."""
    named = {name: derivation.title for name, derivation in DERIVATIONS.items()}
    return {**named, **{name: named[same] for name, same in SAME.items()}}


def _wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Lines of at most so many columns, broken between words; a width of 0 is none."""
    if not width or _columns(text) <= width:
        return [text]
    start = len(text) - len(text.lstrip())
    lines, line = [], " " * start
    for word in text.split():
        if line.strip() and _columns(f"{line}{word}") > width:
            lines.append(line.rstrip())
            line = " " * indent
        line += f"{word} "
    return [*lines, line.rstrip()]


def _columns(text: str) -> int:
    """How many columns a text takes: the hat of x̂ takes none."""
    return sum(not unicodedata.combining(letter) for letter in text)
