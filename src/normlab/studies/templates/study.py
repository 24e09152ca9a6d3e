"""A study for normlab: a question, the nets that are trained for it, and what would count as an answer.

    normlab study check FILE.py    finds what is wrong with it, and says how many nets it takes
    normlab study run FILE.py      trains them and draws the page

The claims are hashed into the records before the first net is trained.
"""

from normlab.studies import (
    Claim,
    Grid,
    Lines,
    Measure,
    Quantity,
    Reason,
    Study,
    over_field,
    over_norms,
)

PLAIN, BATCH = {"norm": "no norm"}, {"norm": "batch norm"}
OWN_RATE = {"best_of": "learning rate", "chosen_by": "best validation accuracy"}


def steps_to_half(history):
    """A measure of one's own: after which share of its steps the loss has halved."""
    steps = len(history.loss)
    halved = (step for step, loss in enumerate(history.loss) if loss < history.loss[0] / 2)
    return next(halved, steps) / steps


TIME_TO_HALF = Measure("time to half", "Share of steps to half the loss", "share", steps_to_half)


STUDY = Study(
    name="own-rates",  # small letters, digits and hyphens
    title="Each norm at its own learning rate",
    question="Does batch norm stand larger learning rates than the plain net?",
    grids=(
        Grid(
            # fields of NetSpec and TrainingSpec that all nets share; `test` also measures the test
            # images
            fixed={
                "hidden_dims": (100,) * 3,
                "num_epochs": 5,
                "start": "he",
                "inputs": "standardized",
                "test": True,
            },
            axes=(
                over_norms(None, "batchnorm"),  # also layernorm, rmsnorm, groupnorm, dyt, derf
                over_field(
                    "learning rate", "learning_rate", (1e-3, 1e-2, 1e-1), "Learning rate", "rate {}"
                ),
            ),
        ),
    ),
    # what the tables show: names of standard measures, and records of one's own
    measures=("test accuracy", "final loss", TIME_TO_HALF),
    figure=(
        Lines(
            "Test accuracy over the learning rate", "test accuracy", x="learning rate", x_log=True
        ),
        Lines(
            "Training loss at the largest rate",
            "loss",
            x="step",
            y_log=True,
            where={"learning rate": 1e-1},
        ),
    ),
    claims=(
        Claim(
            name="better at its own rate",
            statement="Each at its own rate, batch norm reaches a higher test accuracy than the plain net.",
            left=Quantity("test accuracy", BATCH, **OWN_RATE),
            right=Quantity("test accuracy", PLAIN, **OWN_RATE),
            holds="Each at its own rate, batch norm reaches {left}, the plain net {right}.",
            fails="Each at its own rate, batch norm reaches {left}, and the plain net more: {right}.",
        ),
    ),
    answer=(Reason("Batch norm is worth its price here.", rests_on=("better at its own rate",)),),
)
