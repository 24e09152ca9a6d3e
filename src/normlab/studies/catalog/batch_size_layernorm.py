"""The notebook's fourth study: does the size of the batch matter to layer norm, more than to any net?"""

from __future__ import annotations

from normlab.studies import Claim, Lines, Reason, Study
from normlab.studies.catalog.batch_size import (
    EPOCHS,
    NOTEBOOK,
    TEST,
    at,
    equal_epochs,
    equal_steps,
    lost,
    over_sizes,
)

BATCH_SIZE_LAYERNORM = Study(
    name="batch-size-layernorm",
    title="Layer norm and the size of the batch",
    question="Does layer norm depend on the batch size?",
    # the plain net's and batch norm's runs are those of their own study: shared, not run again
    grids=(
        equal_epochs(None, "batchnorm", "layernorm"),
        equal_steps(None, "batchnorm", "layernorm"),
    ),
    measures=(TEST, "final validation accuracy", "final training accuracy"),
    figure=(
        Lines(
            "Training accuracy, equal epochs (the notebook's figure)",
            "training accuracy",
            x="epoch",
            lines=("norm", "batch size"),
            where={**EPOCHS, "norm": ("no norm", "layer norm"), "batch size": NOTEBOOK},
        ),
        Lines(
            "Validation accuracy, equal epochs (the notebook's figure)",
            "validation accuracy",
            x="epoch",
            lines=("norm", "batch size"),
            where={**EPOCHS, "norm": ("no norm", "layer norm"), "batch size": NOTEBOOK},
        ),
        *over_sizes(("no norm", "batch norm", "layer norm")),
    ),
    claims=(
        Claim(
            name="less influence",
            statement="After ten epochs, going from batch 50 to batch 5 costs batch norm more test "
            "accuracy than it "
            "costs layer norm.",
            left=lost("batch norm", 50, 5, EPOCHS),
            right=lost("layer norm", 50, 5, EPOCHS),
            holds="After ten epochs, going from batch 50 to batch 5 costs batch norm {left} and "
            "layer norm {right}.",
            fails="After ten epochs, going from batch 50 to batch 5 costs batch norm {left} and "
            "layer norm no less: "
            "{right}.",
            headline=True,
        ),
        Claim(
            name="no more than any net",
            statement="After ten epochs, going from batch 50 to batch 5 costs layer norm at most "
            "1.5 points more test "
            "accuracy than it costs the plain net.",
            left=lost("layer norm", 50, 5, EPOCHS),
            right=lost("no norm", 50, 5, EPOCHS),
            expect="below",
            margin=0.015,
            why="a point and a half is six test images, and less than half of what it costs batch "
            "norm.",
            holds="It costs layer norm {left} and the plain net {right}.",
            fails="It costs layer norm {left}, and the plain net only {right}.",
            headline=True,
        ),
        Claim(
            name="better at batch 2",
            statement="At batch 2, after ten epochs, layer norm's test accuracy is at least 5 "
            "points above batch "
            "norm's.",
            left=at("layer norm", 2, EPOCHS),
            right=at("batch norm", 2, EPOCHS),
            margin=0.05,
            why="five points are more than separates the notebook's batch sizes.",
            holds="At batch 2 layer norm reaches {left}, batch norm {right}.",
            fails="At batch 2 layer norm reaches {left}, batch norm {right}.",
        ),
        Claim(
            name="learns at batch 2",
            statement="At batch 2 layer norm loses less than 5 points of test accuracy against its "
            "batch 10.",
            left=at("layer norm", 10, EPOCHS),
            right=at("layer norm", 2, EPOCHS),
            expect="below",
            margin=0.05,
            why="as for batch norm: the notebook's own sizes differ by about four points.",
            holds="Even at batch 2 it reaches {right}, against {left} at batch 10.",
            fails="At batch 2 it reaches only {right}, against {left} at batch 10.",
        ),
    ),
    answer=(
        Reason(
            "Layer norm takes its statistics over the features of one image. No other image "
            "enters, so a small batch "
            "makes its gradients noisier, as it does in any net, but never its statistics."
        ),
        Reason(
            "Accordingly the batch size matters less to it than to batch norm, and hardly more "
            "than to a plain net.",
            ("less influence", "no more than any net"),
        ),
        Reason(
            "Accordingly the batch size matters less to it than to batch norm. It matters more "
            "than to the plain net, which at equal epochs even prefers small batches: they take "
            "more steps.",
            ("less influence",),
            against=("no more than any net",),
        ),
        Reason(
            "Accordingly the batch size matters less to it than to batch norm. Whether it matters "
            "more than to a plain net, these seeds cannot tell.",
            ("less influence",),
            undecided=("no more than any net",),
        ),
        Reason(
            "Where batches must be very small, it is the better choice of the two.",
            ("better at batch 2", "learns at batch 2"),
        ),
        Reason(
            "At equal epochs layer norm is no less sensitive to the batch size than batch norm on "
            "this data.",
            against=("less influence",),
        ),
    ),
    leaves_out="It has neither batch norm beside layer norm at the same sizes, nor the plain net "
    "at more than one, nor "
    "equal steps. The panels after it have all three.",
    literature=(
        "Ba, Kiros and Hinton 2016, Layer normalization, figure 6: batch 128 and batch 4 on MNIST. "
        "The paper states "
        "neither rate nor start nor seeds.",
    ),
)
