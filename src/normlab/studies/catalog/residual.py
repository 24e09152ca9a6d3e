"""How deep can a net be: without a norm, with one, and with residual blocks?"""

from __future__ import annotations

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over, over_field
from normlab.studies.spec import Where

DEPTHS = (10, 20, 40)
RATES = (3e-4, 1e-3, 3e-3)
ARMS = {
    "plain, He": {"start": "he"},
    "batch norm": {"start": "he", "normalization": "batchnorm"},
    "layer norm": {"start": "he", "normalization": "layernorm"},
    "residual, Fixup start": {"start": "fixup", "residual": "pre-norm"},
    "residual, batch norm before": {
        "start": "he",
        "normalization": "batchnorm",
        "residual": "pre-norm",
    },
    "residual, layer norm before": {
        "start": "he",
        "normalization": "layernorm",
        "residual": "pre-norm",
    },
    "residual, layer norm after": {
        "start": "he",
        "normalization": "layernorm",
        "residual": "post-norm",
    },
}
VALIDATION, TEST = "best validation accuracy", "test accuracy"
WHY_TEN = "ten points are what separates a net that works from one that does not on these images."


def best(arm: str, depth: int) -> Quantity:
    """The test accuracy of a kind of net at the rate that is best on validation images."""
    where: Where = {"net": arm, "hidden layers": depth}
    return Quantity(TEST, where, best_of="learning rate", chosen_by=VALIDATION)


RESIDUAL_DEPTH = Study(
    name="residual-depth",
    title="Depth, with and without residual blocks",
    question="What lets a net of forty layers train: a norm, residual blocks, or the start?",
    full_only=True,
    grids=(
        Grid(
            {"batch_size": 50, "num_epochs": 10, "inputs": "standardized", "test": True},
            (
                over("net", ARMS, "Net"),
                over(
                    "hidden layers",
                    {depth: {"hidden_dims": (50,) * depth} for depth in DEPTHS},
                    "Hidden layers",
                ),
                over_field("learning rate", "learning_rate", RATES, "Learning rate"),
            ),
        ),
    ),
    measures=(TEST, VALIDATION, "best training accuracy", "final loss"),
    figure=(
        Lines(
            "Test accuracy over depth",
            TEST,
            x="hidden layers",
            lines=("net",),
            x_log=True,
            best_of="learning rate",
            chosen_by=VALIDATION,
            note="The best of three rates, chosen on validation images.",
        ),
    ),
    claims=(
        Claim(
            name="residual blocks carry layer norm",
            statement="At forty hidden layers layer norm before residual branches reaches at least 10 points more test "
            "accuracy than layer norm without them.",
            left=best("residual, layer norm before", 40),
            right=best("layer norm", 40),
            margin=0.10,
            why=WHY_TEN,
            holds="Forty layers reach {left} with layer norm before residual branches, and {right} without them.",
            fails="Forty layers reach {left} with layer norm before residual branches, and {right} without them.",
            headline=True,
        ),
        Claim(
            name="no norm is needed with Fixup's start",
            statement="At forty hidden layers residual blocks without a norm, from Fixup's start, are less than 5 "
            "points of test accuracy behind residual blocks with batch norm.",
            left=best("residual, batch norm before", 40),
            right=best("residual, Fixup start", 40),
            expect="below",
            margin=0.05,
            why="half of the ten points that count as a failure.",
            holds="Without a norm, from Fixup's start, they reach {right}, with batch norm {left}.",
            fails="Without a norm, from Fixup's start, they reach {right}, with batch norm {left}.",
            headline=True,
        ),
        Claim(
            name="before is deeper than after",
            statement="At forty hidden layers layer norm before the branches reaches a higher test accuracy than after "
            "the sum.",
            left=best("residual, layer norm before", 40),
            right=best("residual, layer norm after", 40),
            holds="Before the branches layer norm reaches {left}, after the sum {right}.",
            fails="Before the branches layer norm reaches {left}, after the sum no less: {right}.",
        ),
        Claim(
            name="depth costs batch norm without blocks",
            statement="Going from ten hidden layers to forty costs batch norm more test accuracy without residual "
            "blocks than with them.",
            left=Quantity(
                TEST,
                {"net": "batch norm", "hidden layers": 10},
                best_of="learning rate",
                chosen_by=VALIDATION,
                minus=best("batch norm", 40),
            ),
            right=Quantity(
                TEST,
                {"net": "residual, batch norm before", "hidden layers": 10},
                best_of="learning rate",
                chosen_by=VALIDATION,
                minus=best("residual, batch norm before", 40),
            ),
            holds="It costs batch norm {left} without them, and {right} with them.",
            fails="It costs batch norm {left} without them, and no less, {right}, with them.",
        ),
    ),
    answer=(
        Reason(
            "At forty layers it is the residual blocks that carry the signal; what a norm adds to "
            "them, a start that keeps each branch small does as well.",
            ("residual blocks carry layer norm", "no norm is needed with Fixup's start"),
        ),
        Reason(
            "Residual blocks help, and a norm in them is worth having beside a careful start.",
            ("residual blocks carry layer norm",),
            against=("no norm is needed with Fixup's start",),
        ),
    ),
    literature=(
        "De and Smith 2020, Batch normalization biases residual blocks towards the identity "
        "function in deep networks.",
        "Zhang, Dauphin and Ma 2019, Fixup initialization: deep residual nets without a norm.",
        "Xiong et al. 2020, On layer normalization in the transformer architecture: before or "
        "after. Yang et al. 2019: gradients explode with depth under batch norm.",
    ),
)
