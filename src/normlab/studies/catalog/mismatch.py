"""Training and testing differ under batch norm: what does that cost, and when?"""

from __future__ import annotations

from normlab.studies import (
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
from normlab.studies.probes import STATISTICS_AT_TEST

NET = {"hidden_dims": (100,) * 5, "weight_scale": 2e-2, "learning_rate": 10**-3.5, "test": True}
SIZES = {
    2: {"batch_size": 2, "num_epochs": 2},
    5: {"batch_size": 5, "num_epochs": 5},
    50: {"batch_size": 50, "num_epochs": 50},
}
MOMENTA = (0.5, 0.9, 0.99)
RUNNING, RECOMPUTED = "with running statistics", "with recomputed statistics"


def batch(size: int, momentum: float = 0.9) -> dict[str, str | float]:
    """Batch norm at one size and momentum."""
    return {"norm": "batch norm", "batch size": size, "momentum": momentum}


TEST_MODE = Study(
    name="test-mode",
    title="Training and testing differ",
    question="What does it cost that batch norm normalizes by a batch's statistics in training and by running ones in "
    "testing?",
    full_only=True,
    grids=(
        Grid(
            NET,
            (
                over_norms("batchnorm"),
                over("batch size", SIZES, "Batch size (images)", "batch {}"),
                over_field(
                    "momentum",
                    "norm_momentum",
                    MOMENTA,
                    "Momentum of the running statistics",
                    "momentum {}",
                ),
            ),
            probes=(STATISTICS_AT_TEST,),
        ),
        Grid(
            {**NET, **SIZES[50]},
            (over_norms(None, "layernorm"),),
            {"batch size": 50},
            probes=(STATISTICS_AT_TEST,),
        ),
    ),
    measures=(
        RUNNING,
        RECOMPUTED,
        "at twice the contrast",
        "in sorted batches",
        "in mixed batches",
    ),
    figure=(
        Lines(
            "Test accuracy with running and with recomputed statistics (momentum 0.9)",
            (RUNNING, RECOMPUTED),
            x="batch size",
            lines=(),
            where={"norm": "batch norm", "momentum": 0.9},
            x_log=True,
            y_title="Test accuracy",
        ),
        Lines(
            "Test accuracy with running statistics",
            RUNNING,
            x="momentum",
            lines=("batch size",),
            where={"norm": "batch norm"},
        ),
    ),
    claims=(
        Claim(
            name="recomputing changes nothing at batch 50",
            statement="At batch 50, statistics recomputed on all training images raise the test accuracy by less than "
            "1 point.",
            left=Quantity(RECOMPUTED, batch(50)),
            right=Quantity(RUNNING, batch(50)),
            expect="below",
            margin=0.01,
            why="a point is four of the test images of digits.",
            holds="At batch 50 recomputed statistics give {left}, the running ones {right}.",
            fails="At batch 50 recomputed statistics give {left}, the running ones only {right}.",
        ),
        Claim(
            name="recomputing helps at batch 2",
            statement="At batch 2, statistics recomputed on all training images raise the test accuracy.",
            left=Quantity(RECOMPUTED, batch(2)),
            right=Quantity(RUNNING, batch(2)),
            holds="At batch 2 recomputed statistics give {left}, the running ones {right}.",
            fails="At batch 2 recomputed statistics give {left}, the running ones no less: {right}.",
            headline=True,
        ),
        Claim(
            name="a batch of one class misleads it",
            statement="With the statistics of batches of 50 that hold one class, batch norm's accuracy on training "
            "images is at least 20 points below that with mixed batches.",
            left=Quantity("in mixed batches", batch(50)),
            right=Quantity("in sorted batches", batch(50)),
            margin=0.2,
            why="what a stream sorted by class would do to a net that adapts to its batches: a fifth is a breakdown.",
            holds="With mixed batches' statistics it classifies {left} of its training images, with those of one class "
            "{right}.",
            fails="With mixed batches' statistics it classifies {left} of its training images, with those of one class "
            "still {right}.",
            headline=True,
        ),
        Claim(
            name="layer norm does not see contrast",
            statement="Twice the contrast costs layer norm less than 1 point of test accuracy.",
            left=Quantity(RUNNING, {"norm": "layer norm", "batch size": 50}),
            right=Quantity("at twice the contrast", {"norm": "layer norm", "batch size": 50}),
            expect="below",
            margin=0.01,
            why="a point is four of the test images of digits.",
            holds="At twice the contrast layer norm goes from {left} to {right}.",
            fails="At twice the contrast layer norm goes from {left} to {right}.",
        ),
        Claim(
            name="batch norm sees contrast",
            statement="Twice the contrast costs batch norm more test accuracy than it costs layer norm.",
            left=Quantity(RUNNING, batch(50), minus=Quantity("at twice the contrast", batch(50))),
            right=Quantity(
                RUNNING,
                {"norm": "layer norm", "batch size": 50},
                minus=Quantity("at twice the contrast", {"norm": "layer norm", "batch size": 50}),
            ),
            holds="It costs batch norm {left} and layer norm {right}.",
            fails="It costs batch norm {left} and layer norm no less: {right}.",
        ),
    ),
    answer=(
        Reason(
            "At usual batch sizes nothing that these seeds show: the running statistics are as "
            "good as recomputed ones.",
            ("recomputing changes nothing at batch 50",),
        ),
        Reason(
            "At batch 2 the running ones are worse than recomputed ones.",
            ("recomputing helps at batch 2",),
        ),
        Reason(
            "The difference matters where batches are not drawn at random: statistics of one "
            "class are those of another net.",
            ("a batch of one class misleads it",),
        ),
    ),
    literature=(
        "Ioffe 2017, Batch renormalization: batches that are not independent.",
        "Wu and Johnson 2021, Rethinking 'batch' in batch normalization: statistics recomputed "
        "after training.",
    ),
)
