"""Does the toy norm help? A study with a norm and an update rule as its axes."""

from __future__ import annotations

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over_field, over_norms

PLAIN, TOYS = {"norm": "no norm"}, {"norm": "toy norm"}

TOY = Study(
    name="toy",
    title="The toy norm",
    question="Does the toy norm help?",
    seeds=3,
    most_seeds=3,
    grids=(
        Grid(
            fixed={
                "hidden_dims": (8,),
                "weight_scale": 2e-2,
                "batch_size": 40,
                "num_epochs": 2,
                "learning_rate": 1e-3,
            },
            axes=(
                over_norms(None, "toynorm"),
                over_field("rule", "update_rule", ("adam", "signsgd")),
            ),
        ),
    ),
    measures=("best validation accuracy", "mean loss"),
    figure=(Lines("Training loss", "loss", x="step", lines=("norm", "rule"), y_log=True),),
    claims=(
        Claim(
            name="helps",
            statement="The best validation accuracy is higher with the toy norm.",
            left=Quantity("best validation accuracy", TOYS),
            right=Quantity("best validation accuracy", PLAIN),
            holds="{left} with the toy norm, {right} without.",
            fails="{left} with the toy norm, {right} without.",
            headline=True,
        ),
    ),
    answer=(Reason("The toy norm helps.", ("helps",)),),
)
