"""Question 2: what does batch size do to batch norm, beyond what it does to any net?

The notebook compares at equal epochs, where a ten times larger batch also means ten times fewer
steps, and has no plain net beside its batch sizes. Here both are added: equal steps, and a control
at every size, so that what is batch norm's own is a difference of differences.
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

NET = {
    "hidden_dims": (100,) * 5,
    "weight_scale": 2e-2,
    "learning_rate": 10**-3.5,
    "test": True,
}
SIZES = (2, 5, 10, 50)
NOTEBOOK = (5, 10, 50)
TITLE, LABEL = "Batch size (images)", "batch {}"

LOG_2 = 0.30103  # a factor of two, in decades

EPOCHS = {"compared at": "equal epochs"}
STEPS = {"compared at": "equal steps"}
TEST = "final test accuracy"


def equal_epochs(*norms: str | None) -> Grid:
    """Ten epochs each, as in the notebook: 1,000 images, so 5,000 steps at batch 2 and 200 at batch 50."""
    sizes = over_field("batch size", "batch_size", SIZES, TITLE, LABEL)
    return Grid(fixed={**NET, "num_epochs": 10}, axes=(over_norms(*norms), sizes), tags=EPOCHS)


def equal_steps(*norms: str | None, probes: tuple[Probe, ...] = ()) -> Grid:
    """A thousand steps each: with 1,000 images an epoch has 1,000 / batch size of them."""
    nets = {size: {"batch_size": size, "num_epochs": size} for size in SIZES}
    sizes = over("batch size", nets, TITLE, LABEL)
    return Grid(fixed=NET, axes=(over_norms(*norms), sizes), tags=STEPS, probes=probes)


def at(norm: str, size: int, compared: dict[str, str], minus: Quantity | None = None) -> Quantity:
    """A norm's test accuracy at the end, at one batch size."""
    return Quantity(TEST, {"norm": norm, "batch size": size, **compared}, minus=minus)


def lost(norm: str, large: int, small: int, compared: dict[str, str]) -> Quantity:
    """What going from a large batch to a small one costs a norm."""
    return at(norm, large, compared, minus=at(norm, small, compared))


def over_sizes(norms: tuple[str, ...]) -> tuple[Lines, ...]:
    """Test accuracy over the batch size, at equal epochs and at equal steps."""
    return tuple(
        Lines(
            f"Test accuracy at the end, {compared['compared at']}",
            TEST,
            x="batch size",
            where={**compared, "norm": norms},
            x_log=True,
            note=note,
        )
        for compared, note in (
            (EPOCHS, "Ten epochs each."),
            (STEPS, "A thousand steps each."),
        )
    )


BATCH_SIZE = Study(
    name="batch-size",
    title="Batch norm and the size of the batch",
    question="How does batch norm depend on the batch size, and why?",
    grids=(
        equal_epochs(None, "batchnorm"),
        equal_steps(None),
        equal_steps("batchnorm", probes=(BATCH_GAP,)),
    ),
    measures=(
        TEST,
        "final validation accuracy",
        "final training accuracy",
        "statistics gap",
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
        *over_sizes(("no norm", "batch norm")),
        Lines(
            "Batch mean against running mean after training, a layer at a time",
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
            name="small batches hurt batch norm more than the plain net",
            statement="After ten epochs, going from batch 50 to batch 5 costs batch norm more test "
            "accuracy than it "
            "costs the plain net.",
            left=lost("batch norm", 50, 5, EPOCHS),
            right=lost("no norm", 50, 5, EPOCHS),
            holds="After ten epochs, going from batch 50 to batch 5 costs batch norm {left}, and "
            "the plain net "
            "{right}: {effect} are batch norm's own.",
            fails="After ten epochs, going from batch 50 to batch 5 costs batch norm {left}, and "
            "the plain net no "
            "less: {right}.",
            headline=True,
        ),
        Claim(
            name="at equal steps the plain net loses too",
            statement="After a thousand steps, going from batch 50 to batch 5 costs the plain net "
            "test accuracy.",
            left=at("no norm", 50, STEPS),
            right=at("no norm", 5, STEPS),
            holds="After a thousand steps the plain net, too, has {left} at batch 50 and {right} "
            "at batch 5.",
            fails="After a thousand steps the plain net has {left} at batch 50 and no less, "
            "{right}, at batch 5.",
        ),
        Claim(
            name="less of it at equal steps",
            statement="After a thousand steps, going from batch 50 to batch 5 costs batch norm "
            "less than 2.5 points "
            "more test accuracy than it costs the plain net.",
            left=lost("batch norm", 50, 5, STEPS),
            right=lost("no norm", 50, 5, STEPS),
            expect="below",
            margin=0.025,
            why="the notebook's batch sizes differ by about four points; less than two thirds of "
            "that would be batch "
            "norm's own.",
            holds="After a thousand steps it costs batch norm {left}, and the plain net {right}.",
            fails="After a thousand steps it costs batch norm {left}, and the plain net only "
            "{right}.",
        ),
        Claim(
            name="two is too few",
            statement="At equal epochs, going from batch 10 to batch 2 costs batch norm at least 5 "
            "points more test "
            "accuracy than it costs the plain net.",
            left=lost("batch norm", 10, 2, EPOCHS),
            right=lost("no norm", 10, 2, EPOCHS),
            margin=0.05,
            why="the notebook's own sizes differ by about four points: less than five would be no "
            "breakdown.",
            holds="Going from batch 10 to batch 2 costs batch norm {left}, and the plain net "
            "{right}.",
            fails="Going from batch 10 to batch 2 costs batch norm {left}, and the plain net "
            "{right}.",
            headline=True,
        ),
        Claim(
            name="fits less at batch 5",
            statement="At batch 5 the plain net fits its training images better than batch norm, "
            "in test mode.",
            left=Quantity(
                "final training accuracy", {"norm": "no norm", "batch size": 5, **EPOCHS}
            ),
            right=Quantity(
                "final training accuracy", {"norm": "batch norm", "batch size": 5, **EPOCHS}
            ),
            holds="At batch 5 the plain net ends with a training accuracy of {left}, batch norm "
            "with {right}.",
            fails="Even at batch 5 batch norm ends with no lower a training accuracy: {right}, "
            "against {left} without.",
        ),
        Claim(
            name="generalizes no worse at batch 5",
            statement="At batch 5 batch norm's test accuracy is at most 1 point below the plain "
            "net's.",
            left=at("no norm", 5, EPOCHS),
            right=at("batch norm", 5, EPOCHS),
            expect="below",
            margin=0.01,
            why="a point is four of the test images of digits.",
            holds="On test images the plain net ends with {left} at batch 5, batch norm with "
            "{right}.",
            fails="On test images, too, batch norm ends below the plain net at batch 5: {right} "
            "against {left}.",
            after_a_look="added when the claim on training images had been read as one on "
            "generalization",
        ),
        Claim(
            name="the statistics gap shrinks",
            statement="After training, the mean of a batch of 5 is at least twice as far from the "
            "running mean as that "
            "of a batch of 50 (root mean square over all layers).",
            left=Quantity("statistics gap", {"norm": "batch norm", "batch size": 5, **STEPS}),
            right=Quantity("statistics gap", {"norm": "batch norm", "batch size": 50, **STEPS}),
            margin=LOG_2,
            why="sampling theory says a factor of the root of ten, 3.2, where a layer's inputs are "
            "independent.",
            unit="decades",
            holds="A batch's mean lies {left} standard deviations from the running mean at batch "
            "5, and {right} at "
            "batch 50.",
            fails="A batch's mean lies {left} standard deviations from the running mean at batch "
            "5, and {right} at "
            "batch 50.",
        ),
        Claim(
            name="the noise is the batch's",
            statement="The net trained at batch 2 classifies its training images better with its "
            "running statistics "
            "than with those of batches of two.",
            left=Quantity(
                "accuracy with running statistics", {"norm": "batch norm", "batch size": 2, **STEPS}
            ),
            right=Quantity(
                "accuracy with batch statistics", {"norm": "batch norm", "batch size": 2, **STEPS}
            ),
            holds="One and the same net, trained at batch 2, classifies {left} of its training "
            "images with its running "
            "statistics, and {right} when each is seen with one other image.",
            fails="One and the same net, trained at batch 2, classifies {left} of its training "
            "images with its running "
            "statistics, and no fewer, {right}, when each is seen with one other image.",
        ),
    ),
    answer=(
        Reason(
            "Small batches cost batch norm more than they cost a net without it. It learns with "
            "the mean and the "
            "variance of the batch at hand, so an image's output depends on which few other images "
            "it was drawn with.",
            ("small batches hurt batch norm more than the plain net",),
        ),
        Reason(
            "Not all that a figure over batch sizes shows is batch norm's: at equal steps a plain "
            "net, too, is better "
            "at batch 50, because a larger batch is a better gradient and more images seen.",
            ("at equal steps the plain net loses too",),
        ),
        Reason(
            "At batch 5 batch norm fits its training images less well than the plain net, and "
            "generalizes no worse.",
            ("fits less at batch 5", "generalizes no worse at batch 5"),
        ),
        Reason(
            "The noise of the statistics is sampling theory: in the first layer, whose inputs are "
            "the images "
            "themselves, a batch's mean strays by about one over the root of its size; in the "
            "layers above, whose "
            "inputs are normalized already, by far less. That holds for any net, and does not show "
            "that this noise is "
            "what costs accuracy: the study of ghost batches asks that.",
            ("the statistics gap shrinks",),
        ),
        Reason("With two images a batch it breaks down.", ("two is too few",)),
    ),
    leaves_out="It compares at equal epochs, so that batch 5 takes ten times the steps of batch "
    "50, and shows the plain "
    "net at batch 5 alone. The panels after it add equal steps and the plain net at every size.",
    literature=(
        "Ioffe 2017, Batch renormalization; Wu and He 2018, Group normalization, figure 1: the "
        "error of batch norm "
        "grows as the batch shrinks. There the rate is scaled with the batch; here it is fixed, as "
        "in the notebook.",
        "Wu and Johnson 2021, Rethinking 'batch' in batch normalization: statistics recomputed "
        "after training.",
        "Luo et al. 2019, Towards understanding regularization in batch normalization: the noise "
        "also regularizes.",
    ),
)
