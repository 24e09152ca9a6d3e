"""Question 2: what does batch size do to batch norm, at equal epochs and at equal steps?

The notebook compares at equal epochs, where a ten times larger batch also means ten times fewer steps. Here the
same nets are compared at equal steps as well, and the distance between the statistics of one batch and the running
ones, which is the reason to be tested, is measured directly.
"""

from __future__ import annotations

from normlab.studies import (
    BATCH_GAP,
    Claim,
    Grid,
    Lines,
    Probe,
    Quantity,
    Reason,
    Study,
    over,
    over_field,
    over_norms,
)

NET = {"hidden_dims": (100,) * 5, "weight_scale": 2e-2, "learning_rate": 10**-3.5}
SIZES = (2, 5, 10, 50, 100)
NOTEBOOK = (5, 10, 50)
TITLE = "Batch size (images)"

LOG_2 = 0.30103  # a factor of two, in decades

EPOCHS = {"compared at": "equal epochs"}
STEPS = {"compared at": "equal steps"}


def equal_epochs(normalization: str, sizes: tuple[int, ...]) -> Grid:
    """Ten epochs each, as in the notebook: 1,000 images, so 5,000 steps at batch 2 and 100 at batch 100."""
    sizes_axis = over_field("batch size", "batch_size", sizes, TITLE, "batch {}")
    return Grid(
        fixed={**NET, "num_epochs": 10}, axes=(over_norms(normalization), sizes_axis), tags=EPOCHS
    )


def equal_steps(normalization: str, sizes: tuple[int, ...], probes: tuple[Probe, ...] = ()) -> Grid:
    """A thousand steps each: with 1,000 images an epoch has 1,000 / batch size of them."""
    sizes_axis = over(
        "batch size",
        {size: {"batch_size": size, "num_epochs": size} for size in sizes},
        TITLE,
        "batch {}",
    )
    return Grid(fixed=NET, axes=(over_norms(normalization), sizes_axis), tags=STEPS, probes=probes)


BASELINE = Grid(
    fixed={**NET, "num_epochs": 10},
    axes=(over_norms(None), over_field("batch size", "batch_size", (5,), TITLE, "batch {}")),
    tags=EPOCHS,
)


def batch(size: int, compared: dict[str, str]) -> dict[str, str | int]:
    """Batch norm at one batch size."""
    return {"norm": "batch norm", "batch size": size, **compared}


BATCH_SIZE = Study(
    name="batch-size",
    title="Batch norm and the size of the batch",
    question="How does batch norm depend on the batch size, and why?",
    grids=(
        BASELINE,
        equal_epochs("batchnorm", SIZES),
        equal_steps("batchnorm", SIZES, probes=(BATCH_GAP,)),
    ),
    measures=(
        "best validation accuracy",
        "best training accuracy",
        "final validation accuracy",
        "final training accuracy",
        "statistics gap",
        "variance gap",
        "accuracy with batch statistics",
        "accuracy with running statistics",
    ),
    figure=(
        Lines(
            "Training accuracy, equal epochs (the notebook's figure)",
            "training accuracy",
            x="epoch",
            lines=("norm", "batch size"),
            where={**EPOCHS, "batch size": NOTEBOOK},
        ),
        Lines(
            "Validation accuracy, equal epochs (the notebook's figure)",
            "validation accuracy",
            x="epoch",
            lines=("norm", "batch size"),
            where={**EPOCHS, "batch size": NOTEBOOK},
        ),
        Lines(
            "Best validation accuracy, equal epochs and equal steps",
            "best validation accuracy",
            x="batch size",
            lines=("compared at",),
            where={"norm": "batch norm"},
            x_log=True,
        ),
        Lines(
            "Final training accuracy, equal epochs and equal steps",
            "final training accuracy",
            x="batch size",
            lines=("compared at",),
            where={"norm": "batch norm"},
            x_log=True,
        ),
        Lines(
            "Batch mean against running mean, after training",
            "statistics gap",
            x="batch size",
            lines=("compared at",),
            where={"norm": "batch norm", **STEPS},
            x_log=True,
            y_log=True,
        ),
        Lines(
            "The same, a layer at a time",
            "statistics gap by layer",
            x="layer",
            lines=("batch size",),
            where={"norm": "batch norm", **STEPS},
            y_log=True,
        ),
        Lines(
            "One net, tested with a batch's statistics and with the running ones",
            ("accuracy with batch statistics", "accuracy with running statistics"),
            x="batch size",
            lines=(),
            where={"norm": "batch norm", **STEPS},
            x_log=True,
            y_title="Training accuracy",
        ),
    ),
    claims=(
        Claim(
            name="small batches hurt at equal steps",
            statement="After the same number of steps, batch norm's validation accuracy is "
            "higher at batch 50 "
            "than at batch 5.",
            left=Quantity("best validation accuracy", batch(50, STEPS)),
            right=Quantity("best validation accuracy", batch(5, STEPS)),
            holds="After 1,000 steps batch norm reaches a validation accuracy of {left} at "
            "batch 50 and "
            "{right} at batch 5.",
            fails="After 1,000 steps batch norm reaches a validation accuracy of {left} at "
            "batch 50 and no "
            "less, {right}, at batch 5.",
            headline=True,
        ),
        Claim(
            name="small batches hurt at equal epochs",
            statement="After the same number of epochs, batch norm's validation accuracy is "
            "higher at batch 50 "
            "than at batch 5, although batch 5 took ten times as many steps.",
            left=Quantity("best validation accuracy", batch(50, EPOCHS)),
            right=Quantity("best validation accuracy", batch(5, EPOCHS)),
            holds="After 10 epochs it is {left} at batch 50 and {right} at batch 5, which took "
            "ten times the steps.",
            fails="After 10 epochs it is {left} at batch 50 and no less, {right}, at batch 5, "
            "which took ten "
            "times the steps.",
        ),
        Claim(
            name="two is too few",
            statement="At batch 2, after equal epochs, batch norm is at least 5 points below "
            "batch 10 in "
            "validation accuracy.",
            left=Quantity("best validation accuracy", batch(10, EPOCHS)),
            right=Quantity("best validation accuracy", batch(2, EPOCHS)),
            margin=0.05,
            why="the notebook's own sizes differ by about four points: less than five would be "
            "no breakdown.",
            holds="With two images a batch, batch norm reaches {right} after 10 epochs, with "
            "ten {left}.",
            fails="With two images a batch, batch norm reaches {right} after 10 epochs, not "
            "much less than "
            "with ten: {left}.",
        ),
        Claim(
            name="worse than no norm",
            statement="At batch 5 the plain net fits its training images better than batch norm.",
            left=Quantity("final training accuracy", {"norm": "no norm", "batch size": 5}),
            right=Quantity("final training accuracy", batch(5, EPOCHS)),
            holds="At batch 5 the plain net ends with a training accuracy of {left}, batch "
            "norm with {right}.",
            fails="Even at batch 5 batch norm ends with the higher training accuracy: {right}, "
            "against {left} without.",
        ),
        Claim(
            name="no worse on validation at batch 5",
            statement="At batch 5 batch norm's validation accuracy is at most 1 point below "
            "the plain net's.",
            left=Quantity("final validation accuracy", {"norm": "no norm", "batch size": 5}),
            right=Quantity("final validation accuracy", batch(5, EPOCHS)),
            expect="below",
            margin=0.01,
            why="a point of 400 validation images is four images.",
            holds="On validation images the plain net ends with {left}, batch norm with {right}.",
            fails="On validation images, too, batch norm ends below the plain net: {right} "
            "against {left}.",
            after_a_look="added when the claim on training images had been read as one on "
            "generalization",
        ),
        Claim(
            name="the statistics gap shrinks",
            statement="After training, the mean of a batch of 5 is at least twice as far from "
            "the running mean "
            "as that of a batch of 50 (root mean square over all layers).",
            left=Quantity("statistics gap", batch(5, STEPS)),
            right=Quantity("statistics gap", batch(50, STEPS)),
            margin=LOG_2,
            why="sampling theory says a factor of the root of ten, 3.2, where a layer's inputs "
            "are independent; "
            "less than two would mean that something else decides.",
            unit="decades",
            holds="A batch's mean lies {left} standard deviations from the running mean "
            "at batch 5, and {right} at batch 50.",
            fails="A batch's mean lies {left} standard deviations from the running mean at "
            "batch 5, and "
            "{right} at batch 50.",
        ),
        Claim(
            name="the noise is the batch's",
            statement="The net trained at batch 2 classifies its training images better with "
            "its running "
            "statistics than with those of batches of two.",
            left=Quantity("accuracy with running statistics", batch(2, STEPS)),
            right=Quantity("accuracy with batch statistics", batch(2, STEPS)),
            holds="One and the same net, trained at batch 2, classifies {left} of its training "
            "images with its "
            "running statistics, and {right} when each is seen with one other image.",
            fails="One and the same net, trained at batch 2, classifies {left} of its training "
            "images with its "
            "running statistics, and no fewer, {right}, when each is seen with one other image.",
        ),
        Claim(
            name="steps confound",
            statement="At batch 100, ten times as many steps add at least 2 points of "
            "validation accuracy: "
            "part of what equal epochs show is the number of steps.",
            left=Quantity("best validation accuracy", batch(100, STEPS)),
            right=Quantity("best validation accuracy", batch(100, EPOCHS)),
            margin=0.02,
            why="less than half of what separates the notebook's batch sizes changes no "
            "conclusion from its figure.",
            holds="Part of the notebook's picture is only the number of steps: at batch 100, "
            "1,000 steps "
            "instead of 100 raise the validation accuracy from {right} to {left}.",
            fails="At batch 100, 1,000 steps instead of 100 change the validation accuracy "
            "from {right} to {left}, less "
            "than two points.",
            headline=True,
        ),
    ),
    answer=(
        Reason(
            "Batch norm wants batches that are not small. It learns with the mean and the "
            "variance of the "
            "batch at hand, so an image's output depends on which few other images it was "
            "drawn with.",
            ("small batches hurt at equal steps",),
        ),
        Reason(
            "The smaller the batch, the noisier these statistics. In the first layer, whose "
            "inputs are the images "
            "themselves, a batch's mean strays by about one over the root of its size; in the "
            "layers above, whose "
            "inputs are normalized already, by far less (the figure, a layer at a time). That "
            "is sampling theory and "
            "holds for any net; it does not show that this noise is what costs accuracy.",
            ("the statistics gap shrinks",),
        ),
        Reason(
            "The notebook's figure understates this. It compares at equal epochs, where a "
            "large batch takes "
            "fewer steps and so has less time to learn; at equal steps large batches win clearly.",
            ("steps confound", "small batches hurt at equal steps"),
        ),
        Reason(
            "The notebook compares at equal epochs, where a large batch takes fewer steps. On "
            "this data ten times as "
            "many steps change less than two points of the validation accuracy at batch 100.",
            against=("steps confound",),
        ),
        Reason(
            "At batch 5 batch norm fits its training images less well than the plain net, in "
            "test mode. Whether it "
            "generalizes less well is another question: see the claim on validation images.",
            ("worse than no norm",),
        ),
        Reason(
            "Even at batch 5 batch norm still helps: it fits better than the plain net.",
            against=("worse than no norm",),
        ),
        Reason("With two images a batch it breaks down.", ("two is too few",)),
    ),
)
