"""Question 1: how does the scale of the initial weights act on nets with and without a norm, and why?

This is the notebook's figure over many seeds, at the notebook's one rate. `scale_or_step` asks what
the rate has to do with it.
"""

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
LEARNS, FITS = 0.3, 0.9
WHY_LEARNS = "three times the accuracy of guessing among ten classes counts as learning; 90 % is asked for beside it."
NORMS = ("no norm", "batch norm", "layer norm")
PLAIN, BATCH, LAYER = ({"norm": name} for name in NORMS)
NET = {"hidden_dims": (50,) * 7, "batch_size": 50, "num_epochs": 10, "learning_rate": 1e-3}


def share_that_reaches(level: float, where: dict[str, str]) -> Quantity:
    """The share of the twenty scales at which a net reaches this training accuracy."""
    return Quantity("best training accuracy", where, reduce="share above", level=level)


INITIALIZATION = Study(
    name="initialization",
    title="The scale of the initial weights",
    question="How does the scale of weight initialization affect nets with and without batch norm, "
    "and why?",
    grids=(
        Grid(
            fixed=NET,
            axes=(
                over_norms(None, "batchnorm", "layernorm"),
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
        Lines(
            "Best validation accuracy (the notebook's figure)",
            "best validation accuracy",
            x="weight scale",
            x_log=True,
        ),
        Lines(
            "Best training accuracy (the notebook's figure)",
            "best training accuracy",
            x="weight scale",
            x_log=True,
        ),
        Lines(
            "Final training loss (the notebook's figure)",
            "final loss",
            x="weight scale",
            x_log=True,
            y_range=(0.0, 3.5),
        ),
        *(
            Heat(
                f"Activations before training, {name}",
                "activation spread",
                "weight scale",
                "layer",
                {"norm": name},
            )
            for name in NORMS
        ),
        *(
            Heat(
                f"Gradients before training, {name}",
                "gradient spread",
                "weight scale",
                "layer",
                {"norm": name},
            )
            for name in NORMS
        ),
    ),
    claims=(
        Claim(
            name="wider range",
            statement="At the notebook's rate batch norm learns (training accuracy of at least 30 "
            "%) at more of the "
            "twenty weight scales than the plain net.",
            left=share_that_reaches(LEARNS, BATCH),
            right=share_that_reaches(LEARNS, PLAIN),
            unit="share",
            holds="At the notebook's rate batch norm learns at {left} of the twenty weight scales "
            "from 0.0001 to 1, "
            "the plain net at {right}.",
            fails="At the notebook's rate batch norm learns at {left} of the twenty weight scales "
            "from 0.0001 to 1, no "
            "more than the plain net at {right}.",
            headline=True,
        ),
        Claim(
            name="fits in a wider range",
            statement="At the notebook's rate batch norm fits 90 % of its training images at more "
            "of the twenty "
            "weight scales than the plain net.",
            left=share_that_reaches(FITS, BATCH),
            right=share_that_reaches(FITS, PLAIN),
            unit="share",
            holds="It fits 90 % of its training images at {left} of them, the plain net at "
            "{right}.",
            fails="It fits 90 % of its training images at {left} of them, no more than the plain "
            "net at {right}.",
            after_a_look="added because the level of 30 % alone decides how far apart the two are",
        ),
        Claim(
            name="small weights stop the plain net",
            statement="At scales below 0.001 the plain net does not learn (training accuracy below "
            "30 %).",
            left=Quantity("best training accuracy", {**PLAIN, "weight scale": SMALL}),
            right=None,
            expect="below",
            margin=LEARNS,
            why=WHY_LEARNS,
            holds="At scales below 0.001 the plain net fits only {left} of its training images.",
            fails="At scales below 0.001 the plain net still fits {left} of its training images.",
        ),
        Claim(
            name="the signal dies",
            statement="At scales below 0.001 the plain net's signal shrinks by more than six "
            "orders of magnitude from "
            "the first hidden layer to the last.",
            left=Quantity("signal kept", {**PLAIN, "weight scale": SMALL}),
            right=None,
            expect="below",
            margin=-6.0,
            why="float32 keeps seven digits: what shrinks by more is lost beside anything of size "
            "one.",
            unit="decades",
            holds="At scales below 0.001 the plain net's activations shrink by a factor of {left} "
            "between its first "
            "and its last hidden layer, before any training.",
            fails="At scales below 0.001 the plain net's activations change by a factor of only "
            "{left} between its "
            "first and its last hidden layer.",
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
            "{left} (mean over "
            "seeds).",
            fails="Even from a scale of 0.003 up, with batch norm this ratio varies by a factor of "
            "{left} (mean over "
            "seeds).",
            after_a_look="narrowed to scales above eps, after the claim about all scales had "
            "failed",
        ),
        Claim(
            name="large weights do not stop the plain net",
            statement="At scale 1 the plain net learns (training accuracy of at least 30 %).",
            left=Quantity("best training accuracy", {**PLAIN, "weight scale": LARGEST}),
            right=None,
            margin=LEARNS,
            why=WHY_LEARNS,
            holds="At scale 1 the plain net still fits {left} of its training images, whatever its "
            "loss.",
            fails="At scale 1 the plain net fits only {left} of its training images.",
            after_a_look="it had been about the loss, which grows with the scores and is no "
            "failure to learn",
        ),
        Claim(
            name="batch norm degrades too",
            statement="At the notebook's rate batch norm's best validation accuracy at scale 1 is "
            "at least 5 points "
            "below that at scales around 0.03.",
            left=Quantity("best validation accuracy", {**BATCH, "weight scale": MIDDLE}),
            right=Quantity("best validation accuracy", {**BATCH, "weight scale": LARGEST}),
            margin=0.05,
            why="five points are twice what batch norm gains over the plain net in the notebook's "
            "first study.",
            holds="At the notebook's rate batch norm falls from {left} at scales around 0.03 to "
            "{right} at scale 1: "
            "the study of scale and step says why.",
            fails="At the notebook's rate batch norm reaches {left} at scales around 0.03 and "
            "{right} at scale 1.",
            headline=True,
        ),
        Claim(
            name="layer norm widens the range",
            statement="At the notebook's rate layer norm learns at more of the twenty weight "
            "scales than the plain "
            "net.",
            left=share_that_reaches(LEARNS, LAYER),
            right=share_that_reaches(LEARNS, PLAIN),
            unit="share",
            holds="Layer norm learns at {left} of the scales, the plain net at {right}.",
            fails="Layer norm learns at {left} of the scales, no more than the plain net at "
            "{right}.",
        ),
        Claim(
            name="layer norm is ahead at the large end",
            statement="At scale 1 and the notebook's rate layer norm's best validation accuracy is "
            "above batch "
            "norm's.",
            left=Quantity("best validation accuracy", {**LAYER, "weight scale": LARGEST}),
            right=Quantity("best validation accuracy", {**BATCH, "weight scale": LARGEST}),
            holds="At scale 1 layer norm reaches {left}, batch norm {right}.",
            fails="At scale 1 layer norm reaches {left}, no more than batch norm's {right}.",
            after_a_look="added after the figure had shown it, and nobody had said it",
        ),
    ),
    answer=(
        Reason(
            "Without a norm, small weights stop the net. Each layer multiplies the signal by about "
            "the weight scale "
            "times the square root of half its width. Small weights shrink it layer by layer until "
            "the last layers, "
            "and the gradients on their way back, are as good as zero, and nothing is learned.",
            ("small weights stop the plain net", "the signal dies"),
        ),
        Reason(
            "Large weights multiply it instead, and the loss is astronomical. But a loss is "
            "measured in units of the "
            "scores, which grow with every layer's scale; what the net gets right is learned there "
            "too.",
            ("large weights do not stop the plain net",),
        ),
        Reason(
            "Batch norm takes the scale out of the forward pass at every layer, and the net learns "
            "over a wider "
            "range. It does so only down to its own eps: where the variance of a layer's input is "
            "below eps "
            "(0.00001), dividing by the root of variance plus eps no longer restores the spread.",
            ("wider range", "batch norm keeps the signal above eps"),
        ),
        Reason(
            "That it seems to degrade at large scales is the one rate of this figure: a step of "
            "fixed length turns a "
            "large weight by a smaller angle. See the study of scale and step.",
            ("batch norm degrades too",),
        ),
    ),
    leaves_out="Every scale is trained at one rate, 0.001, and the rate that suits a net depends "
    "on the scale of its "
    "weights. What of this figure is the scale and what is the rate, the next study shows.",
    literature=(
        "Ioffe and Szegedy 2015, section 3.3: batch norm makes a layer's output independent of the "
        "scale of its "
        "weights.",
        "Glorot and Bengio 2010; He et al. 2015: the scale at which a signal keeps its spread.",
        "Santurkar et al. 2018: what helps is a smoother loss, not less covariate shift.",
        "Yang et al. 2019: under batch norm gradients grow with depth, by about 1.2 a ReLU layer.",
    ),
)
