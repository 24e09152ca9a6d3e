"""Question 1: how does the scale of the initial weights act on nets with and without a norm, and why?"""

from __future__ import annotations

import numpy as np

from normlab.studies import (
    FIRST_STEP,
    Claim,
    Grid,
    Heat,
    Lines,
    Quantity,
    Reason,
    Study,
    over_field,
    over_norms,
)

SCALES = tuple(float(scale) for scale in np.logspace(-4, 0, num=20))
SMALL = SCALES[:5]  # up to 7e-4
LARGEST = SCALES[-1]
FROM_0_003 = SCALES[7:]
MIDDLE = SCALES[9:15]  # 0.008 to 0.09
LEARNS = 0.3  # three times the accuracy of guessing among ten classes

PLAIN, BATCH, LAYER, RMS = (
    {"norm": name} for name in ("no norm", "batch norm", "layer norm", "RMS norm")
)


def share_that_learns(where: dict[str, str]) -> Quantity:
    """The share of the twenty scales at which a net learns."""
    return Quantity("best training accuracy", where, reduce="share above", level=LEARNS)


INITIALIZATION = Study(
    name="initialization",
    title="The scale of the initial weights",
    question="How does the scale of weight initialization affect nets with and without batch "
    "norm, and why?",
    grids=(
        Grid(
            fixed={
                "hidden_dims": (50,) * 7,
                "batch_size": 50,
                "num_epochs": 10,
                "learning_rate": 1e-3,
            },
            axes=(
                over_norms(None, "batchnorm", "layernorm", "rmsnorm"),
                over_field("weight scale", "weight_scale", SCALES, "Weight scale"),
            ),
            probes=(FIRST_STEP,),
        ),
    ),
    measures=(
        "best validation accuracy",
        "best training accuracy",
        "final loss",
        "signal kept",
        "first-layer gradient",
    ),
    figure=(
        Lines("Best validation accuracy", "best validation accuracy", x="weight scale", x_log=True),
        Lines("Best training accuracy", "best training accuracy", x="weight scale", x_log=True),
        Lines(
            "Final training loss", "final loss", x="weight scale", x_log=True, y_range=(0.0, 3.5)
        ),
        *(
            Heat(
                f"Activations before training, {name}",
                "activation spread",
                "weight scale",
                "layer",
                {"norm": name},
            )
            for name in ("no norm", "batch norm", "layer norm", "RMS norm")
        ),
        *(
            Heat(
                f"Gradients before training, {name}",
                "gradient spread",
                "weight scale",
                "layer",
                {"norm": name},
            )
            for name in ("no norm", "batch norm", "layer norm", "RMS norm")
        ),
    ),
    claims=(
        Claim(
            name="wider range",
            statement="Batch norm learns (training accuracy of at least 30 %) at more of the "
            "twenty weight scales.",
            left=share_that_learns(BATCH),
            right=share_that_learns(PLAIN),
            unit="share",
            holds="Batch norm learns at {left} of the twenty weight scales from 0.0001 to 1, "
            "the plain net at {right}.",
            fails="Batch norm learns at {left} of the twenty weight scales from 0.0001 to 1, "
            "no more than the "
            "plain net at {right}.",
            headline=True,
        ),
        Claim(
            name="better everywhere",
            statement="Averaged over all scales, batch norm has the higher best validation "
            "accuracy.",
            left=Quantity("best validation accuracy", BATCH),
            right=Quantity("best validation accuracy", PLAIN),
            holds="Averaged over all scales, the best validation accuracy is {left} with batch "
            "norm and "
            "{right} without.",
            fails="Averaged over all scales, the best validation accuracy is {left} with batch "
            "norm, below the "
            "plain net's {right}.",
        ),
        Claim(
            name="small weights stop the plain net",
            statement="At scales below 0.001 the plain net does not learn (training accuracy "
            "below 30 %).",
            left=Quantity("best training accuracy", {**PLAIN, "weight scale": SMALL}),
            right=None,
            expect="below",
            margin=LEARNS,
            why="three times the accuracy of guessing among ten classes counts as learning.",
            holds="At scales below 0.001 the plain net fits only {left} of its training images.",
            fails="At scales below 0.001 the plain net still fits {left} of its training images.",
        ),
        Claim(
            name="the signal dies",
            statement="At scales below 0.001 the plain net's signal shrinks by more than six "
            "orders of "
            "magnitude from the first hidden layer to the last.",
            left=Quantity("signal kept", {**PLAIN, "weight scale": SMALL}),
            right=None,
            expect="below",
            margin=-6.0,
            why="float32 keeps seven digits: what shrinks by more is lost beside anything of "
            "size one.",
            unit="decades",
            holds="The reason: at scales below 0.001 the plain net's activations shrink by a "
            "factor of {left} "
            "between its first and its last hidden layer, before any training.",
            fails="At scales below 0.001 the plain net's activations change by a factor of "
            "only {left} between "
            "its first and its last hidden layer.",
        ),
        Claim(
            name="batch norm keeps the signal",
            statement="Over all twenty scales, batch norm's ratio of the last hidden layer's "
            "spread to the first's "
            "varies by less than a factor of three.",
            left=Quantity("signal kept", BATCH, reduce="range"),
            right=None,
            expect="below",
            margin=0.477,
            why="a factor of three is what one layer at the edge of the plain net's range changes.",
            unit="decades",
            holds="With batch norm the same ratio varies by a factor of {left} over all twenty "
            "scales (mean over seeds).",
            fails="With batch norm the same ratio still varies by a factor of {left} over the "
            "twenty scales.",
        ),
        Claim(
            name="batch norm keeps the signal above eps",
            statement="From a scale of 0.003 up, batch norm's ratio of the last hidden layer's "
            "spread to the first's "
            "varies by less than a factor of three.",
            left=Quantity("signal kept", {**BATCH, "weight scale": FROM_0_003}, reduce="range"),
            right=None,
            expect="below",
            margin=0.477,
            why="a factor of three is what one layer at the edge of the plain net's range changes.",
            unit="decades",
            holds="From a scale of 0.003 up, with batch norm this ratio varies by a factor of "
            "{left} (mean over seeds).",
            fails="Even from a scale of 0.003 up, with batch norm this ratio varies by a "
            "factor of {left}.",
            after_a_look="narrowed to scales above eps, after the claim about all scales had "
            "failed",
        ),
        Claim(
            name="large weights explode the plain net",
            statement="At scale 1 the plain net's loss, at the end of training, is still above 10.",
            left=Quantity("final loss", {**PLAIN, "weight scale": LARGEST}),
            right=None,
            margin=10.0,
            why="guessing gives a loss of 2.3; four times that is the scale of the scores, not "
            "of their order.",
            unit="loss",
            holds="At scale 1 the plain net's loss is still {left} after ten epochs; guessing "
            "would give 2.3.",
            fails="At scale 1 the plain net's loss comes down to {left} within ten epochs.",
        ),
        Claim(
            name="batch norm degrades too",
            statement="Batch norm's best validation accuracy at scale 1 is at least 5 points "
            "below that at "
            "scales around 0.03.",
            left=Quantity("best validation accuracy", {**BATCH, "weight scale": MIDDLE}),
            right=Quantity("best validation accuracy", {**BATCH, "weight scale": LARGEST}),
            margin=0.05,
            why="five points are twice what batch norm gains over the plain net in the "
            "notebook's first study.",
            holds="Batch norm is not indifferent: its best validation accuracy falls from "
            "{left} at scales "
            "around 0.03 to {right} at scale 1.",
            fails="Batch norm loses less than five points: {left} at scales around 0.03, "
            "{right} at scale 1.",
            headline=True,
        ),
        Claim(
            name="layer norm widens the range",
            statement="Layer norm learns at more of the twenty weight scales than the plain net.",
            left=share_that_learns(LAYER),
            right=share_that_learns(PLAIN),
            unit="share",
            holds="Layer norm learns at {left} of the scales, the plain net at {right}.",
            fails="Layer norm learns at {left} of the scales, no more than the plain net at "
            "{right}.",
        ),
        Claim(
            name="RMS norm widens the range",
            statement="RMS norm, which does not centre, learns at more of the twenty weight "
            "scales than the plain net.",
            left=share_that_learns(RMS),
            right=share_that_learns(PLAIN),
            unit="share",
            holds="RMS norm, which rescales without centring, learns at {left} of the scales, "
            "the plain net at "
            "{right}.",
            fails="RMS norm learns at {left} of the scales, no more than the plain net at {right}.",
        ),
    ),
    answer=(
        Reason(
            "Without a norm, small weights stop the net. Each layer multiplies the signal by about "
            "the weight scale times the square root of half its width. Small weights shrink it "
            "layer by "
            "layer until the last layers, and the gradients on their way back, are as good as "
            "zero, and "
            "nothing is learned.",
            ("small weights stop the plain net", "the signal dies"),
        ),
        Reason(
            "Large weights multiply it instead, and the loss is astronomical: a loss is "
            "measured in units of the "
            "scores, and these grow with every layer's scale. That is no failure to learn: the "
            "order of the scores is "
            "learned at scale 1 too, if less well (see the training accuracy).",
            ("large weights explode the plain net",),
        ),
        Reason(
            "Batch norm takes the scale out of the forward pass at every layer, so the spread "
            "of the "
            "activations is the same for weights of any size, and the net learns over a much "
            "wider range.",
            ("wider range", "batch norm keeps the signal"),
        ),
        Reason(
            "Batch norm takes the scale out of the forward pass at every layer, and the net "
            "learns over a much "
            "wider range. It does so only down to its own eps: where weights are so small that "
            "the variance of "
            "a layer's input is below eps (0.00001), dividing by the root of variance plus eps "
            "no longer "
            "restores the spread, and the signal shrinks from layer to layer here too, if far "
            "less than "
            "without a norm.",
            ("wider range", "batch norm keeps the signal above eps"),
            against=("batch norm keeps the signal",),
        ),
        Reason(
            "Yet, at this one rate, the scale has not gone. Of a normalized weight only the "
            "direction matters, and a step of "
            "Adam, whose length does not depend on the gradient's, turns a large weight by a "
            "smaller angle; "
            "and the last layer has no norm, so its first scores grow with the scale. At the "
            "largest scales a "
            "normalized net therefore learns too slowly, and degrades too.",
            ("batch norm degrades too",),
        ),
        Reason(
            "Rescaling is what matters here: RMS norm, which does not centre, widens the range "
            "as well.",
            ("RMS norm widens the range", "layer norm widens the range"),
        ),
    ),
)
