"""Question 4: when does layer norm work badly: very deep nets, few features, or strong regularization?

One thing varies at a time, and each net is judged by its better start, and its better rate where
depth varies. The plain net, batch norm and RMS norm stand beside layer norm throughout: what hurts
them all is no weakness of layer norm.

The design was changed several times after a look at seeds 231 to 238, and each claim says how. What
is printed is a fresh test, on seeds from 251 on, which nobody had looked at when the claims took
their present form.
"""

from __future__ import annotations

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
    over_field,
    over_norms,
)
from normlab.studies.spec import Where

TRAINING = {"batch_size": 50, "num_epochs": 10, "test": True}
RATES = (1e-4, 1e-3)
NOTEBOOKS_RATE = 1e-3
DEPTHS = (5, 20)
WIDTHS = (2, 5, 10, 100)
PENALTIES = (0.0, 100.0)
NORMS = (None, "batchnorm", "layernorm", "rmsnorm")

CONTROLS = (
    "the plain net, and a choice of start on validation and of what is reported on test images, "
    "were added after a "
    "review of earlier results"
)
STARTS = (
    "the better of two starts took the place of the notebook's alone, at which layer norm had "
    "failed at twenty layers; "
    "then the rate was chosen as well"
)
ADDED = (
    "added to explain what the notebook's start alone had shown at twenty layers; it was about the "
    "start until a review "
    "showed that a smaller rate does as well"
)
WIDTHS_IN_TWO = (
    "nets of two hidden layers took the place of five, in which no norm learned with two features"
)
PENALTY_100 = "the strongest penalty went from 1, which hardly touched any net, to 100; the better of two starts"
NOTEBOOK, HE = "std 0.02 (notebook)", "He initialization"
DEPTH, WIDTH, PENALTY = ({"varies": name} for name in ("depth", "width", "regularization"))
VALIDATION, TEST = "best validation accuracy", "test accuracy"
WHY_TEN = "ten points are what separates a net that works from one that does not on these images."
WHY_FIVE = "half of the ten points that count as a failure."


def both_starts() -> Any:
    """The axis of the two starts."""
    return over("start", {NOTEBOOK: {"weight_scale": 2e-2}, HE: {"start": "he"}}, "Start", "{}")


GRIDS = (
    Grid(
        TRAINING,
        (
            over_norms(*NORMS),
            over(
                "hidden layers",
                {depth: {"hidden_dims": (100,) * depth} for depth in DEPTHS},
                "Hidden layers",
            ),
            both_starts(),
            over_field("learning rate", "learning_rate", RATES, "Learning rate", "rate {}"),
        ),
        DEPTH,
    ),
    Grid(
        {**TRAINING, "learning_rate": NOTEBOOKS_RATE},
        (
            over_norms(*NORMS),
            over(
                "width",
                {width: {"hidden_dims": (width,) * 2} for width in WIDTHS},
                "Width (features a layer)",
            ),
            both_starts(),
        ),
        WIDTH,
        probes=(FIRST_STEP,),
    ),
    Grid(
        {**TRAINING, "learning_rate": NOTEBOOKS_RATE, "hidden_dims": (100,) * 5},
        (
            over_norms(*NORMS),
            over_field("regularization", "reg", PENALTIES, "Strength of the L2 penalty"),
            both_starts(),
        ),
        PENALTY,
    ),
)


def best(norm: str, where: Where, minus: Quantity | None = None) -> Quantity:
    """A norm's test accuracy at the start, and the rate where there are two, that are best on validation images."""
    axes = ("start", "learning rate") if where.get("varies") == "depth" else ("start",)
    return Quantity(TEST, {"norm": norm, **where}, minus=minus, best_of=axes, chosen_by=VALIDATION)


def lost(norm: str, varies: dict[str, str], axis: str, usual: float, hard: float) -> Quantity:
    """What going from a usual net to a hard one costs a norm."""
    return best(norm, {**varies, axis: usual}, minus=best(norm, {**varies, axis: hard}))


LAYERNORM_LIMITS = Study(
    name="layernorm-limits",
    title="Where layer norm works badly",
    question="When is layer normalization likely to not work well: in a very deep net, with very "
    "few features, or under "
    "strong regularization?",
    first_seed=251,
    grids=GRIDS,
    measures=(TEST, VALIDATION, "best training accuracy", "final loss", "gradient kept"),
    figure=(
        Lines(
            "Few features",
            TEST,
            x="width",
            where=WIDTH,
            x_log=True,
            best_of="start",
            chosen_by=VALIDATION,
            note="The better of two starts, chosen on validation images.",
        ),
        Lines(
            "Depth",
            TEST,
            x="hidden layers",
            where=DEPTH,
            x_log=True,
            best_of=("start", "learning rate"),
            chosen_by=VALIDATION,
            note="The best of two starts and two rates, chosen on validation images.",
        ),
        Lines(
            "Regularization",
            TEST,
            x="regularization",
            where=PENALTY,
            x_log=True,
            best_of="start",
            chosen_by=VALIDATION,
            note="The better of two starts, chosen on validation images.",
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
            "Layer norm over depth, from each start at each rate",
            TEST,
            x="hidden layers",
            lines=("start", "learning rate"),
            where={**DEPTH, "norm": "layer norm"},
            x_log=True,
        ),
    ),
    claims=(
        Claim(
            name="few features hurt layer norm",
            statement="At ten features layer norm's test accuracy is below the plain net's.",
            left=best("no norm", {**WIDTH, "width": 10}),
            right=best("layer norm", {**WIDTH, "width": 10}),
            holds="With ten features a layer the plain net reaches {left}, layer norm {right}.",
            fails="With ten features a layer layer norm reaches {right}, no less than the plain "
            "net's {left}.",
            headline=True,
            after_a_look=CONTROLS,
        ),
        Claim(
            name="few features hurt batch norm",
            statement="At ten features batch norm's test accuracy is below the plain net's.",
            left=best("no norm", {**WIDTH, "width": 10}),
            right=best("batch norm", {**WIDTH, "width": 10}),
            holds="With ten features a layer the plain net reaches {left}, batch norm {right}.",
            fails="With ten features a layer batch norm reaches {right}, no less than the plain "
            "net's {left}.",
            headline=True,
            after_a_look=CONTROLS,
        ),
        Claim(
            name="two features hurt layer norm most",
            statement="Going from 100 features to 2 costs layer norm more test accuracy than it "
            "costs batch norm.",
            left=lost("layer norm", WIDTH, "width", 100, 2),
            right=lost("batch norm", WIDTH, "width", 100, 2),
            holds="Going from 100 features to 2 costs layer norm {left}, and batch norm {right}.",
            fails="Going from 100 features to 2 costs layer norm {left}, and batch norm as much or "
            "more: {right}.",
            after_a_look=WIDTHS_IN_TWO,
        ),
        Claim(
            name="two features pass no gradient",
            statement="With two features, less than a tenth of the gradient that batch norm passes "
            "reaches the first "
            "layer through layer norm, relative to the last layer's.",
            left=Quantity(
                "gradient kept", {"norm": "layer norm", **WIDTH, "width": 2, "start": HE}
            ),
            right=Quantity(
                "gradient kept", {"norm": "batch norm", **WIDTH, "width": 2, "start": HE}
            ),
            expect="below",
            margin=-1.0,
            why="a tenth is one decade, which the steps of Adam could still make up for.",
            unit="decades",
            holds="Two features, normalized, are always plus and minus one. Before training, the "
            "first layer's "
            "gradient is {left} of the last's with layer norm, and {right} with batch norm.",
            fails="Before training, the first layer's gradient is {left} of the last's with layer "
            "norm, and {right} "
            "with batch norm.",
            after_a_look=WIDTHS_IN_TWO,
        ),
        Claim(
            name="depth is no obstacle",
            statement="Twenty hidden layers cost layer norm less than 10 points of test accuracy "
            "against five.",
            left=best("layer norm", {**DEPTH, "hidden layers": 5}),
            right=best("layer norm", {**DEPTH, "hidden layers": 20}),
            expect="below",
            margin=0.10,
            why=WHY_TEN,
            holds="Depth costs layer norm less than ten points: it reaches {left} with five hidden "
            "layers, {right} "
            "with twenty.",
            fails="Depth hurts layer norm: with five hidden layers it reaches {left}, with twenty "
            "{right}.",
            headline=True,
            after_a_look=STARTS,
        ),
        Claim(
            name="the step, not the depth",
            statement="At twenty hidden layers, from the notebook's start, layer norm's test "
            "accuracy is at least 10 "
            "points higher at a tenth of the notebook's rate.",
            left=Quantity(
                TEST,
                {
                    "norm": "layer norm",
                    **DEPTH,
                    "hidden layers": 20,
                    "start": NOTEBOOK,
                    "learning rate": 1e-4,
                },
            ),
            right=Quantity(
                TEST,
                {
                    "norm": "layer norm",
                    **DEPTH,
                    "hidden layers": 20,
                    "start": NOTEBOOK,
                    "learning rate": 1e-3,
                },
            ),
            margin=0.10,
            why=WHY_TEN,
            holds="From the notebook's start twenty layers of layer norm reach {right} at its "
            "rate, and {left} at a "
            "tenth of it.",
            fails="From the notebook's start twenty layers of layer norm reach {right} at its "
            "rate, and at a tenth of "
            "it {left}.",
            after_a_look=ADDED,
        ),
        Claim(
            name="depth hurts batch norm no less",
            statement="Going from five hidden layers to twenty costs layer norm at most 5 points "
            "more than batch norm.",
            left=lost("layer norm", DEPTH, "hidden layers", 5, 20),
            right=lost("batch norm", DEPTH, "hidden layers", 5, 20),
            expect="below",
            margin=0.05,
            why=WHY_FIVE,
            holds="Going from five hidden layers to twenty costs layer norm {left}, and batch norm "
            "{right}.",
            fails="Going from five hidden layers to twenty costs layer norm {left}, and batch norm "
            "only {right}.",
            after_a_look=STARTS,
        ),
        Claim(
            name="a huge penalty stops any net",
            statement="A penalty of 100 costs each of the four nets at least 10 points of test "
            "accuracy.",
            left=Quantity(
                TEST,
                {**PENALTY, "regularization": 0.0},
                reduce="min",
                best_of="start",
                chosen_by=VALIDATION,
            ),
            right=Quantity(
                TEST,
                {**PENALTY, "regularization": 100.0},
                reduce="max",
                best_of="start",
                chosen_by=VALIDATION,
            ),
            margin=0.10,
            why=WHY_TEN,
            holds="A penalty of 100 stops any net: the best of the four falls to {right}, from "
            "{left} or more without.",
            fails="A penalty of 100 does not stop every net: the best of the four still reaches "
            "{right}.",
            after_a_look=PENALTY_100,
        ),
        Claim(
            name="the penalty does not single out layer norm",
            statement="A penalty of 100 costs layer norm at most 5 points more test accuracy than "
            "it costs the plain "
            "net.",
            left=lost("layer norm", PENALTY, "regularization", 0.0, 100.0),
            right=lost("no norm", PENALTY, "regularization", 0.0, 100.0),
            expect="below",
            margin=0.05,
            why=WHY_FIVE,
            holds="A penalty of 100 costs layer norm {left} and the plain net {right}: it is not "
            "layer norm's weakness.",
            fails="A penalty of 100 costs layer norm {left}, and the plain net only {right}.",
            headline=True,
            after_a_look=PENALTY_100,
        ),
    ),
    answer=(
        Reason(
            "Few features. But they hurt batch norm as well: a norm takes two numbers off every "
            "few, and a narrow net "
            "has none to spare.",
            ("few features hurt layer norm", "few features hurt batch norm"),
        ),
        Reason(
            "Layer norm alone is at a loss with two of them: its output is one plus and one minus "
            "one whatever came "
            "in, so that all but the order is lost, and the gradient stops there.",
            ("two features hurt layer norm most", "two features pass no gradient"),
        ),
        Reason(
            "With two of them layer norm's output is one plus and one minus one whatever came in, "
            "and next to nothing "
            "passes on the way back. Whether that costs more accuracy than so narrow a net loses "
            "anyhow, these seeds "
            "cannot tell.",
            ("two features pass no gradient",),
            undecided=("two features hurt layer norm most",),
        ),
        Reason(
            "Depth alone does not do it. From the notebook's start at the notebook's rate twenty "
            "layers of layer norm "
            "seem to fail; the same net from the same start learns at a smaller rate.",
            ("depth is no obstacle", "the step, not the depth"),
        ),
        Reason(
            "Depth hurts it too: twenty layers reach clearly less than five, at its best start and "
            "rate.",
            against=("depth is no obstacle",),
        ),
        Reason(
            "A penalty so strong that it stops every net says nothing about layer norm. What a "
            "milder one does to a "
            "normalized net is another matter: it cannot make the function smaller, only each step "
            "larger (van "
            "Laarhoven 2017).",
            ("a huge penalty stops any net", "the penalty does not single out layer norm"),
        ),
    ),
    literature=(
        "Ba, Kiros and Hinton 2016, Layer normalization, section 5: invariances; few features are "
        "not discussed.",
        "van Laarhoven 2017; Hoffer et al. 2018, Norm matters: under a norm the penalty moves the "
        "effective rate only.",
        "De and Smith 2020; Yang et al. 2019: what depth does with and without batch norm.",
    ),
)
