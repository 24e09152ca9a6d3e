"""Question 4: when does layer norm work badly: very deep nets, few features, or strong regularization?

One thing varies at a time. The normalized nets start at the notebook's weight scale, to which they are nearly
indifferent. The plain net is the reference and gets a start that keeps its signal at any width and depth: weights of
variance two over the width (He et al. 2015).

The claims were written before any result. Two ranges were changed after a first look at one seed, because they could
show nothing: nets of five hidden layers with two features learned under no norm at all (width is now varied in nets of
two hidden layers), and penalties up to 1 hardly touched any net (they now go to 100). Claims added then are marked. At
five seeds two claims could not be told on digits; this study therefore runs on eight, where the others run on five.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from normlab.studies.spec import Axis, Claim, Grid, Lines, Quantity, Reason, Study, over, over_norms

TRAINING = {"batch_size": 50, "num_epochs": 10, "learning_rate": 1e-3}
DEPTHS = (1, 2, 5, 10, 20)
WIDTHS = (2, 3, 5, 10, 30, 100)
PENALTIES = (0.0, 1e-2, 1e-1, 1.0, 10.0, 100.0)

DEPTH, WIDTH, PENALTY = ({"varies": name} for name in ("depth", "width", "regularization"))


def both_kinds(varies: dict[str, str], axis_name: str, nets: dict[float, dict[str, Any]]) -> Iterable[Grid]:
    """The grid of the normalized nets and that of the plain net, which has its own weight scale."""
    yield Grid(
        fixed={**TRAINING, "weight_scale": 2e-2},
        axes=(over_norms("batchnorm", "layernorm"), over(axis_name, nets)),
        tags=varies,
        probes=("first step",),
    )
    he = {value: {**net, "weight_scale": math.sqrt(2 / net["hidden_dims"][0])} for value, net in nets.items()}
    plain: Axis = over(axis_name, he)
    yield Grid(fixed=TRAINING, axes=(over_norms(None), plain), tags=varies, probes=("first step",))


def accuracy(
    norm: str, varies: dict[str, str], axis_name: str, value: float, minus: Quantity | None = None
) -> Quantity:
    """A norm's best validation accuracy at one point, less another quantity."""
    return Quantity("best validation accuracy", {"norm": norm, **varies, axis_name: value}, minus=minus)


def lost_by_width(norm: str) -> Quantity:
    """What going from 100 features to 2 costs a norm."""
    return accuracy(norm, WIDTH, "width", 100, minus=accuracy(norm, WIDTH, "width", 2))


def lost_by_penalty(norm: str) -> Quantity:
    """What the strongest penalty costs a norm."""
    none, strongest = PENALTIES[0], PENALTIES[-1]
    return accuracy(norm, PENALTY, "regularization", none, minus=accuracy(norm, PENALTY, "regularization", strongest))


LAYERNORM_LIMITS = Study(
    name="layernorm-limits",
    title="Where layer norm works badly",
    question="When is layer normalization likely to not work well: in a very deep net, with very few "
    "features, or under "
    "strong regularization?",
    seeds=8,
    grids=(
        *both_kinds(DEPTH, "hidden layers", {depth: {"hidden_dims": (100,) * depth} for depth in DEPTHS}),
        *both_kinds(WIDTH, "width", {width: {"hidden_dims": (width,) * 2} for width in WIDTHS}),
        *both_kinds(PENALTY, "regularization", {reg: {"hidden_dims": (100,) * 5, "reg": reg} for reg in PENALTIES}),
    ),
    measures=(
        "best validation accuracy",
        "best training accuracy",
        "final loss",
        "gradient kept",
        "likeness",
    ),
    figure=(
        Lines("Few features", "best validation accuracy", x="width", where=WIDTH, x_log=True),
        Lines("Depth", "best validation accuracy", x="hidden layers", where=DEPTH, x_log=True),
        Lines("Regularization", "best validation accuracy", x="regularization", where=PENALTY, x_log=True),
        Lines(
            "How alike images are in the last hidden layer, before training", "likeness", x="hidden layers", where=DEPTH
        ),
        Lines(
            "Gradient of the first layer against the last's, before training",
            "gradient kept",
            x="width",
            where=WIDTH,
            x_log=True,
            y_log=True,
        ),
    ),
    claims=(
        Claim(
            name="few features hurt layer norm",
            statement="Going from 100 features to 2 costs layer norm more validation accuracy than it costs "
            "batch norm.",
            left=lost_by_width("layer norm"),
            right=lost_by_width("batch norm"),
            holds="Going from 100 features to 2 costs layer norm {left} of validation accuracy, and batch "
            "norm {right}.",
            fails="Going from 100 features to 2 costs layer norm {left} of validation accuracy, "
            "and batch norm as much or more: {right}.",
            headline=True,
        ),
        Claim(
            name="two features pass no gradient",
            statement="With two features, less than a tenth of the gradient that batch norm passes reaches "
            "the first layer "
            "through layer norm, relative to the last layer's.",
            left=Quantity("gradient kept", {"norm": "layer norm", **WIDTH, "width": 2}),
            right=Quantity("gradient kept", {"norm": "batch norm", **WIDTH, "width": 2}),
            expect="below",
            margin=-1.0,
            unit="decades",
            holds="The reason: two features, normalized, are always plus and minus one. Before training, "
            "the first layer's "
            "gradient is {left} of the last's with layer norm, and {right} with batch norm.",
            fails="Before training, the first layer's gradient is {left} of the last's with layer norm, "
            "and {right} with batch norm.",
        ),
        Claim(
            name="depth is no obstacle",
            statement="Twenty hidden layers cost layer norm less than 10 points of validation accuracy against five.",
            left=accuracy("layer norm", DEPTH, "hidden layers", 5),
            right=accuracy("layer norm", DEPTH, "hidden layers", 20),
            expect="below",
            margin=0.10,
            holds="Depth is no obstacle: with five hidden layers layer norm reaches {left}, with twenty {right}.",
            fails="Depth hurts layer norm: with five hidden layers it reaches {left}, with twenty {right}.",
            headline=True,
        ),
        Claim(
            name="images grow alike",
            statement="Before training, in the twentieth hidden layer, images are more alike (by a cosine "
            "of at least 0.2) "
            "with layer norm than with batch norm.",
            left=Quantity("likeness", {"norm": "layer norm", **DEPTH, "hidden layers": 20}),
            right=Quantity("likeness", {"norm": "batch norm", **DEPTH, "hidden layers": 20}),
            margin=0.2,
            unit="correlation",
            holds="Before training, the activations of two images in the twentieth hidden layer have a mean "
            "cosine of "
            "{left} with layer norm and {right} with batch norm.",
            fails="Before training, the activations of two images in the twentieth hidden layer have a mean "
            "cosine of "
            "{left} with layer norm and {right} with batch norm: not much of a difference.",
            added_later=True,
        ),
        Claim(
            name="depth hurts batch norm no less",
            statement="Going from five hidden layers to twenty costs layer norm at most 5 points more than batch norm.",
            left=accuracy(
                "layer norm", DEPTH, "hidden layers", 5, minus=accuracy("layer norm", DEPTH, "hidden layers", 20)
            ),
            right=accuracy(
                "batch norm", DEPTH, "hidden layers", 5, minus=accuracy("batch norm", DEPTH, "hidden layers", 20)
            ),
            expect="below",
            margin=0.05,
            holds="Going from five hidden layers to twenty costs layer norm {left}, and batch norm {right}.",
            fails="Going from five hidden layers to twenty costs layer norm {left}, and batch norm only {right}.",
        ),
        Claim(
            name="regularization hurts any net",
            statement="The strongest penalty costs each of the three nets at least 10 points of validation accuracy.",
            left=Quantity("best validation accuracy", {**PENALTY, "regularization": PENALTIES[0]}, reduce="min"),
            right=Quantity("best validation accuracy", {**PENALTY, "regularization": PENALTIES[-1]}, reduce="max"),
            margin=0.10,
            holds="A penalty of 100 hurts any net: the best of the three falls to {right}, from {left} or "
            "more without.",
            fails="A penalty of 100 does not hurt every net: the best of the three still reaches {right}.",
        ),
        Claim(
            name="regularization does not single out layer norm",
            statement="The strongest penalty costs layer norm at most 5 points more than it costs the plain net.",
            left=lost_by_penalty("layer norm"),
            right=lost_by_penalty("no norm"),
            expect="below",
            margin=0.05,
            holds="The strongest penalty costs layer norm {left} and the plain net {right}: it is not layer "
            "norm's weakness.",
            fails="The strongest penalty costs layer norm {left}, and the plain net only {right}.",
            headline=True,
        ),
    ),
    answer=(
        Reason(
            "Few features are the answer. Layer norm takes its mean and variance over an image's features; "
            "with two of them "
            "the output is one plus and one minus one whatever came in, so that all but the order is lost, "
            "and the gradient "
            "stops there.",
            ("few features hurt layer norm", "two features pass no gradient"),
        ),
        Reason(
            "Few features are layer norm's weak spot in the gradient: with two of them its output is one "
            "plus and one minus "
            "one whatever came in, and next to nothing passes on the way back. Whether that costs more "
            "accuracy than so "
            "narrow a net loses anyhow, these seeds cannot tell.",
            ("two features pass no gradient",),
            undecided=("few features hurt layer norm",),
        ),
        Reason(
            "Few features hurt, but on this data not layer norm more than batch norm.",
            against=("few features hurt layer norm",),
        ),
        Reason("Depth alone does not do it.", ("depth is no obstacle",)),
        Reason(
            "Depth does it too, in plain chains of layers like these, and more than it does to batch norm. "
            "Layer norm looks "
            "at one image at a time, so what all images have in common passes through every layer, and a "
            "ReLU adds to it: "
            "from layer to layer the images become more alike, until the last layers can hardly tell them "
            "apart. Batch "
            "norm subtracts what they have in common. Very deep nets with layer norm therefore have "
            "shortcuts around "
            "their layers.",
            ("images grow alike",),
            against=("depth is no obstacle", "depth hurts batch norm no less"),
        ),
        Reason(
            "Strong regularization costs layer norm more than the plain net on this data. That does not make it layer "
            "norm's weakness: the plain net starts from larger weights here, which the penalty needs more steps to "
            "bring to nothing.",
            against=("regularization does not single out layer norm",),
        ),
        Reason(
            "Strong regularization hurts, but it hurts every net and says nothing about layer norm.",
            ("regularization hurts any net", "regularization does not single out layer norm"),
        ),
    ),
)
