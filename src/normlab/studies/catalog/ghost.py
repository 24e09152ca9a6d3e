"""What is it about small batches that hurts batch norm: the noise of the statistics, or that of the gradient?"""

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

NET = {"hidden_dims": (100,) * 5, "weight_scale": 2e-2, "learning_rate": 10**-3.5, "test": True}
LARGE = {"batch_size": 50, "num_epochs": 50}
SMALL = {"batch_size": 5, "num_epochs": 5}
TITLE = "Images whose statistics are taken together"
TEST = "final test accuracy"
SIZES = (2, 5, 10, 25, 50)
NOISES = (0.0, 0.1, 0.3, 1.0)

GHOST, DIRECT, NOISE = ({"arm": name} for name in ("ghost batches", "small batches", "noise"))


def ghost(size: int) -> Quantity:
    """Batch norm with gradients of fifty images and statistics of so many."""
    return Quantity(TEST, {**GHOST, "statistics of": size})


def direct(norm: str, statistics: str = "the batch's") -> Quantity:
    """A net trained on batches of five."""
    return Quantity(TEST, {**DIRECT, "norm": norm, "normalized by": statistics})


GHOST_BATCHES = Study(
    name="ghost-batches",
    title="The noise of the statistics, or of the gradient?",
    question="What is it about small batches that hurts batch norm: that its statistics are noisy, or that the "
    "gradient is?",
    full_only=True,
    grids=(
        Grid(
            {**NET, **LARGE, "normalization": "batchnorm"},
            (
                over(
                    "statistics of",
                    {size: {"ghost_batch": None if size == 50 else size} for size in SIZES},
                    TITLE,
                ),
            ),
            GHOST,
        ),
        Grid(
            {**NET, **SMALL},
            (over_norms(None, "batchnorm"),),
            {**DIRECT, "normalized by": "the batch's"},
        ),
        Grid(
            {**NET, **SMALL, "statistics": "population"},
            (over_norms("batchnorm"),),
            {**DIRECT, "normalized by": "running statistics"},
        ),
        Grid(
            {**NET, **LARGE},
            (
                over_norms("layernorm"),
                over_field(
                    "noise", "norm_noise", NOISES, "Standard deviation of the noise after each norm"
                ),
            ),
            NOISE,
        ),
    ),
    measures=(TEST, "final validation accuracy", "final training accuracy", "final loss"),
    figure=(
        Lines(
            "Batch norm, gradients of 50 images, statistics of fewer",
            (TEST, "final training accuracy"),
            x="statistics of",
            lines=(),
            where=GHOST,
            x_log=True,
            y_title="Accuracy at the end",
        ),
        Lines(
            "Layer norm at batch 50 with noise added after each norm",
            (TEST, "final training accuracy"),
            x="noise",
            lines=(),
            where=NOISE,
            y_title="Accuracy at the end",
        ),
    ),
    claims=(
        Claim(
            name="noisy statistics alone hurt",
            statement="With gradients of 50 images throughout, statistics of 5 images at a time cost batch norm test "
            "accuracy.",
            left=ghost(50),
            right=ghost(5),
            holds="With gradients of 50 images, batch norm reaches {left} with statistics of all 50, and {right} with "
            "statistics of 5 at a time.",
            fails="With gradients of 50 images, batch norm reaches {left} with statistics of all 50, and no less, "
            "{right}, with statistics of 5 at a time.",
            headline=True,
        ),
        Claim(
            name="they are not all of it",
            statement="With statistics of 5 images, gradients of 50 images give batch norm a higher test accuracy than "
            "gradients of 5, after equally many steps.",
            left=ghost(5),
            right=direct("batch norm"),
            holds="With statistics of 5 images, gradients of 50 reach {left}, gradients of 5 {right}.",
            fails="With statistics of 5 images, gradients of 50 reach {left}, and gradients of 5 no less: {right}.",
        ),
        Claim(
            name="statistics of two break down",
            statement="With gradients of 50 images, statistics of 2 images at a time cost at least 5 points of test "
            "accuracy.",
            left=ghost(50),
            right=ghost(2),
            margin=0.05,
            why="five points are more than separates the notebook's batch sizes.",
            holds="Statistics of two images at a time bring it from {left} to {right}.",
            fails="Statistics of two images at a time leave it at {right}, from {left}.",
        ),
        Claim(
            name="running statistics are no way out",
            statement="At batch 5, normalizing training batches by the running statistics gives a lower test accuracy "
            "than by their own.",
            left=direct("batch norm"),
            right=direct("batch norm", "running statistics"),
            holds="At batch 5 batch norm reaches {left} with the batch's statistics, and {right} with running ones.",
            fails="At batch 5 batch norm reaches {left} with the batch's statistics, and {right} with running ones, "
            "which are constants of the gradient.",
        ),
        Claim(
            name="noise does it to layer norm too",
            statement="Noise as large as the signal (1.0) after each norm costs layer norm test accuracy.",
            left=Quantity(TEST, {**NOISE, "noise": 0.0}),
            right=Quantity(TEST, {**NOISE, "noise": 1.0}),
            holds="Noise as large as the signal brings layer norm from {left} to {right}.",
            fails="Noise as large as the signal leaves layer norm at {right}, from {left}.",
        ),
    ),
    answer=(
        Reason(
            "The noise of the statistics is one cause: it costs accuracy by itself, with the "
            "gradient as good as ever.",
            ("noisy statistics alone hurt",),
        ),
        Reason(
            "At these sizes the noise of the statistics alone costs nothing that these seeds show.",
            against=("noisy statistics alone hurt",),
        ),
        Reason("The noise of the gradient is the other.", ("they are not all of it",)),
    ),
    literature=(
        "Hoffer, Hubara and Soudry 2017, Train longer, generalize better: ghost batches, there to "
        "help large batches.",
        "Luo et al. 2019; Santurkar et al. 2018, figure 2 (noisy batch norm).",
    ),
)
