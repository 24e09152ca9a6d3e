"""Does batch norm make a deep net easier to train? The notebook's first study, and the cells beside its own."""

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

NOTEBOOK_START, HE = "std 0.02 (notebook)", "He initialization"
RAW, STANDARD = "raw", "standardized"
NOTEBOOK = {"start": NOTEBOOK_START, "inputs": RAW}
WELL_SET_UP = {"start": HE, "inputs": STANDARD}
PLAIN, BATCH, LAYER = ({"norm": name} for name in ("no norm", "batch norm", "layer norm"))
TEST = "test accuracy"


def of(norm: dict[str, str], cell: dict[str, str]) -> Quantity:
    """A norm's test accuracy in one cell of inputs and start."""
    return Quantity(TEST, {**norm, **cell})


DEPTH = Study(
    name="depth",
    title="A deep net, with and without batch norm",
    question="Does batch norm make a six-layer net easier to train?",
    grids=(
        Grid(
            fixed={
                "hidden_dims": (100,) * 5,
                "batch_size": 50,
                "num_epochs": 10,
                "learning_rate": 1e-3,
                "test": True,
            },
            axes=(
                over_norms(None, "batchnorm", "layernorm"),
                over(
                    "start",
                    {NOTEBOOK_START: {"weight_scale": 2e-2}, HE: {"start": "he"}},
                    "Start",
                    "{}",
                ),
                over_field("inputs", "inputs", (RAW, STANDARD), "Inputs", "{} inputs"),
            ),
        ),
    ),
    measures=(
        TEST,
        "best validation accuracy",
        "best training accuracy",
        "mean loss",
        "final loss",
    ),
    figure=(
        Lines(
            "Training loss (the notebook's figure)",
            "loss",
            x="step",
            where={**NOTEBOOK, "norm": ("no norm", "batch norm")},
            y_log=True,
        ),
        Lines(
            "Training accuracy (the notebook's figure)",
            "training accuracy",
            x="epoch",
            where={**NOTEBOOK, "norm": ("no norm", "batch norm")},
        ),
        Lines(
            "Validation accuracy (the notebook's figure)",
            "validation accuracy",
            x="epoch",
            where={**NOTEBOOK, "norm": ("no norm", "batch norm")},
        ),
        *(
            Lines(
                f"Training loss: {inputs} inputs, {start}",
                "loss",
                x="step",
                where={"start": start, "inputs": inputs},
                y_log=True,
            )
            for inputs in (RAW, STANDARD)
            for start in (NOTEBOOK_START, HE)
        ),
    ),
    claims=(
        Claim(
            name="faster at the start",
            statement="In the notebook's own setting, after one epoch, the net with batch norm has "
            "the higher "
            "training accuracy.",
            left=Quantity("first-epoch training accuracy", {**BATCH, **NOTEBOOK}),
            right=Quantity("first-epoch training accuracy", {**PLAIN, **NOTEBOOK}),
            holds="In the notebook's setting, after one epoch, the net with batch norm classifies "
            "{left} of its "
            "training images, the plain net {right}.",
            fails="In the notebook's setting, after one epoch, the net with batch norm classifies "
            "only {left} of its "
            "training images, the plain net {right}.",
        ),
        Claim(
            name="generalizes better",
            statement="In the notebook's own setting the test accuracy is higher with batch norm.",
            left=of(BATCH, NOTEBOOK),
            right=of(PLAIN, NOTEBOOK),
            holds="In the notebook's setting the test accuracy is {left} with batch norm and "
            "{right} without.",
            fails="In the notebook's setting the test accuracy is {left} with batch norm and no "
            "lower, {right}, "
            "without.",
            headline=True,
        ),
        Claim(
            name="no help where the net is well set up",
            statement="With standardized inputs and He initialization, batch norm's test accuracy is less "
            "than 1 point above "
            "the plain net's.",
            left=of(BATCH, WELL_SET_UP),
            right=of(PLAIN, WELL_SET_UP),
            expect="below",
            margin=0.01,
            why="one point is less than half of what batch norm gains in the notebook's setting.",
            holds="With standardized inputs and He initialization it is {left} with batch norm and "
            "{right} without.",
            fails="With standardized inputs and He initialization it is still {left} with batch norm and "
            "{right} without.",
            headline=True,
        ),
        Claim(
            name="most help where only the start is bad",
            statement="With standardized inputs and the notebook's start, batch norm's test "
            "accuracy is at least 5 "
            "points above the plain net's.",
            left=of(BATCH, {"start": NOTEBOOK_START, "inputs": STANDARD}),
            right=of(PLAIN, {"start": NOTEBOOK_START, "inputs": STANDARD}),
            margin=0.05,
            why="five points are twice what batch norm gains in the notebook's setting.",
            holds="With standardized inputs and the notebook's start it is {left} with batch norm "
            "and {right} without.",
            fails="With standardized inputs and the notebook's start it is {left} with batch norm "
            "and {right} without.",
        ),
        Claim(
            name="the baseline moves more than the norm",
            statement="Going from the notebook's setting to standardized inputs with the same "
            "start costs the plain "
            "net more test accuracy than it costs batch norm.",
            left=Quantity(
                TEST,
                {**PLAIN, **NOTEBOOK},
                minus=Quantity(TEST, {**PLAIN, "start": NOTEBOOK_START, "inputs": STANDARD}),
            ),
            right=Quantity(
                TEST,
                {**BATCH, **NOTEBOOK},
                minus=Quantity(TEST, {**BATCH, "start": NOTEBOOK_START, "inputs": STANDARD}),
            ),
            holds="Standardizing the inputs, with the notebook's start, costs the plain net "
            "{left}, and batch norm "
            "{right}.",
            fails="Standardizing the inputs, with the notebook's start, costs the plain net "
            "{left}, and batch norm no "
            "less: {right}.",
        ),
    ),
    answer=(
        Reason(
            "In the notebook's setting batch norm helps at once, and in the end.",
            ("faster at the start", "generalizes better"),
        ),
        Reason(
            "How much it helps is a property of the net without it. Pixels from 0 to 255 and a "
            "start of 0.02 happen "
            "to suit one another; change one alone and the plain net suffers while batch norm "
            "hardly notices; change "
            "both, so that a signal of spread one enters and is kept, and there is nothing left to "
            "help.",
            ("no help where the net is well set up", "most help where only the start is bad"),
        ),
        Reason(
            "How much it helps is a property of the net without it: change the inputs alone and "
            "the plain net suffers while batch norm hardly notices. Whether a point of help is "
            "left where both inputs and start are chosen well, these seeds cannot tell.",
            ("most help where only the start is bad",),
            undecided=("no help where the net is well set up",),
        ),
        Reason(
            "Batch norm is still ahead where the plain net is set up well, on this data.",
            against=("no help where the net is well set up",),
        ),
    ),
    leaves_out="It shows one of four settings: raw pixels with a start of 0.02. The panels after "
    "it show the others.",
    literature=(
        "Ioffe and Szegedy 2015, Batch normalization: faster at the start, on ImageNet.",
        "He et al. 2015, Delving deep into rectifiers: the start that keeps a signal's spread "
        "through ReLU layers.",
        "Santurkar et al. 2018, How does batch normalization help optimization? Covariate shift is "
        "not the reason.",
    ),
)
