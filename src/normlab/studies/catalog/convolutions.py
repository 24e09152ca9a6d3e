"""The question that group norm was made for: which norm of images stands small batches?"""

from __future__ import annotations

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over, over_field

SIZES = (2, 4, 8, 16, 32)
RATES = (1e-3, 3e-3, 1e-2)
NET = {
    "hidden_dims": (),
    "kind": "convolutional",
    "filters": (16, 32),
    "start": "he",
    "inputs": "standardized",
    "num_epochs": 5,
    "test": True,
}
NORMS = over(
    "norm",
    {
        "no norm": {"normalization": None},
        "batch norm": {"normalization": "batchnorm"},
        "group norm": {"normalization": "groupnorm", "num_groups": 4},
        "layer norm": {"normalization": "layernorm"},
    },
    "Norm",
)
PIXELS = over(
    "norm", {"batch norm a pixel": {"normalization": "batchnorm", "per_pixel": True}}, "Norm"
)
BATCHES = over_field("batch size", "batch_size", SIZES, "Batch size (images)", "batch {}")
RATE = over_field("learning rate", "learning_rate", RATES, "Learning rate", "rate {}")
TEST, CHOSEN = "test accuracy", "best validation accuracy"


def at(norm: str, size: int, minus: Quantity | None = None) -> Quantity:
    """A norm's test accuracy at one batch size, at the rate that is best for it on validation images."""
    where: dict[str, str | int] = {"norm": norm, "batch size": size}
    return Quantity(TEST, where, minus=minus, best_of="learning rate", chosen_by=CHOSEN)


def lost(norm: str) -> Quantity:
    """What going from batches of 32 to batches of 2 costs a norm."""
    return at(norm, 32, minus=at(norm, 2))


CONVOLUTIONS = Study(
    name="convolutions",
    title="Norms of images and the size of the batch",
    question="In a convolutional net, which norm stands batches of two, four, eight images?",
    grids=(
        Grid(fixed=NET, axes=(NORMS, BATCHES, RATE)),
        Grid(fixed=NET, axes=(PIXELS, over_field("batch size", "batch_size", (2, 32)), RATE)),
    ),
    measures=(TEST, CHOSEN, "best training accuracy", "final loss"),
    figure=(
        Lines(
            "Test accuracy over the batch size, each norm at its own rate",
            TEST,
            x="batch size",
            x_log=True,
            where={"norm": tuple(map(str, NORMS.values))},
            best_of="learning rate",
            chosen_by=CHOSEN,
        ),
    ),
    claims=(
        Claim(
            name="small batches cost batch norm more than group norm",
            statement="Going from batches of 32 to batches of 2 costs batch norm more test accuracy "
            "than it costs group norm.",
            left=lost("batch norm"),
            right=lost("group norm"),
            holds="Going from batches of 32 to batches of 2 costs batch norm {left}, and group norm "
            "{right}: {effect} are batch norm's own.",
            fails="Going from batches of 32 to batches of 2 costs batch norm {left}, and group norm "
            "no less: {right}.",
            headline=True,
        ),
        Claim(
            name="small batches cost batch norm more than the plain net",
            statement="Going from batches of 32 to batches of 2 costs batch norm more test accuracy "
            "than it costs the plain net.",
            left=lost("batch norm"),
            right=lost("no norm"),
            holds="It costs batch norm {left}, and the plain net {right}.",
            fails="It costs batch norm {left}, and the plain net no less: {right}.",
        ),
        Claim(
            name="group norm is ahead at two",
            statement="At batches of 2 group norm has the higher test accuracy.",
            left=at("group norm", 2),
            right=at("batch norm", 2),
            holds="At batches of 2 group norm has {left}, batch norm {right}.",
            fails="At batches of 2 group norm has {left}, and batch norm more: {right}.",
        ),
        Claim(
            name="batch norm is ahead at thirty-two",
            statement="At batches of 32 batch norm has the higher test accuracy.",
            left=at("batch norm", 32),
            right=at("group norm", 32),
            holds="At batches of 32 batch norm has {left}, group norm {right}.",
            fails="At batches of 32 batch norm has {left}, and group norm more: {right}.",
        ),
        Claim(
            name="sharing over positions helps at two",
            statement="At batches of 2 batch norm is better with statistics shared by all positions "
            "than with statistics a pixel.",
            left=at("batch norm", 2),
            right=at("batch norm a pixel", 2),
            holds="At batches of 2 batch norm has {left} with its statistics over all positions, and "
            "{right} with those of each pixel alone.",
            fails="At batches of 2 batch norm has {left} with its statistics over all positions, and "
            "more, {right}, with those of each pixel alone.",
        ),
    ),
    answer=(
        Reason(
            "Batch norm's statistics are a sample, and small batches are small samples; group norm "
            "takes its own from one image, and does not notice.",
            ("small batches cost batch norm more than group norm",),
        ),
        Reason(
            "Positions count as examples: that is why spatial batch norm still works where batch "
            "norm a pixel does not.",
            ("sharing over positions helps at two",),
        ),
    ),
    seeds=5,
    most_seeds=20,
    full_only=True,
    leaves_out="Two blocks of 16 and 32 filters on small images; the paper's nets have fifty layers "
    "and a million images.",
    literature=(
        "Wu and He, Group Normalization, ECCV 2018, figures 1 and 5 (ResNet-50 on ImageNet: batch "
        "norm loses ten points of accuracy from batches of 32 to 2, group norm none; each with the "
        "learning rate scaled by the batch size, without error bars).",
    ),
)
