"""The notebook's fourth study: does the size of the batch matter to layer norm?"""

from __future__ import annotations

from normlab.studies import Claim, Lines, Quantity, Reason, Study
from normlab.studies.catalog.batch_size import (
    BASELINE,
    EPOCHS,
    NOTEBOOK,
    SIZES,
    STEPS,
    equal_epochs,
    equal_steps,
)
from normlab.studies.spec import Where


def best(norm: str, sizes: int | tuple[int, ...], compared: dict[str, str]) -> Where:
    """Where a norm stands at one batch size or several."""
    return {"norm": norm, "batch size": sizes, **compared}


def spread(norm: str, compared: dict[str, str]) -> Quantity:
    """How far apart the notebook's three batch sizes end: the highest accuracy less the lowest."""
    return Quantity("best validation accuracy", best(norm, NOTEBOOK, compared), reduce="range")


BATCH_SIZE_LAYERNORM = Study(
    name="batch-size-layernorm",
    title="Layer norm and the size of the batch",
    question="Does layer norm depend on the batch size?",
    grids=(
        BASELINE,
        equal_epochs("layernorm", SIZES),
        equal_steps("layernorm", SIZES),
        # batch norm's runs are those of its own study: shared, not run again
        equal_epochs("batchnorm", SIZES),
        equal_steps("batchnorm", SIZES),
    ),
    measures=(
        "best validation accuracy",
        "best training accuracy",
        "final validation accuracy",
        "final training accuracy",
    ),
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
        Lines(
            "Best validation accuracy, equal epochs",
            "best validation accuracy",
            x="batch size",
            where={**EPOCHS, "norm": ("batch norm", "layer norm")},
            x_log=True,
        ),
        Lines(
            "Best validation accuracy, equal steps",
            "best validation accuracy",
            x="batch size",
            where={**STEPS, "norm": ("batch norm", "layer norm")},
            x_log=True,
        ),
    ),
    claims=(
        Claim(
            name="less influence",
            statement="At equal epochs the three batch sizes of the notebook end closer "
            "together with layer "
            "norm than with batch norm.",
            left=spread("batch norm", EPOCHS),
            right=spread("layer norm", EPOCHS),
            holds="At equal epochs, batch sizes 5, 10 and 50 end within {right} of one another "
            "with layer "
            "norm, and within {left} with batch norm.",
            fails="At equal epochs, batch sizes 5, 10 and 50 end {right} apart with layer "
            "norm, and no more, "
            "{left}, with batch norm.",
            headline=True,
        ),
        Claim(
            name="less influence at equal steps",
            statement="At equal steps the three batch sizes of the notebook end closer "
            "together with layer "
            "norm than with batch norm.",
            left=spread("batch norm", STEPS),
            right=spread("layer norm", STEPS),
            holds="At equal steps they end within {right} of one another with layer norm, and "
            "within {left} "
            "with batch norm.",
            fails="At equal steps they end {right} apart with layer norm, and no more, {left}, "
            "with batch norm.",
        ),
        Claim(
            name="better at batch 5",
            statement="At batch 5 layer norm reaches a higher validation accuracy than batch norm.",
            left=Quantity("best validation accuracy", best("layer norm", 5, EPOCHS)),
            right=Quantity("best validation accuracy", best("batch norm", 5, EPOCHS)),
            holds="At batch 5 layer norm reaches {left}, batch norm {right}.",
            fails="At batch 5 layer norm reaches {left}, and batch norm more: {right}.",
            headline=True,
        ),
        Claim(
            name="learns at batch 2",
            statement="At batch 2 layer norm loses less than 5 points of validation accuracy "
            "against its batch 10.",
            left=Quantity("best validation accuracy", best("layer norm", 10, EPOCHS)),
            right=Quantity("best validation accuracy", best("layer norm", 2, EPOCHS)),
            expect="below",
            margin=0.05,
            why="as for batch norm: the notebook's own sizes differ by about four points.",
            holds="Even at batch 2 it reaches {right}, against {left} at batch 10.",
            fails="At batch 2 it reaches only {right}, against {left} at batch 10.",
        ),
        Claim(
            name="fits better at batch 5",
            statement="At batch 5 layer norm fits its training images better than the plain net.",
            left=Quantity("final training accuracy", best("layer norm", 5, EPOCHS)),
            right=Quantity("final training accuracy", best("no norm", 5, EPOCHS)),
            holds="At batch 5 layer norm ends with a training accuracy of {left}, the plain "
            "net with {right}.",
            fails="At batch 5 layer norm ends with a training accuracy of {left}, below the "
            "plain net's {right}.",
        ),
    ),
    answer=(
        Reason(
            "Layer norm takes its statistics over the features of one image. No other image "
            "enters, so a small "
            "batch makes its gradients noisier, as it does in any net, but never its statistics."
        ),
        Reason(
            "Accordingly the batch size matters less to it than to batch norm.", ("less influence",)
        ),
        Reason(
            "Whether ten epochs show it on this data, these seeds cannot tell.",
            undecided=("less influence",),
        ),
        Reason(
            "Where batches must be small, it is the better choice of the two.",
            ("better at batch 5", "learns at batch 2"),
        ),
        Reason(
            "At equal epochs layer norm is no less sensitive to the batch size than batch norm "
            "on this data.",
            against=("less influence",),
        ),
        Reason(
            "At equal steps layer norm is less sensitive than batch norm.",
            ("less influence at equal steps",),
        ),
    ),
)
