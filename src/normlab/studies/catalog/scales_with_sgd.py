"""Deep Learning from Scratch's study of weight scales, with the seeds that it leaves out."""

from __future__ import annotations

import numpy as np

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over_field, over_norms

SCALES = tuple(float(scale) for scale in np.logspace(0, -4, num=16))
LEARNS = 0.3

SCALES_WITH_SGD = Study(
    name="scales-with-sgd",
    title="Sixteen scales, with SGD",
    question="Does batch norm make a net with plain SGD indifferent to the scale of its initial weights?",
    full_only=True,
    grids=(
        Grid(
            {
                "hidden_dims": (100,) * 5,
                "batch_size": 100,
                "num_epochs": 20,
                "update_rule": "sgd",
                "learning_rate": 0.01,
                "inputs": "scaled",
            },
            (
                over_norms(None, "batchnorm"),
                over_field("weight scale", "weight_scale", SCALES, "Weight scale"),
            ),
        ),
    ),
    measures=("best training accuracy", "best validation accuracy", "final loss"),
    figure=(
        Lines(
            "Best training accuracy",
            "best training accuracy",
            x="weight scale",
            x_log=True,
        ),
        Lines(
            "Training accuracy, batch norm, at five scales",
            "training accuracy",
            x="epoch",
            lines=("weight scale",),
            where={"norm": "batch norm", "weight scale": SCALES[::3][:5]},
        ),
    ),
    claims=(
        Claim(
            name="wider range with SGD",
            statement="Batch norm learns (training accuracy of at least 30 %) at more of the sixteen scales than the "
            "plain net.",
            left=Quantity(
                "best training accuracy", {"norm": "batch norm"}, reduce="share above", level=LEARNS
            ),
            right=Quantity(
                "best training accuracy", {"norm": "no norm"}, reduce="share above", level=LEARNS
            ),
            unit="share",
            holds="With SGD batch norm learns at {left} of the sixteen scales, the plain net at {right}.",
            fails="With SGD batch norm learns at {left} of the sixteen scales, no more than the plain net: {right}.",
            headline=True,
        ),
    ),
    answer=(
        Reason(
            "It makes it far less dependent on the scale, at one rate.", ("wider range with SGD",)
        ),
    ),
    literature=(
        "Saitoh 2016, Deep Learning from Scratch, figure 6-19: MNIST, 1,000 images, five hidden "
        "layers of 100, SGD at 0.01, one seed. Here with bands over seeds, on whichever data set "
        "is asked for.",
    ),
)
