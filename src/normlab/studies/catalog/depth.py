"""Does batch norm make a deep net easier to train? The notebook's first study, over many seeds."""

from __future__ import annotations

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over_norms

PLAIN = {"norm": "no norm"}
BATCH = {"norm": "batch norm"}

DEPTH = Study(
    name="depth",
    title="A deep net, with and without batch norm",
    question="Does batch norm make a six-layer net easier to train?",
    grids=(
        Grid(
            fixed={
                "hidden_dims": (100,) * 5,
                "weight_scale": 2e-2,
                "batch_size": 50,
                "num_epochs": 10,
                "learning_rate": 1e-3,
            },
            axes=(over_norms(None, "batchnorm"),),
        ),
    ),
    measures=("best validation accuracy", "best training accuracy", "mean loss", "final loss"),
    figure=(
        Lines("Training loss", "loss", x="step", y_log=True),
        Lines("Training accuracy", "training accuracy", x="epoch"),
        Lines("Validation accuracy", "validation accuracy", x="epoch"),
    ),
    claims=(
        Claim(
            name="faster at the start",
            statement="After one epoch the net with batch norm has the higher training accuracy.",
            left=Quantity("first-epoch training accuracy", BATCH),
            right=Quantity("first-epoch training accuracy", PLAIN),
            holds="After one epoch the net with batch norm classifies {left} of its training "
            "images, the plain "
            "net {right}.",
            fails="After one epoch the net with batch norm classifies only {left} of its "
            "training images, the "
            "plain net {right}.",
            headline=True,
        ),
        Claim(
            name="lower loss throughout",
            statement="Averaged over all steps, the training loss is lower with batch norm.",
            left=Quantity("mean loss", PLAIN),
            right=Quantity("mean loss", BATCH),
            unit="loss",
            holds="Averaged over all steps the loss is {right} with batch norm and {left} without.",
            fails="Averaged over all steps the loss is not lower with batch norm: {right}, "
            "against {left} without.",
        ),
        Claim(
            name="fits better",
            statement="Within ten epochs batch norm reaches the higher training accuracy.",
            left=Quantity("best training accuracy", BATCH),
            right=Quantity("best training accuracy", PLAIN),
            holds="Within ten epochs batch norm fits {left} of the training images, the plain "
            "net {right}.",
            fails="Within ten epochs batch norm fits {left} of the training images, the plain "
            "net more: {right}.",
        ),
        Claim(
            name="generalizes better",
            statement="The best validation accuracy is higher with batch norm.",
            left=Quantity("best validation accuracy", BATCH),
            right=Quantity("best validation accuracy", PLAIN),
            holds="The best validation accuracy is {left} with batch norm and {right} without.",
            fails="The best validation accuracy is {left} with batch norm and higher without: "
            "{right}.",
            headline=True,
        ),
    ),
    answer=(
        Reason(
            "From this start, on raw pixels and at this rate, batch norm helps at once and not "
            "only in the end.",
            ("faster at the start", "lower loss throughout"),
        ),
        Reason(
            "Fitting faster and generalizing better are two statements. Here both hold.",
            ("fits better", "generalizes better"),
        ),
        Reason(
            "Fitting faster and generalizing better are two statements. Here the first holds "
            "and the second does not.",
            ("faster at the start",),
            against=("generalizes better",),
        ),
    ),
)
