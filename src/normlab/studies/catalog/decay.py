"""A penalty on weights that are normalized: it moves the best rate, not the best accuracy."""

from __future__ import annotations

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over_field, over_norms
from normlab.studies.spec import Where

PENALTIES = (0.0, 0.01, 0.1)
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
VALIDATION, TEST = "best validation accuracy", "test accuracy"
A_POINT = "a point is four of the test images of digits."


def best(norm: str, penalty: float) -> Quantity:
    """A norm's test accuracy under a penalty, at the rate that is best on validation images."""
    where: Where = {"norm": norm, "penalty": penalty}
    return Quantity(TEST, where, best_of="learning rate", chosen_by=VALIDATION)


def at_rate(norm: str, penalty: float, rate: float) -> Quantity:
    """A norm's training accuracy at one rate."""
    return Quantity(
        "best training accuracy", {"norm": norm, "penalty": penalty, "learning rate": rate}
    )


NORM_AND_PENALTY = Study(
    name="norm-and-penalty",
    title="A norm and an L2 penalty",
    question="What does an L2 penalty do to a net whose weights' length does not matter?",
    full_only=True,
    grids=(
        Grid(
            {
                "hidden_dims": (100,) * 5,
                "start": "he",
                "batch_size": 50,
                "num_epochs": 20,
                "update_rule": "sgd",
                "inputs": "standardized",
                "test": True,
            },
            (
                over_norms(None, "batchnorm", "layernorm"),
                over_field("penalty", "reg", PENALTIES, "Strength of the L2 penalty", "penalty {}"),
                over_field("learning rate", "learning_rate", RATES, "Learning rate"),
            ),
        ),
    ),
    measures=(TEST, VALIDATION, "best training accuracy", "final loss"),
    figure=tuple(
        Lines(
            f"{norm}: test accuracy over the rate",
            TEST,
            x="learning rate",
            lines=("penalty",),
            where={"norm": norm},
            x_log=True,
        )
        for norm in ("no norm", "batch norm", "layer norm")
    ),
    claims=(
        Claim(
            name="batch norm's best does not move",
            statement="At its own best rate, a penalty of 0.01 changes batch norm's test accuracy by less than 1 point "
            "for the better.",
            left=best("batch norm", 0.01),
            right=best("batch norm", 0.0),
            expect="below",
            margin=0.01,
            why=A_POINT,
            holds="At its own best rate batch norm reaches {right} without a penalty and {left} with 0.01.",
            fails="At its own best rate batch norm reaches {right} without a penalty and {left} with 0.01.",
            headline=True,
        ),
        Claim(
            name="nor for the worse",
            statement="At its own best rate, a penalty of 0.01 costs batch norm less than 1 point of test accuracy.",
            left=best("batch norm", 0.0),
            right=best("batch norm", 0.01),
            expect="below",
            margin=0.01,
            why=A_POINT,
            holds="It costs batch norm {effect}.",
            fails="It costs batch norm {effect}.",
        ),
        Claim(
            name="a strong penalty stops the plain net",
            statement="At its own best rate, a penalty of 0.1 costs the plain net more test accuracy "
            "than it costs batch norm.",
            left=Quantity(
                TEST,
                {"norm": "no norm", "penalty": 0.0},
                best_of="learning rate",
                chosen_by=VALIDATION,
                minus=best("no norm", 0.1),
            ),
            right=Quantity(
                TEST,
                {"norm": "batch norm", "penalty": 0.0},
                best_of="learning rate",
                chosen_by=VALIDATION,
                minus=best("batch norm", 0.1),
            ),
            holds="A penalty of 0.1 costs the plain net {left}, and batch norm {right}.",
            fails="A penalty of 0.1 costs the plain net {left}, and batch norm no less: {right}.",
        ),
    ),
    answer=(
        Reason(
            "It cannot make the function smaller, because a shorter weight gives the same output; "
            "it makes each step larger against the weight. At its own best rate a normalized net "
            "is as good with a mild penalty as without.",
            ("batch norm's best does not move", "nor for the worse"),
        ),
    ),
    literature=(
        "van Laarhoven 2017, L2 regularization versus batch and weight normalization.",
        "Hoffer et al. 2018, Norm matters; Zhang et al. 2019, Three mechanisms of weight decay "
        "regularization.",
    ),
)
