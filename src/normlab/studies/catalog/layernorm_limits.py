"""Question 4: when does layer norm work badly: very deep nets, few features, or strong regularization?

One thing varies at a time. How large the initial weights may be depends on norm, depth and width, so every net is run
from two starts and judged by the better: the notebook's weight scale, and weights of variance two over the width (He
et al. 2015), which keep a plain net's signal at any width and depth.

The design was changed after a first look at seeds 231 to 238, and each claim says how. What is printed is a fresh test:
the study runs on seeds from 251 on, which nobody had looked at when the claims took their present form.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from normlab.studies import (
    FIRST_STEP,
    Claim,
    Grid,
    Lines,
    Quantity,
    Reason,
    Study,
    over,
    over_norms,
)
from normlab.studies.spec import Where

TRAINING = {"batch_size": 50, "num_epochs": 10, "learning_rate": 1e-3}
DEPTHS = (1, 2, 5, 10, 20)
WIDTHS = (2, 3, 5, 10, 30, 100)
PENALTIES = (0.0, 0.1, 1.0, 10.0, 100.0)

TITLES = {
    "hidden layers": "Depth (hidden layers)",
    "width": "Width (features a layer)",
    "regularization": "Strength of the L2 penalty",
}
STARTS = (
    "the better of two starts took the place of the notebook's alone, "
    "at which layer norm had failed at twenty layers"
)
ADDED = "added to explain what the notebook's start alone had shown at twenty layers"
WIDTHS_IN_TWO = (
    "nets of two hidden layers took the place of five, in which no norm learned with two features"
)
PENALTY_100 = "the strongest penalty went from 1, which hardly touched any net, to 100; the better of two starts"
NOTEBOOK, HE = "the notebook's", "He's"
DEPTH, WIDTH, PENALTY = ({"varies": name} for name in ("depth", "width", "regularization"))


def from_both_starts(
    varies: dict[str, str], axis_name: str, nets: dict[float, dict[str, Any]]
) -> Iterable[Grid]:
    """These nets with each norm, from each start."""
    norms = over_norms(None, "batchnorm", "layernorm")
    for start in (NOTEBOOK, HE):
        scaled = {
            value: {
                **net,
                "weight_scale": 2e-2 if start == NOTEBOOK else math.sqrt(2 / net["hidden_dims"][0]),
            }
            for value, net in nets.items()
        }
        probes = (FIRST_STEP,) if varies == WIDTH and start == HE else ()
        yield Grid(
            TRAINING,
            (norms, over(axis_name, scaled, TITLES[axis_name])),
            {**varies, "start": start},
            probes,
        )


def accuracy(
    norm: str, varies: dict[str, str], axis_name: str, value: float, minus: Quantity | None = None
) -> Quantity:
    """A norm's best validation accuracy at one point, from the better start, less another quantity."""
    where: Where = {"norm": norm, **varies, axis_name: value}
    return Quantity("best validation accuracy", where, minus=minus, best_of="start")


def lost_by_width(norm: str) -> Quantity:
    """What going from 100 features to 2 costs a norm."""
    return accuracy(norm, WIDTH, "width", 100, minus=accuracy(norm, WIDTH, "width", 2))


def lost_by_depth(norm: str) -> Quantity:
    """What going from five hidden layers to twenty costs a norm."""
    return accuracy(
        norm, DEPTH, "hidden layers", 5, minus=accuracy(norm, DEPTH, "hidden layers", 20)
    )


def lost_by_penalty(norm: str) -> Quantity:
    """What the strongest penalty costs a norm."""
    none, strongest = PENALTIES[0], PENALTIES[-1]
    return accuracy(
        norm,
        PENALTY,
        "regularization",
        none,
        minus=accuracy(norm, PENALTY, "regularization", strongest),
    )


LAYERNORM_LIMITS = Study(
    name="layernorm-limits",
    title="Where layer norm works badly",
    question="When is layer normalization likely to not work well: in a very deep net, with "
    "very few features, "
    "or under strong regularization?",
    first_seed=251,
    grids=(
        *from_both_starts(
            DEPTH, "hidden layers", {depth: {"hidden_dims": (100,) * depth} for depth in DEPTHS}
        ),
        *from_both_starts(
            WIDTH, "width", {width: {"hidden_dims": (width,) * 2} for width in WIDTHS}
        ),
        *from_both_starts(
            PENALTY,
            "regularization",
            {reg: {"hidden_dims": (100,) * 5, "reg": reg} for reg in PENALTIES},
        ),
    ),
    measures=(
        "best validation accuracy",
        "best training accuracy",
        "final loss",
        "gradient kept",
    ),
    figure=(
        Lines(
            "Few features (better of two starts)",
            "best validation accuracy",
            "width",
            where=WIDTH,
            x_log=True,
            best_of="start",
        ),
        Lines(
            "Depth (better of two starts)",
            "best validation accuracy",
            "hidden layers",
            where=DEPTH,
            x_log=True,
            best_of="start",
        ),
        Lines(
            "Regularization",
            "best validation accuracy",
            "regularization",
            where=PENALTY,
            x_log=True,
            best_of="start",
        ),
        Lines(
            "Gradient of the first layer against the last's, before training",
            "gradient kept",
            x="width",
            where={**WIDTH, "start": HE},
            x_log=True,
            y_log=True,
        ),
        Lines(
            "Layer norm over depth, from each start",
            "best validation accuracy",
            x="hidden layers",
            lines=("start",),
            where={**DEPTH, "norm": "layer norm"},
            x_log=True,
        ),
    ),
    claims=(
        Claim(
            name="few features hurt layer norm",
            after_a_look=WIDTHS_IN_TWO,
            statement="Going from 100 features to 2 costs layer norm more validation accuracy "
            "than it costs "
            "batch norm.",
            left=lost_by_width("layer norm"),
            right=lost_by_width("batch norm"),
            holds="Going from 100 features to 2 costs layer norm {left} of validation "
            "accuracy, and batch norm "
            "{right}.",
            fails="Going from 100 features to 2 costs layer norm {left} of validation "
            "accuracy, and batch norm "
            "as much or more: {right}.",
            headline=True,
        ),
        Claim(
            name="two features pass no gradient",
            after_a_look=WIDTHS_IN_TWO,
            statement="With two features, less than a tenth of the gradient that batch norm "
            "passes reaches the "
            "first layer through layer norm, relative to the last layer's.",
            left=Quantity(
                "gradient kept", {"norm": "layer norm", **WIDTH, "width": 2, "start": HE}
            ),
            right=Quantity(
                "gradient kept", {"norm": "batch norm", **WIDTH, "width": 2, "start": HE}
            ),
            expect="below",
            margin=-1.0,
            why="a tenth is one decade: what Adam's normalized steps and ten epochs could "
            "still make up for.",
            unit="decades",
            holds="The reason: two features, normalized, are always plus and minus one. Before "
            "training, the "
            "first layer's gradient is {left} of the last's with layer norm, and {right} with "
            "batch norm.",
            fails="Before training, the first layer's gradient is {left} of the last's with "
            "layer norm, and "
            "{right} with batch norm.",
        ),
        Claim(
            name="depth is no obstacle",
            after_a_look=STARTS,
            statement="Twenty hidden layers cost layer norm less than 10 points of validation "
            "accuracy against five.",
            left=accuracy("layer norm", DEPTH, "hidden layers", 5),
            right=accuracy("layer norm", DEPTH, "hidden layers", 20),
            expect="below",
            margin=0.10,
            why="ten points are what separates a net that works from one that does not on "
            "these images.",
            holds="Depth costs layer norm less than ten points: it reaches {left} with five "
            "hidden layers, {right} "
            "with twenty.",
            fails="Depth hurts layer norm: with five hidden layers it reaches {left}, with "
            "twenty {right}.",
            headline=True,
        ),
        Claim(
            name="the start, not the depth",
            after_a_look=ADDED,
            statement="At twenty hidden layers layer norm's validation accuracy is at least 10 "
            "points higher "
            "from He's start than from the notebook's.",
            left=Quantity(
                "best validation accuracy",
                {"norm": "layer norm", **DEPTH, "hidden layers": 20, "start": HE},
            ),
            right=Quantity(
                "best validation accuracy",
                {"norm": "layer norm", **DEPTH, "hidden layers": 20, "start": NOTEBOOK},
            ),
            margin=0.10,
            why="ten points are what separates a net that works from one that does not on "
            "these images.",
            holds="At twenty hidden layers layer norm reaches {left} from He's start, and "
            "{right} from the notebook's.",
            fails="At twenty hidden layers layer norm reaches {left} from He's start, and from "
            "the notebook's {right}.",
        ),
        Claim(
            name="depth hurts batch norm no less",
            after_a_look=STARTS,
            statement="Going from five hidden layers to twenty costs layer norm at most 5 "
            "points more than batch norm.",
            left=lost_by_depth("layer norm"),
            right=lost_by_depth("batch norm"),
            expect="below",
            margin=0.05,
            why="half of the ten points that count as a failure.",
            holds="Going from five hidden layers to twenty costs layer norm {left}, and batch "
            "norm {right}.",
            fails="Going from five hidden layers to twenty costs layer norm {left}, and batch "
            "norm only {right}.",
        ),
        Claim(
            name="regularization hurts any net",
            after_a_look=PENALTY_100,
            statement="The strongest penalty costs each of the three nets at least 10 points "
            "of validation accuracy.",
            left=Quantity(
                "best validation accuracy",
                {**PENALTY, "regularization": 0.0},
                reduce="min",
                best_of="start",
            ),
            right=Quantity(
                "best validation accuracy",
                {**PENALTY, "regularization": 100.0},
                reduce="max",
                best_of="start",
            ),
            margin=0.10,
            why="ten points are what separates a net that works from one that does not on "
            "these images.",
            holds="A penalty of 100 hurts any net: the best of the three falls to {right}, "
            "from {left} or more "
            "without.",
            fails="A penalty of 100 does not hurt every net: the best of the three still "
            "reaches {right}.",
        ),
        Claim(
            name="regularization does not single out layer norm",
            after_a_look=PENALTY_100,
            statement="The strongest penalty costs layer norm at most 5 points more than it "
            "costs the plain net.",
            left=lost_by_penalty("layer norm"),
            right=lost_by_penalty("no norm"),
            expect="below",
            margin=0.05,
            why="half of the ten points that count as a failure.",
            holds="The strongest penalty costs layer norm {left} and the plain net {right}: it "
            "is not layer "
            "norm's weakness.",
            fails="The strongest penalty costs layer norm {left}, and the plain net only {right}.",
            headline=True,
        ),
    ),
    answer=(
        Reason(
            "Few features are the answer. Layer norm takes its mean and variance over an "
            "image's features; "
            "with two of them the output is one plus and one minus one whatever came in, so "
            "that all but the "
            "order is lost, and the gradient stops there.",
            ("few features hurt layer norm", "two features pass no gradient"),
        ),
        Reason(
            "Few features are layer norm's weak spot in the gradient: with two of them its "
            "output is one plus "
            "and one minus one whatever came in, and next to nothing passes on the way back. "
            "Whether that "
            "costs more accuracy than so narrow a net loses anyhow, these seeds cannot tell.",
            ("two features pass no gradient",),
            undecided=("few features hurt layer norm",),
        ),
        Reason(
            "Few features hurt, but on this data not layer norm more than batch norm.",
            against=("few features hurt layer norm",),
        ),
        Reason(
            "Depth alone does not do it, if the initial weights are not too small. From the "
            "notebook's start "
            "twenty layers of layer norm seem to fail; from a larger start the same net "
            "learns. The likely "
            "reason: a step of Adam is as long for small weights as for large ones, so it "
            "turns small ones by "
            "more, in all twenty layers at once.",
            ("depth is no obstacle", "the start, not the depth"),
        ),
        Reason(
            "Depth alone does not do it.",
            ("depth is no obstacle",),
            against=("the start, not the depth",),
        ),
        Reason(
            "Depth hurts it too: twenty layers reach clearly less than five, from either start.",
            against=("depth is no obstacle",),
        ),
        Reason(
            "Strong regularization costs layer norm more than it costs the plain net on this data.",
            against=("regularization does not single out layer norm",),
        ),
        Reason(
            "Strong regularization hurts, but it hurts every net and says nothing about layer "
            "norm.",
            ("regularization hurts any net", "regularization does not single out layer norm"),
        ),
    ),
)
