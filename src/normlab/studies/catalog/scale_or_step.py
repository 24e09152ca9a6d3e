"""Is it the scale of the weights, or the step? The control that the initialization figure lacks."""

from __future__ import annotations

from normlab.studies import Claim, Grid, Lines, Quantity, Reason, Study, over, over_norms
from normlab.studies.spec import Where

SCALES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
RATIOS = (0.01, 0.03, 0.1, 0.3)
"""Learning rate over weight scale. The notebook's rate of 0.001 has the ratio 10 at its smallest scale, 0.001 at 1."""
FIXED_RATE = 1e-3
NET = {"hidden_dims": (50,) * 7, "batch_size": 50, "num_epochs": 10, "test": True}
NORMS = (None, "batchnorm", "layernorm", "rmsnorm")
FIXED, MATCHED = ({"rate": name} for name in ("one for all", "matched to the scale"))
SMALL_EPS = {**MATCHED, "eps": "1e-12"}
USUAL_EPS = {**MATCHED, "eps": "1e-5"}
VALIDATION = "best validation accuracy"
TEN_POINTS = 0.10
WHY_TEN = "the notebook's figure differs by 20 to 70 points at the scales in question."


def scaled(ratio: float) -> dict[float, dict[str, float]]:
    """Every scale, with the rate at this ratio to it."""
    return {scale: {"weight_scale": scale, "learning_rate": ratio * scale} for scale in SCALES}


def at(norm: str, scale: float, where: Where) -> Quantity:
    """A norm's test accuracy at a scale, at the best ratio where there are several."""
    ratio = "ratio" if where is not FIXED else None
    chosen_by = VALIDATION if ratio else None
    return Quantity(
        "test accuracy",
        {"norm": norm, "weight scale": scale, **where},
        best_of=ratio,
        chosen_by=chosen_by,
    )


FIXED_GRID = Grid(
    fixed={**NET, "learning_rate": FIXED_RATE},
    axes=(
        over_norms(*NORMS),
        over("weight scale", {scale: {"weight_scale": scale} for scale in SCALES}, "Weight scale"),
    ),
    tags=FIXED,
)
MATCHED_GRIDS = tuple(
    Grid(
        fixed=NET,
        axes=(
            over_norms(*NORMS),
            over("weight scale", scaled(ratio), "Weight scale", "scale {}"),
            over("ratio", {ratio: {}}, "Learning rate over weight scale"),
        ),
        tags=USUAL_EPS,
    )
    for ratio in RATIOS
)
SMALL_EPS_GRIDS = tuple(
    Grid(
        fixed={**NET, "eps": 1e-12},
        axes=(
            over_norms("batchnorm", "layernorm"),
            over(
                "weight scale",
                {scale: setting for scale, setting in scaled(ratio).items() if scale == SCALES[0]},
                "Weight scale",
            ),
            over("ratio", {ratio: {}}, "Learning rate over weight scale"),
        ),
        tags=SMALL_EPS,
    )
    for ratio in RATIOS
)

SCALE_OR_STEP = Study(
    name="scale-or-step",
    title="The scale, or the step?",
    question="Does the scale of the initial weights decide whether a normalized net learns, or the "
    "size of a step "
    "against that scale?",
    grids=(FIXED_GRID, *MATCHED_GRIDS, *SMALL_EPS_GRIDS),
    measures=("test accuracy", VALIDATION, "best training accuracy"),
    figure=(
        Lines(
            "One rate for every scale (as the notebook has it)",
            "test accuracy",
            x="weight scale",
            where=FIXED,
            x_log=True,
            note="The rate is 0.001 at every scale.",
        ),
        Lines(
            "The rate matched to the scale",
            "test accuracy",
            x="weight scale",
            where=USUAL_EPS,
            x_log=True,
            best_of="ratio",
            chosen_by=VALIDATION,
            note="The best of four ratios of rate to scale, chosen on validation images.",
        ),
        *(
            Lines(
                f"{name}: accuracy at each scale, against the ratio of rate to scale",
                "test accuracy",
                x="ratio",
                lines=("weight scale",),
                where={**USUAL_EPS, "norm": name},
                x_log=True,
                note=note,
            )
            for name, note in (
                ("batch norm", "Lines on top of one another: only the ratio matters."),
                ("layer norm", ""),
                ("no norm", "Without a norm the scale itself matters."),
            )
        ),
    ),
    claims=(
        Claim(
            name="large scales only need larger steps",
            statement="At scale 1, matching the rate to the scale raises batch norm's test "
            "accuracy by at least "
            "10 points over the notebook's rate.",
            left=at("batch norm", 1.0, USUAL_EPS),
            right=at("batch norm", 1.0, FIXED),
            margin=TEN_POINTS,
            why=WHY_TEN,
            holds="At scale 1 batch norm reaches {right} at the notebook's rate, and {left} at a "
            "rate matched to "
            "the scale.",
            fails="At scale 1 batch norm reaches {right} at the notebook's rate, and at a rate "
            "matched to the scale "
            "{left}.",
            headline=True,
        ),
        Claim(
            name="small scales only need smaller steps",
            statement="At scale 0.001, matching the rate to the scale raises layer norm's test "
            "accuracy by at least "
            "10 points over the notebook's rate.",
            left=at("layer norm", 1e-3, USUAL_EPS),
            right=at("layer norm", 1e-3, FIXED),
            margin=TEN_POINTS,
            why=WHY_TEN,
            holds="At scale 0.001 layer norm reaches {right} at the notebook's rate, and {left} at "
            "a rate matched to "
            "the scale.",
            fails="At scale 0.001 layer norm reaches {right} at the notebook's rate, and at a rate "
            "matched to the "
            "scale {left}.",
            headline=True,
        ),
        Claim(
            name="batch norm forgets the scale",
            statement="With the rate matched, batch norm's test accuracy at scale 1 is within 3 "
            "points of that at "
            "scale 0.01.",
            left=at("batch norm", 1e-2, USUAL_EPS),
            right=at("batch norm", 1.0, USUAL_EPS),
            expect="below",
            margin=0.03,
            why="three points are a tenth of what the scale seems to cost at the notebook's rate.",
            holds="With the rate matched, batch norm reaches {left} at scale 0.01 and {right} at "
            "scale 1.",
            fails="Even with the rate matched, batch norm reaches {left} at scale 0.01 and {right} "
            "at scale 1.",
        ),
        Claim(
            name="the plain net cannot",
            statement="With the rate matched, the plain net's test accuracy at scale 0.001 stays "
            "at least 10 points "
            "below batch norm's.",
            left=at("batch norm", 1e-3, USUAL_EPS),
            right=at("no norm", 1e-3, USUAL_EPS),
            margin=TEN_POINTS,
            why=WHY_TEN,
            holds="At scale 0.001 no rate helps the plain net: {right}, against {left} with batch "
            "norm.",
            fails="At scale 0.001 the plain net reaches {right}, batch norm {left}.",
        ),
        Claim(
            name="eps is the other half",
            statement="At scale 0.0001, where the variance is below the usual eps, a smaller eps "
            "raises layer norm's "
            "test accuracy by at least 10 points, with the rate matched in both.",
            left=at("layer norm", 1e-4, SMALL_EPS),
            right=at("layer norm", 1e-4, USUAL_EPS),
            margin=TEN_POINTS,
            why=WHY_TEN,
            holds="At scale 0.0001 layer norm reaches {right} with eps 0.00001, and {left} with "
            "10⁻¹², both at a "
            "matched rate.",
            fails="At scale 0.0001 layer norm reaches {right} with eps 0.00001, and {left} with "
            "10⁻¹², both at a "
            "matched rate.",
        ),
    ),
    answer=(
        Reason(
            "It is the step. Of a normalized weight only the direction matters, and a step of "
            "Adam, which is as long "
            "for small weights as for large ones, turns it by an angle of rate over scale. At one "
            "rate for all, large "
            "weights turn too slowly and small ones too fast; at a rate matched to the scale the "
            "same nets learn.",
            ("large scales only need larger steps", "small scales only need smaller steps"),
        ),
        Reason(
            "So the fall of batch norm at large scales in the notebook's figure says nothing about "
            "batch norm.",
            ("large scales only need larger steps", "batch norm forgets the scale"),
        ),
        Reason(
            "Without a norm no rate makes up for a signal that has died on its way through the "
            "layers: that much of "
            "the notebook's figure stands.",
            ("the plain net cannot",),
        ),
        Reason(
            "At the very smallest scales the variance of a layer's input falls below eps, and "
            "dividing by the root of "
            "variance plus eps no longer restores the spread. A smaller eps, and a smaller step, "
            "and the net learns.",
            ("eps is the other half",),
        ),
    ),
    leaves_out="The notebook trains every scale at the same rate, 0.001. A scale that is bad for "
    "this rate looks like a "
    "bad scale. The second figure gives each scale its own rate.",
    literature=(
        "van Laarhoven 2017, L2 regularization versus batch and weight normalization: the "
        "effective rate is rate over "
        "the square of the scale for SGD, rate over the scale for Adam.",
        "Arora, Li and Lyu 2019, Theoretical analysis of auto rate-tuning by batch normalization.",
        "Yang et al. 2019, A mean field theory of batch normalization: gradients grow with depth "
        "under batch norm; the "
        "paper has no figure of accuracy against scale.",
    ),
)
