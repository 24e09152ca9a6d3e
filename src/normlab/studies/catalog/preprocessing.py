"""Question 3: which way of preparing images is like batch norm, and which like layer norm? Computed, not argued.

Each of the four preprocessings, and the two norms without their scale and shift, is applied to real
images. Whose statistics an operation uses shows in what it ignores: one that divides each image by
its own sum cannot notice that an image was scaled, one that subtracts the mean image cannot notice
a pattern added to all images.
"""

from __future__ import annotations

from normlab.studies import PREPROCESSING as PROBE
from normlab.studies import (
    Claim,
    Demonstration,
    Gallery,
    Heat,
    Quantity,
    Reason,
    Study,
    over_field,
)

ROW_SUM = "1. each row sums to 1"
IMAGE_SUM = "2. each image sums to 1"
MEAN_IMAGE = "3. mean image subtracted"
THRESHOLD = "4. threshold to 0 or 1"
BATCH_NORM = "batch norm"
LAYER_NORM = "layer norm"
UNCHANGED = "unchanged"
OPERATIONS = (UNCHANGED, ROW_SUM, IMAGE_SUM, MEAN_IMAGE, THRESHOLD, BATCH_NORM, LAYER_NORM)


def of(measure: str, *operations: str) -> Quantity:
    """The highest value of a measure among these operations."""
    return Quantity(measure, {"operation": operations}, reduce="max")


PREPROCESSING = Study(
    name="preprocessing",
    title="Four ways of preparing images",
    question="Which preprocessing is analogous to batch normalization, and which to layer "
    "normalization: "
    "making each row of an image sum to 1, making each image sum to 1, subtracting the mean "
    "image, or "
    "thresholding?",
    seeds=20,
    most_seeds=20,
    demonstrations=(Demonstration(over_field("operation", "operation", OPERATIONS), probe=PROBE),),
    measures=(
        "own scale",
        "own row",
        "common offset",
        "neighbours",
        "like batch norm",
        "like layer norm",
        "correlation with batch norm",
        "correlation with layer norm",
    ),
    figure=(
        Gallery("The same images after each operation", "operation"),
        Heat(
            "What changes an operation's output (0: nothing, 1: as much as the output itself)",
            ("own scale", "own row", "common offset", "neighbours"),
            x="measure",
            y="operation",
            kind="share",
        ),
        Heat(
            "Agreement with the two norms",
            (
                "like batch norm",
                "like layer norm",
                "correlation with batch norm",
                "correlation with layer norm",
            ),
            x="measure",
            y="operation",
            kind="share",
        ),
    ),
    claims=(
        Claim(
            name="mean image acts like batch norm",
            statement="Of the four, subtracting the mean image agrees best with batch norm on "
            "what changes its output.",
            left=of("like batch norm", MEAN_IMAGE),
            right=of("like batch norm", ROW_SUM, IMAGE_SUM, THRESHOLD),
            unit="share",
            holds="Subtracting the mean image (3) answers four changes of the data as batch "
            "norm does, with an "
            "agreement of {left}; the next best reaches {right}.",
            fails="Subtracting the mean image (3) agrees with batch norm at {left}; another "
            "preprocessing "
            "reaches {right}.",
            headline=True,
        ),
        Claim(
            name="image sum acts like layer norm",
            statement="Of the four, dividing each image by its sum agrees best with layer norm "
            "on what changes "
            "its output.",
            left=of("like layer norm", IMAGE_SUM),
            right=of("like layer norm", ROW_SUM, MEAN_IMAGE, THRESHOLD),
            unit="share",
            holds="Dividing each image by its sum (2) answers them as layer norm does, with an "
            "agreement of "
            "{left}; the next best reaches {right}.",
            fails="Dividing each image by its sum (2) agrees with layer norm at {left}; "
            "another preprocessing "
            "reaches {right}.",
            headline=True,
        ),
        Claim(
            name="mean image correlates with batch norm",
            statement="Of the four, subtracting the mean image gives the output that "
            "correlates most with "
            "batch norm's.",
            left=of("correlation with batch norm", MEAN_IMAGE),
            right=of("correlation with batch norm", ROW_SUM, IMAGE_SUM, THRESHOLD),
            unit="correlation",
            holds="Its output also correlates most with batch norm's: {left}, the next {right}.",
            fails="By the correlation of the outputs alone it is not the closest: {left}, "
            "another has {right}.",
        ),
        Claim(
            name="image sum correlates with layer norm",
            statement="Of the four, dividing each image by its sum gives the output that "
            "correlates most with "
            "layer norm's.",
            left=of("correlation with layer norm", IMAGE_SUM),
            right=of("correlation with layer norm", ROW_SUM, MEAN_IMAGE, THRESHOLD),
            unit="correlation",
            holds="The output of dividing each image by its sum also correlates most with "
            "layer norm's: "
            "{left}, the next {right}.",
            fails="By the correlation of the outputs alone, dividing each image by its sum is "
            "not the closest "
            "to layer norm: {left}, another has {right}.",
        ),
        Claim(
            name="rows are not batch norm",
            statement="Making each row sum to 1 ignores the other images (a change of less "
            "than 1 %), which "
            "batch norm never does.",
            left=of("neighbours", ROW_SUM),
            right=None,
            expect="below",
            margin=0.01,
            why="batch norm's outputs change by more than half of their size.",
            unit="share",
            holds="Making each row sum to 1 (1) is not like batch norm: replacing all other "
            "images changes its "
            "output by {left}.",
            fails="Making each row sum to 1 (1) does react to the other images: its output "
            "changes by {left}.",
        ),
    ),
    answer=(
        Reason(
            "Batch norm is like 3. Both take their statistics over the examples, one pixel "
            "(feature) at a "
            "time: a pattern added to all images disappears, and each output depends on the "
            "other images.",
            ("mean image acts like batch norm",),
        ),
        Reason(
            "Layer norm is like 2. Both take them over all pixels (features) of one image: its "
            "overall scale "
            "disappears, one bright row changes all its others, and no other image matters.",
            ("image sum acts like layer norm",),
        ),
        Reason(
            "Preprocessing 1 also stays within one image, but normalizes each row by itself; "
            "it is closer to a "
            "group norm over rows than to batch norm. Preprocessing 4 uses no statistics of "
            "the data at all.",
            ("rows are not batch norm",),
        ),
    ),
)
