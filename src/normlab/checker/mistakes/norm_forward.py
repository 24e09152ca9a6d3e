"""Mistakes in forward passes that normalize: statistics, division, scaling, and test mode."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from normlab.checker.mistakes.record import SMALL_EPS, UNIT_PARAMETERS, Mistake, spoiling

LINE = "out = γ·(x − μ)/√(var + ε) + β, with μ and var over {over}"
VARIANCE_LINE = "var = (1/{n})·Σ(x − μ)²"
CELL = "forward, checking mean and standard deviation"
TEST_LINE = "in testing: out = γ·(x − running_mean)/√(running_var + ε) + β"
TEST_CELL = "forward in test mode"
TRY = (
    "Use γ and β at random, ε = 0.5, and sizes that all differ; "
    "then print mean and spread of the output."
)
TRY_TEST = (
    "Give running_mean and running_var by hand, with small variances, ε = 0.5 and random γ and β, "
    "and work out one entry."
)

_statistics = partial(
    Mistake,
    sought=(r"\b(mean|var|std)\(",),
    line=LINE,
    where="Look at how the statistics are taken.",
    tried=TRY,
    cell=CELL,
)


def _around_mean(x, mean, over, n):  # type: ignore[no-untyped-def]
    """The mean square distance from whatever stands for the mean."""
    return ((x - mean) ** 2).mean(**over)


SQUARES = "The variance is a mean of squares."
STATISTICS = (
    _statistics("uses_running",
                "training normalizes with the running statistics instead of the batch's own",
                "In training the output of a column has mean β and spread γ, whatever the running "
                "values are.",
                wrong=({"source": lambda d, own: (d.running_mean, d.running_var)},
                       {"source": lambda d, own: d.updated})),
    _statistics("wrong_axis", "mean and variance are taken over {other} instead of over {over}",
                "Each group that is normalized has mean 0 and spread 1 by itself; the group is "
                "{over}.",
                wrong={"axis": lambda own: (1 - own, True)}),
    _statistics("whole_array",
                "mean and variance are taken over the whole array instead of over {over}",
                "There is one mean for each group, not one for all.",
                wrong={"axis": lambda own: (None, True)}),
    _statistics("mean_wrong_axis", "the mean is taken over {other}, the variance over {over}",
                "Mean and variance are of one group: {over}.",
                wrong=({"mean_axis": lambda own: (1 - own, True)},
                       {"mean_axis": lambda own: (1 - own, True), "variance": _around_mean})),
    _statistics("mean_whole_array", "the mean is one number for the whole array",
                "There is one mean for each group, not one for all.",
                wrong=({"mean_axis": lambda own: (None, True)},
                       {"mean_axis": lambda own: (None, True), "variance": _around_mean})),
    _statistics("variance_wrong_axis", "the variance is taken over {other}, the mean over {over}",
                "Mean and variance are of one group: {over}.", line=VARIANCE_LINE,
                wrong=({"variance_axis": lambda own: (1 - own, True)},
                       {"variance_axis": lambda own: (1 - own, True), "variance": _around_mean})),
    _statistics("variance_whole_array", "the variance is one number for the whole array",
                "There is one variance for each group, not one for all.", line=VARIANCE_LINE,
                wrong=({"variance_axis": lambda own: (None, True)},
                       {"variance_axis": lambda own: (None, True), "variance": _around_mean})),
    _statistics("summed_mean", "the mean is a sum: its 1/{n} is forgotten", "x̂ has mean zero.",
                wrong=({"mean": lambda x, over: x.sum(**over)},
                       {"mean": lambda x, over: x.sum(**over), "variance": _around_mean})),
    _statistics("variance_not_averaged",
                "the squares are not averaged: every entry is divided by its own deviation",
                "The variance is a mean of squares.", line=VARIANCE_LINE,
                wrong={"variance": lambda x, mean, over, n: (x - mean) ** 2}),
    _statistics("mean_added", "the mean is added instead of subtracted", "x̂ has mean zero.",
                wrong={"centre": lambda x, mean: x + mean}),
    _statistics("keepdims_missing",
                "the reduced axis is lost, so that mean and variance meet the wrong entries of x",
                "The statistics of a row must line up with that row, not with a column.",
                wrong={"axis": lambda own: (own, False)}),
    _statistics("mean_not_subtracted", "the mean is not subtracted", "x̂ has mean zero.",
                wrong={"centre": lambda x, mean: x}),
    _statistics("unbiased", "the variance is divided by {n} − 1 instead of {n}",
                "Normalizing uses the biased variance: the plain mean of the squared deviations.",
                line=VARIANCE_LINE,
                wrong={"variance": lambda x, mean, over, n: x.var(**over) * n / (n - 1)}),
    _statistics("not_centred_variance",
                "the variance is the mean of x² without subtracting the mean first",
                "The variance does not change when a constant is added to x.", line=VARIANCE_LINE,
                wrong={"variance": lambda x, mean, over, n: (x * x).mean(**over)}),
    _statistics("summed_variance", "the variance is a sum: its 1/{n} is forgotten", SQUARES,
                line=VARIANCE_LINE,
                wrong={"variance": lambda x, mean, over, n: x.var(**over) * n}),
    _statistics("absolute_deviation",
                "the mean absolute deviation stands where the variance belongs", SQUARES,
                line=VARIANCE_LINE,
                wrong={"variance": lambda x, mean, over, n: np.abs(x - mean).mean(**over)}),
)  # fmt: skip

_division = partial(
    Mistake,
    sought=(
        r"sqrt",
        r"\*\*",
    ),
    line=LINE,
    where="Look at the line that divides.",
    tried=TRY,
    cell=CELL,
)
DIVISION = (
    _division("divided_by_variance", "divides by the variance instead of its root",
              "Scaling x by 10 must leave x̂ as it is, up to ε.",
              wrong=({"divisor": lambda var, eps: var}, {"divisor": lambda var, eps: var + eps})),
    _division("eps_outside", "ε is added to the root instead of under it: √var + ε",
              "ε belongs under the root, with var.", cell=SMALL_EPS,
              severity="robustness", wrong={"divisor": lambda var, eps: np.sqrt(var) + eps}),
    _division("eps_missing", "ε is not used",
              "A constant column must give 0, not NaN: var + ε is never zero.",
              cell=SMALL_EPS, severity="robustness",
              wrong={"divisor": lambda var, eps: np.sqrt(var)}),
    _division("eps_hard_coded",
              "ε is a fixed number in the code; the value in the param dict is ignored",
              "The caller chooses ε.", cell="none: the cells never change eps",
              severity="robustness", wrong=({"divisor": lambda var, eps: np.sqrt(var + 1e-5)},
                     {"divisor": lambda var, eps: np.sqrt(var + 1e-8)})),
    _division("eps_subtracted", "ε is subtracted from the variance instead of added",
              "var + ε is never zero.", cell=SMALL_EPS, severity="robustness",
              wrong={"divisor": lambda var, eps: np.sqrt(var - eps)}),
    _division("not_divided", "x − μ is not divided by the standard deviation", "x̂ has spread 1.",
              wrong={"divisor": lambda var, eps: np.ones_like(var)}),
    _division("eps_twice", "ε enters twice, under the root and beside it",
              "ε belongs under the root, once.",
              cell=SMALL_EPS, severity="robustness",
              wrong={"divisor": lambda var, eps: np.sqrt(var + eps) + eps}),
    _division("multiplied", "multiplies by the standard deviation instead of dividing",
              "x̂ has spread 1.",
              wrong=({"divisor": lambda var, eps: 1 / np.sqrt(var + eps)},
                     {"divisor": lambda var, eps: 1 / (var + eps)})),
)  # fmt: skip

_scaling = partial(
    Mistake,
    sought=(
        r"gamma.*beta|beta.*gamma",
        r"gamma",
    ),
    line=LINE,
    where="Look at what happens after x̂.",
    tried=TRY,
    cell=CELL,
)
SCALING = (
    _scaling("beta_missing", "β is not added", "The mean of the output is β.",
             wrong={"affine": lambda xhat, gamma, beta: gamma * xhat}),
    _scaling("beta_subtracted", "β is subtracted instead of added", "The mean of the output is β.",
             wrong={"affine": lambda xhat, gamma, beta: gamma * xhat - beta}),
    _scaling("gamma_divides", "x̂ is divided by γ instead of multiplied",
             "The spread of the output is γ.",
             wrong={"affine": lambda xhat, gamma, beta: xhat / gamma + beta}),
    _scaling("gamma_added", "γ is added where it must multiply", "The spread of the output is γ.",
             wrong={"affine": lambda xhat, gamma, beta: xhat + gamma + beta}),
    _scaling("gamma_missing", "x̂ is not multiplied by γ", "The spread of the output is γ.",
             wrong={"affine": lambda xhat, gamma, beta: xhat + beta}),
    _scaling("beta_scaled", "β is multiplied by γ as well: γ·(x̂ + β)",
             "The mean of the output is β, not γβ.",
             wrong={"affine": lambda xhat, gamma, beta: gamma * (xhat + beta)}),
    _scaling("affine_missing", "γ and β are not used", "The output has mean β and spread γ.",
             wrong={"affine": lambda xhat, gamma, beta: xhat}),
    _scaling("gamma_beta_swapped", "γ and β have changed places", "γ scales, β shifts.",
             wrong={"affine": lambda xhat, gamma, beta: beta * xhat + gamma}),
    _scaling("gamma_twice", "γ enters twice", "The spread of the output is γ.",
             wrong={"affine": lambda xhat, gamma, beta: gamma * gamma * xhat + beta}),
)  # fmt: skip
PER_ROW = (
    _scaling("transposed_once_too_often",
             "x is transposed once too often, or too early: the statistics are of {other}, the "
             "output is (D, N)",
             "Transposed there and back, and normalized in between.",
             wrong={"axis": lambda own: (1 - own, True),
                    "affine": lambda xhat, gamma, beta: gamma[:, None] * xhat.T + beta[:, None]}),
    _scaling("output_transposed", "the output is left transposed: (D, N) instead of (N, D)",
             "The output has the shape of x.",
             wrong=({"affine": lambda xhat, gamma, beta: (gamma * xhat + beta).T},
                    {"affine": lambda xhat, gamma, beta: gamma[:, None] * xhat.T + beta[:, None]})),
    _scaling("gamma_per_row",
             "γ and β are applied along the wrong axis: an example each instead of a feature each",
             "γ and β have one entry a feature.",
             wrong={"affine": lambda xhat, gamma, beta: gamma[:, None] * xhat + beta[:, None]}),
)  # fmt: skip


def _in_test_mode(mistake: Mistake, cell: str) -> Mistake:
    """The same mistake, made in test mode."""
    return replace(
        mistake,
        key=f"test_{mistake.key}",
        sentence=f"in test mode: {mistake.sentence}",
        line=TEST_LINE,
        where=f"Look at test mode. {mistake.where}",
        tried=TRY_TEST,
        cell=cell,
    )


ALONE = "Feed one example alone, then the same among others: nothing may change."
_testing = partial(
    Mistake,
    sought=(r"test",),
    line=TEST_LINE,
    where="Look at which statistics test mode uses.",
    tried=ALONE,
    cell=TEST_CELL,
)
TEST = (
    _testing("test_uses_batch", "test mode normalizes with the batch's own statistics",
             "In testing the statistics come from training.",
             wrong=({"source": lambda d: (d.x.mean(0), d.x.var(0))},
                    {"source": lambda d: (d.running_mean, d.x.var(0))},
                    {"source": lambda d: (d.x.mean(0), d.running_var)})),
    _testing("test_uses_updated",
             "test mode normalizes with running statistics that it has just updated from the test "
             "batch",
             "In testing the statistics come from training, and stay.",
             wrong={"source": lambda d: d.updated}),
    _testing("test_mean_added", "test mode adds running_mean instead of subtracting it",
             "Test mode does what training does, with the running values.", tried=TRY_TEST,
             wrong={"centre": lambda x, mean: x + mean}),
    _testing("test_mean_not_subtracted", "test mode does not subtract running_mean",
             "Test mode does what training does, with the running values.", tried=TRY_TEST,
             wrong={"centre": lambda x, mean: x}),
    *(_in_test_mode(m, m.cell if m.cell == SMALL_EPS else TEST_CELL) for m in DIVISION),
    *(_in_test_mode(m, UNIT_PARAMETERS) for m in SCALING),
)  # fmt: skip

CONTRACTS = (
    Mistake("test_updates_state", "test mode changes running_mean or running_var",
            "Only training updates them.",
            line="running = momentum·running + (1 − momentum)·batch, for μ and for var",
            where="Look at when the running statistics are updated.",
            tried="Call test mode twice and compare bn_param.",
            cell="none that says so: the test cell's means move a little"),
    Mistake("no_first_state", "raises when the state is not there yet",
            "What is missing starts at zero.",
            line="the first state is zero",
            where="Look at the first call, before any state is stored.",
            tried="Call it with a fresh dict.", cell="the first call of the cell"),
    Mistake("layer_norm_has_modes",
            "gives another output with mode='test': layer norm has no modes",
            "Layer norm treats each example by itself, always.", line=LINE,
            where="Look for 'mode'.",
            tried="Call it with mode='test'.", cell="none"),
)  # fmt: skip

OWN_STATISTICS = ("mean", "axis", "mean_axis", "variance_axis", "centre", "variance")
TRAIN = (*STATISTICS, *DIVISION, *SCALING)
LAYER = (*spoiling(STATISTICS, *OWN_STATISTICS), *DIVISION, *SCALING, *PER_ROW)
SPOILED_STATISTICS = frozenset(m.key for m in STATISTICS if m.key != "unbiased")
"""What is averaged is not what should be: the running values can only be wrong too."""
