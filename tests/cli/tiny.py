"""A study of ten nets that train in a tenth of a second each."""

from __future__ import annotations

from normlab.studies.spec import Claim, Grid, Lines, Quantity, Reason, Study, over_field, over_norms

TINY = Study(
    name="depth",
    title="A small study",
    question="Is it quick?",
    seeds=2,
    grids=(
        Grid(
            {"hidden_dims": (20, 20), "weight_scale": 0.02, "num_epochs": 2},
            (over_norms(None, "batchnorm"), over_field("batch size", "batch_size", (10, 20, 25, 40, 50))),
        ),
    ),
    measures=("best validation accuracy",),
    figure=(Lines("Accuracy", "best validation accuracy", x="batch size"),),
    claims=(
        Claim(
            name="better",
            statement="Batch norm is better.",
            left=Quantity("best validation accuracy", {"norm": "batch norm"}),
            right=Quantity("best validation accuracy", {"norm": "no norm"}),
            holds="It is: {left} against {right}.",
            fails="It is not: {left} against {right}.",
            headline=True,
        ),
    ),
    answer=(Reason("Because."),),
)
