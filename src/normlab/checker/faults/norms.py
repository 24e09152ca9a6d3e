# ruff: noqa: E501
# sentences and formulas are kept whole
"""Mistakes in layers that normalize: forward, running statistics, backward, and the spatial layouts."""

from __future__ import annotations

from normlab.checker.faults.record import BROADCAST, ERROR_ONE, SMALL_EPS, UNIT_PARAMETERS, Fault

LINE = "out = γ·(x − μ)/√(var + ε) + β, with μ and var over {over}"
FORWARD_CELL = "forward, checking mean and standard deviation"
TEST_LINE = "in testing: out = γ·(x − running_mean)/√(running_var + ε) + β"
TEST_CELL = "forward in test mode"
RUNNING_LINE = "running = momentum·running + (1 − momentum)·batch, for μ and for var"

STATISTICS = {
    "uses_running": ("training normalizes with the running statistics instead of the batch's own", LINE, FORWARD_CELL,
                     "In training the output of a column has mean β and spread γ, whatever the running values are."),
    "wrong_axis": ("mean and variance are taken over {other} instead of over {over}", LINE, FORWARD_CELL,
                   "Each group that is normalized has mean 0 and spread 1 by itself; the group is {over}."),
    "whole_array": ("mean and variance are taken over the whole array instead of over {over}", LINE, FORWARD_CELL,
                    "There is one mean for each group, not one for all."),
    "keepdims_missing": ("the reduced axis is lost, so that mean and variance meet the wrong entries of x", LINE, FORWARD_CELL,
                         "The statistics of a row must line up with that row, not with a column."),
    "mean_not_subtracted": ("the mean is not subtracted", LINE, FORWARD_CELL, "x̂ has mean zero."),
    "unbiased": ("the variance is divided by {n} − 1 instead of {n}", "var = (1/{n})·Σ(x − μ)²", FORWARD_CELL,
                 "Normalizing uses the biased variance: the plain mean of the squared deviations."),
    "not_centred_variance": ("the variance is the mean of x² without subtracting the mean first", "var = (1/{n})·Σ(x − μ)²",
                             FORWARD_CELL, "The variance does not change when a constant is added to x."),
    "summed_variance": ("the variance is a sum: its 1/{n} is forgotten", "var = (1/{n})·Σ(x − μ)²", FORWARD_CELL,
                        "The variance is a mean of squares."),
    "absolute_deviation": ("the mean absolute deviation stands where the variance belongs", "var = (1/{n})·Σ(x − μ)²",
                           FORWARD_CELL, "The variance is a mean of squares."),
}  # fmt: skip
DIVISION = {
    "divided_by_variance": ("divides by the variance instead of its root", FORWARD_CELL,
                            "Scaling x by 10 must leave x̂ as it is, up to ε."),
    "eps_outside": ("ε is added to the root instead of under it: √var + ε", SMALL_EPS, "ε belongs under the root, with var."),
    "eps_missing": ("ε is not used", SMALL_EPS, "A constant column must give 0, not NaN: var + ε is never zero."),
    "eps_hard_coded": ("ε is a fixed number in the code; the value in the param dict is ignored",
                       "none: the cells never change eps", "The caller chooses ε."),
    "eps_twice": ("ε enters twice, under the root and beside it", SMALL_EPS, "ε belongs under the root, once."),
    "not_divided": ("x − μ is not divided by the standard deviation", FORWARD_CELL, "x̂ has spread 1."),
    "multiplied": ("multiplies by the standard deviation instead of dividing", FORWARD_CELL, "x̂ has spread 1."),
}  # fmt: skip
SCALING = {
    "beta_missing": ("β is not added", FORWARD_CELL, "The mean of the output is β."),
    "gamma_missing": ("x̂ is not multiplied by γ", FORWARD_CELL, "The spread of the output is γ."),
    "affine_missing": ("γ and β are not used", FORWARD_CELL, "The output has mean β and spread γ."),
    "beta_scaled": ("β is multiplied by γ as well: γ·(x̂ + β)", FORWARD_CELL, "The mean of the output is β, not γβ."),
    "gamma_beta_swapped": ("γ and β have changed places", FORWARD_CELL, "γ scales, β shifts."),
    "gamma_twice": ("γ enters twice", FORWARD_CELL, "The spread of the output is γ."),
    "gamma_per_row": ("γ and β are applied along the wrong axis: an example each instead of a feature each", FORWARD_CELL,
                      "γ and β have one entry a feature."),
}  # fmt: skip
TRY = "Use γ and β at random, ε = 0.5, and sizes that all differ; then print mean and spread of the output."
TRY_TEST = "Give running_mean and running_var by hand, with small variances, ε = 0.5 and random γ and β, and work out one entry."


def _forward() -> dict[str, Fault]:
    entries = {
        key: Fault(sentence, line, ("Look at how the statistics are taken.", TRY, asked), cell)
        for key, (sentence, line, cell, asked) in STATISTICS.items()
    }
    for key, (sentence, cell, asked) in DIVISION.items():
        entries[key] = Fault(sentence, LINE, ("Look at the line that divides.", TRY, asked), cell)
        entries[f"test_{key}"] = Fault(
            f"in test mode: {sentence}", TEST_LINE, ("Look at the line of test mode that divides.", TRY_TEST, asked),
            cell if cell == SMALL_EPS else TEST_CELL)  # fmt: skip
    for key, (sentence, cell, asked) in SCALING.items():
        entries[key] = Fault(sentence, LINE, ("Look at what happens after x̂.", TRY, asked), cell)
        entries[f"test_{key}"] = Fault(
            f"in test mode: {sentence}",
            TEST_LINE,
            ("Look at what test mode does after x̂.", TRY_TEST, asked),
            UNIT_PARAMETERS,
        )
    return entries


def _test() -> dict[str, Fault]:
    where = "Look at which statistics test mode uses."
    return {
        "test_uses_batch": Fault("test mode normalizes with the batch's own statistics", TEST_LINE, (
            where, "Feed one example alone, then the same among others: nothing may change.",
            "In testing the statistics come from training."), TEST_CELL),
        "test_uses_updated": Fault("test mode normalizes with running statistics that it has just updated from the test batch",
            TEST_LINE, (where, "Feed one example alone, then the same among others: nothing may change.",
            "In testing the statistics come from training, and stay."), TEST_CELL),
        "test_mean_not_subtracted": Fault("test mode does not subtract running_mean", TEST_LINE, (
            where, TRY_TEST, "Test mode does what training does, with the running values."), TEST_CELL),
        "test_updates_state": Fault("test mode changes running_mean or running_var", RUNNING_LINE, (
            "Look at when the running statistics are updated.", "Call test mode twice and compare bn_param.",
            "Only training updates them."), "none that says so: the test cell's means move a little"),
        "no_first_state": Fault("raises when the state is not there yet", "the first state is zero", (
            "Look at the first call, before any state is stored.", "Call it with a fresh dict.",
            "What is missing starts at zero."), "the first call of the cell"),
        "layer_norm_has_modes": Fault("gives another output with mode='test': layer norm has no modes", LINE, (
            "Look for 'mode'.", "Call it with mode='test'.", "Layer norm treats each example by itself, always."), "none"),
    }  # fmt: skip


def _running() -> dict[str, Fault]:
    ways = {
        "momentum_swapped": ("momentum weighs the new value instead of the old one", "With momentum = 0.9 the old value keeps 90 %."),
        "not_updated": ("not updated in bn_param by a training step (never computed, or only kept in a local variable)",
                        "The caller's dict must hold the new values after the call."),
        "overwritten": ("replaced by the last batch's value", "The old value keeps its share."),
        "momentum_hard_coded": ("updated with a momentum fixed in the code", "The caller chooses the momentum."),
        "accumulated": ("never forgets: the old value keeps all its weight", "The weights of old and new add up to 1."),
        "summed": ("a plain sum of old and new", "The weights of old and new add up to 1."),
        "decayed_only": ("only shrinks: the batch's value is not added", "The weights of old and new add up to 1."),
    }  # fmt: skip
    entries = {}
    for key, (sentence, asked) in ways.items():
        hints = (
            "Look at the update of the running statistics.",
            "Do one step by hand, from a state that is not zero.",
            asked,
        )
        for prefix, what in (
            ("", "running_mean and running_var: "),
            ("mean_", "running_mean: "),
            ("variance_", "running_var: "),
        ):
            entries[f"{prefix}{key}"] = Fault(what + sentence, RUNNING_LINE, hints, TEST_CELL)
    held = {
        "holds_std": "running_var averages the standard deviation instead of the variance",
        "holds_mean": "running_var averages the mean instead of the variance",
        "holds_eps": "running_var averages var + ε: ε will be added a second time in testing",
        "holds_inverse": "running_var averages the inverse standard deviation",
        "holds_sum": "running_var averages the sum of squares: its 1/N is forgotten",
    }
    for key, sentence in held.items():
        entries[key] = Fault(sentence, RUNNING_LINE, (
            "Look at what is averaged under the name running_var.", "Compare running_var after one step with the variance of each column of x.",
            "It is the variance that is averaged; the root is taken when it is used."), TEST_CELL)  # fmt: skip
    entries["running_unbiased"] = Fault(
        "running_var averages the unbiased variance (as the paper and PyTorch do; the course keeps the biased one)",
        RUNNING_LINE, ("A convention.", "Multiply by (N − 1)/N to compare.", "Either is fine, if it is meant."),
        "forward in test mode, in the third digit", severity="convention")  # fmt: skip
    return entries


SPATIAL = {
    "not_transposed": ("channels are not moved to the end before the rows are formed: values of different channels mix",
                       "Each row of the flat array holds the C channels of one pixel."),
    "not_transposed_back": ("the flat result is brought back to (N, C, H, W) by another order than it was flattened",
                            "The way back is the inverse of the way there."),
    "per_pixel": ("statistics are taken over the examples only, a pixel at a time", "A channel's pixels share its statistics."),
    "over_pixels_only": ("statistics are taken within each image only", "A channel's statistics run over the batch as well."),
    "over_channels": ("statistics are taken over the channels", "Each channel has its own statistics."),
    "shared_bn_param": ("all channels share one entry of the running statistics", "There is one running value a channel."),
    "groups_ignored": ("all channels are normalized together: the groups are ignored", "Each of the G groups has its own statistics."),
    "group_size_for_count": ("G is taken for the number of channels in a group", "G is the number of groups."),
    "channels_interleaved": ("a group holds every so-many-th channel instead of neighbours", "Neighbouring channels form a group."),
    "over_batch": ("statistics are taken over the batch as well", "Group norm treats each example by itself."),
    "per_pixel_slices": ("statistics are taken a pixel at a time, over the channels of a group only",
                         "A group's statistics run over its channels and all pixels."),
    "per_channel": ("statistics are taken a channel at a time", "A group's statistics run over all its channels."),
}  # fmt: skip
FORWARD = {
    **_forward(), **_test(), **_running(),
    **{key: Fault(sentence, LINE, ("Look at the reshapes and the axes.",
                                   "Fill x with its own channel number and follow one pixel.", asked), "the forward cell")
       for key, (sentence, asked) in SPATIAL.items()},
}  # fmt: skip

DX = "∂L/∂x = s·[dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)], with dx̂ = γ·dout, s = 1/√(var + ε), means over {over}"
MEAN_PATH = "the path through μ:  − s·mean(dx̂)"
VARIANCE_PATH = "the path through var:  − s·x̂·mean(dx̂·x̂)"
DVAR = "∂L/∂var = Σ dx̂·(x − μ)·(−1/2)·(var + ε)^(−3/2)"
TRY_MEAN = "Use a dout that is the same everywhere: then dx is zero, because the mean takes it back."
TRY_VARIANCE = "Use dout = x̂/γ: then dx is nearly zero, because the variance takes it back."
TRY_EPS = "Check the gradient with eps = 0.5 instead of 1e-5."
TRY_GAMMA = "Check the gradient with random γ instead of ones."
TRY_N = "Check the gradient with several sizes, all different, and watch how the error changes with {n}."
TRY_FACTOR = "Work out dL/dvar for one feature with two examples by hand."

TERMS = {
    # key: sentence, line, try, asked, cell
    "mean_path_missing": ("the path through the mean is missing", MEAN_PATH, TRY_MEAN, "μ depends on every x, so every x gets a share."),
    "variance_path_missing": ("the path through the variance is missing", VARIANCE_PATH, TRY_VARIANCE,
                              "var depends on every x, so every x gets a share."),
    "both_paths_missing": ("μ and var are treated as constants: both paths through the statistics are missing", DX, TRY_MEAN,
                           "Both statistics depend on every x of their group. (In Python 2, 1/N of whole numbers is 0.)"),
    "direct_path_missing": ("the direct path, dx̂·s, is missing", DX, "Set the statistics' paths aside and look at what is left.",
                            "x enters x̂ directly as well as through μ and var."),
    "mean_path_sign": ("the path through the mean has the wrong sign", MEAN_PATH, TRY_MEAN, "μ is subtracted."),
    "variance_path_sign": ("the path through the variance has the wrong sign", DVAR, TRY_VARIANCE,
                           "A larger variance makes x̂ smaller: there is a minus."),
    "both_paths_sign": ("both paths through the statistics have the wrong sign", DX, TRY_MEAN, "Both are subtracted."),
    "direct_path_sign": ("the direct path has the wrong sign", DX, TRY_MEAN, "x enters x̂ with a plus."),
    "dx_sign": ("dx as a whole has the wrong sign", DX, "Compare one entry with a finite difference.", "It is plus."),
    "dx_zero": ("dx is zero", DX, "Print dx.", "See the whole line."),
    "dx_factor": ("dx as a whole is off by the factor {a}", DX, TRY_N, "Every term carries γ·s once."),
    "extra_one_over_n": ("dx as a whole is divided by {n} once too often", DX, TRY_N, "The 1/{n} belong to the two means only."),
    "outer_one_over_n_missing": ("dx as a whole is {n} times too large: the 1/{n} in front of {n}·dx̂ − Σ dx̂ − x̂·Σ dx̂·x̂ is forgotten",
                                 DX, TRY_N, "Multiply the bracket out: the direct path has no {n}."),
    "mean_path_one_over_n_missing": ("the 1/{n} of the mean is forgotten in its path", "∂μ/∂x = 1/{n}", TRY_N,
                                     "Each x moves the mean by 1/{n} of itself."),
    "variance_path_one_over_n_missing": ("the 1/{n} of the variance is forgotten in its path", "∂var/∂x = 2·(x − μ)/{n}", TRY_N,
                                         "The variance is a mean of {n} squares."),
    "both_paths_one_over_n_missing": ("the 1/{n} is forgotten in both paths through the statistics", DX, TRY_N,
                                      "Both statistics are means."),
    "mean_path_mean_for_sum": ("the gradient of the mean is averaged where it must be summed: one 1/{n} too many",
                               "∂L/∂μ = −Σ dx̂·s", TRY_N, "Gradients that meet in one number add up."),
    "variance_path_mean_for_sum": ("the gradient of the variance is averaged where it must be summed: one 1/{n} too many",
                                   DVAR, TRY_N, "Gradients that meet in one number add up."),
    "both_paths_mean_for_sum": ("both statistics' gradients are averaged where they must be summed", DX, TRY_N,
                                "Gradients that meet in one number add up."),
    "factor_two_missing": ("the factor 2 from the derivative of the square is lost", "∂var/∂x = 2·(x − μ)/{n}", TRY_FACTOR,
                           "A square has derivative 2·(…)."),
    "factor_half_missing": ("the factor 1/2 from the exponent −1/2 is lost", DVAR, TRY_FACTOR, "(…)^(−1/2) brings its exponent down."),
    "half_and_sign_missing": ("the factor −1/2 from the exponent is lost, with its sign", DVAR, TRY_FACTOR,
                              "(…)^(−1/2) brings its exponent down."),
    "variance_path_power": ("the power of (var + ε) in the variance's path is wrong (off by {c})", DVAR,
                            "Multiply x by 10: the terms must keep their proportion.", "−1/2 − 1 = −3/2."),
    "root_derivative_missing": ("the derivative of the root is missing: dL/dstd is used as if it were dL/dvar",
                                "∂std/∂var = 1/(2·√(var + ε))", TRY_FACTOR, "The chain has one more link between var and 1/std."),
    "precedence": ("a bracket is missing: the factor in front multiplies only the first of two terms", DX,
                   "Give each factor its own name, and multiply at the end.", "The factor stands before the whole bracket."),
    "normalized_for_centred": ("x̂ stands where x − μ is needed, or the reverse (one factor of std)", VARIANCE_PATH,
                               "Multiply x by 10: the terms must keep their proportion.", "x − μ = x̂·√(var + ε)."),
    "mean_path_std": ("the path through the mean has the wrong power of the standard deviation", MEAN_PATH,
                      "Multiply x by 10: the terms must keep their proportion.", "Every term carries s once."),
    "multiplied_by_std": ("multiplies by the standard deviation where it must divide", DX, "Multiply x by 10: dx must shrink.",
                          "∂x̂/∂x holds 1/std."),
    "divided_by_variance": ("divides by the variance where the standard deviation belongs", DX,
                            "Multiply x by 10: dx must shrink by 10.", "∂x̂/∂x holds 1/std."),
    "variance_for_std": ("the variance stands where 1/std belongs", DX, "Multiply x by 10: dx must shrink by 10.",
                         "∂x̂/∂x holds 1/std."),
    "std_missing": ("the division by the standard deviation is forgotten", DX, "Multiply x by 10: dx must shrink by 10.",
                    "∂x̂/∂x holds 1/std."),
    "std_twice": ("the division by the standard deviation happens twice", DX, "Multiply x by 10: dx must shrink by 10.",
                  "∂x̂/∂x holds 1/std, once."),
    "std_as_variance": ("the standard deviation is used as if it were the variance (what forward cached, backward misreads)", DX,
                        "Compare each cached array with what backward takes it for.", "√(var + ε) needs var."),
    "eps_missing": ("ε is missing, or another one than forward's, in the standard deviation", DX, TRY_EPS,
                    "Backward differentiates what forward computed: with the same ε."),
    "eps_missing_in_variance_path": ("ε is missing in the variance's path only", DVAR, TRY_EPS, "The power is of (var + ε), not var."),
    "gamma_missing": ("γ is forgotten: dx̂ is dout", "dx̂ = γ·dout", TRY_GAMMA, "out = γ·x̂ + β, so ∂out/∂x̂ = γ."),
    "gamma_twice": ("γ enters twice", "dx̂ = γ·dout", TRY_GAMMA, "γ enters once."),
    "gamma_only_first": ("γ multiplies the direct path only; the paths through the statistics are built from dout", DX, TRY_GAMMA,
                         "All three terms are made from dx̂ = γ·dout."),
    "gamma_outside": ("γ is multiplied after the means, where it must be inside them", DX, TRY_GAMMA,
                      "γ varies along the axis of the mean: the mean of γ·dout is not γ times a mean."),
    "direct_path_from_dout": ("the direct path is built from dout instead of γ·dout", DX, TRY_GAMMA, "dx̂ = γ·dout."),
    "mean_path_from_dout": ("the path through the mean is built from dout instead of γ·dout", MEAN_PATH, TRY_GAMMA, "dx̂ = γ·dout."),
    "variance_path_from_dout": ("the path through the variance is built from dout instead of γ·dout", VARIANCE_PATH, TRY_GAMMA,
                                "dx̂ = γ·dout."),
    "mean_path_gamma_outside": ("in the mean's path γ is multiplied after the mean", MEAN_PATH, TRY_GAMMA, "γ belongs inside."),
    "variance_path_gamma_outside": ("in the variance's path γ is multiplied after the mean", VARIANCE_PATH, TRY_GAMMA,
                                    "γ belongs inside."),
    "wrong_count": ("divides by another size ({d}) where {n} belongs", DX, TRY_N, "The means run over {over}."),
    "mean_path_wrong_count": ("the path through the mean divides by another size than {n}", MEAN_PATH, TRY_N, "The mean is over {over}."),
    "variance_path_wrong_count": ("the path through the variance divides by another size than {n}", VARIANCE_PATH, TRY_N,
                                  "The mean is over {over}."),
    "n_minus_one": ("divides by {n} − 1 where {n} belongs", DX, TRY_N, "Forward uses the biased variance; so does backward."),
    "mean_path_whole_array": ("a sum without axis in the path through the mean: all groups are added up", MEAN_PATH,
                              "Print the shape of each sum.", "Each group has its own mean, and its own sum over {over}."),
    "variance_path_whole_array": ("a sum without axis in the path through the variance: all groups are added up", VARIANCE_PATH,
                                  "Print the shape of each sum.", "Each group has its own variance, and its own sum over {over}."),
    "wrong_axis": ("the sums run over {other} instead of over {over}", DX, "Use different sizes and print the shape of each sum.",
                   "Each statistic was taken over {over}; its gradient is gathered there."),
    "mean_path_wrong_axis": ("in the mean's path the sum runs over {other}", MEAN_PATH, "Print the shape of each sum.",
                             "The gradient of μ is gathered over {over}."),
    "variance_path_wrong_axis": ("in the variance's path the sum runs over {other}", VARIANCE_PATH, "Print the shape of each sum.",
                                 "The gradient of var is gathered over {over}."),
    "keepdims_missing": ("the sums lose their axis, and meet the wrong rows", DX, "Print the shape of each sum.",
                         "The sum of a row must line up with that row."),
    "mean_path_keepdims_missing": ("the mean's sum loses its axis, and meets the wrong rows", MEAN_PATH, "Print the shape of each sum.",
                                   "The sum of a row must line up with that row."),
    "variance_path_keepdims_missing": ("the variance's sum loses its axis, and meets the wrong rows", VARIANCE_PATH,
                                       "Print the shape of each sum.", "The sum of a row must line up with that row."),
    "no_sums": ("the sums over {over} are missing: products are taken element by element", DX,
                "Change one entry of dout: every dx of its group must move.", "One statistic gathers the gradients of its whole group."),
    "mean_path_no_sum": ("in the mean's path the sum over {over} is missing", MEAN_PATH, "Print the shape of dL/dμ.",
                         "One mean gathers the gradients of its whole group."),
    "variance_path_no_sum": ("in the variance's path the sum over {over} is missing", VARIANCE_PATH, "Print the shape of dL/dvar.",
                             "One variance gathers the gradients of its whole group."),
    "diagonal_only": ("only the diagonal of the derivative is there: each dx depends on its own dout alone", DX,
                      "Change one entry of dout: every dx of its group must move.",
                      "Through μ and var, every x of a group changes every x̂ of it."),
    "x_for_centred": ("x stands where x − μ is needed (in backward, or in what forward cached)", VARIANCE_PATH,
                      "Add 100 to x: dx must not change.", "The variance is made of deviations from the mean."),
    "out_for_normalized": ("the output γ·x̂ + β stands where x̂ is needed (often: forward cached out)", VARIANCE_PATH, TRY_GAMMA,
                           "x̂ is the value before γ and β."),
    "roles_swapped": ("γ and x − μ have changed places: the cache is unpacked in another order than it was packed", DX,
                      "Compare each cached array with what backward takes it for.", "The order of the cache is a promise."),
    "reduced_over_part": ("the means run over another part than the group (some axes too few or too many)", DX,
                          "Print the shape of each mean.", "The means run over the group's channels and all pixels."),
    "direct_path_n": ("the direct path is {n} times too large", DX, TRY_N, "Only the statistics' paths hold a 1/{n}."),
    "direct_path_varies": ("the direct path has a factor that differs from group to group", DX, TRY_N, "It is γ·s."),
    "first_path_wrong_count": ("the direct path is off by a ratio of sizes ({a})", DX, TRY_N, "It is γ·s."),
    "first_path_factor": ("the direct path is off by the factor {a}", DX, TRY_N, "It is dx̂·s."),
    "mean_path_factor": ("the path through the mean is off by the factor {b}", MEAN_PATH, TRY_N, "It is −s·mean(dx̂)."),
    "variance_path_factor": ("the path through the variance is off by the factor {c}", VARIANCE_PATH, TRY_N,
                             "It is −s·x̂·mean(dx̂·x̂)."),
}  # fmt: skip

SUM_LINES = {"dgamma": "∂L/∂γ = Σₙ dout·x̂", "dbeta": "∂L/∂β = Σₙ dout"}


def _sums() -> dict[str, Fault]:
    tried = "Check dγ and dβ by themselves, with random γ and β, N ≠ D."
    ways = {
        "mean": ("is averaged instead of summed", "γ and β are shared by all examples: their gradients add up."),
        "keepdims": ("has shape (1, D) instead of (D,)", "A gradient has the shape of what it is the gradient of."),
        "wrong_axis": (
            "is summed over the features instead of over the examples",
            "There is one γ and one β a feature.",
        ),
        "whole_array": ("is one number: the sum has no axis", "There is one γ and one β a feature."),
        "not_summed": (
            "is not summed over the examples",
            "γ and β are shared by all examples: their gradients add up.",
        ),
        "sign": ("has the wrong sign", "out = γ·x̂ + β has only plus signs."),
        "last_only": (
            "holds one example's part only: it is overwritten where it must be added up",
            "γ and β are shared by all examples: their gradients add up.",
        ),
        "divided_by_features": ("is divided by the number of features", "No average is taken."),
    }
    entries = {}
    for name, line in SUM_LINES.items():
        for key, (sentence, asked) in ways.items():
            cell = BROADCAST if key == "keepdims" else ERROR_ONE
            entries[f"{name}_{key}"] = Fault(f"{name} {sentence}", line, (f"Look at {name} alone.", tried, asked), cell)
    line = SUM_LINES["dgamma"]
    for key, sentence, asked in (
        ("dgamma_centred", "dgamma uses x − μ instead of x̂", "out = γ·x̂ + β: the factor of γ is x̂."),
        ("dgamma_x", "dgamma uses x instead of x̂", "out = γ·x̂ + β: the factor of γ is x̂."),
        (
            "dgamma_with_gamma",
            "dgamma carries a factor γ: it is made from γ·dout, or from γ·x̂",
            "out is linear in γ: no γ is left.",
        ),
        ("dgamma_with_out", "dgamma uses the output γ·x̂ + β instead of x̂", "out = γ·x̂ + β: the factor of γ is x̂."),
        ("dgamma_over_gamma", "dgamma is divided by γ", "out is linear in γ: no γ is left."),
        ("dgamma_is_dbeta", "dgamma is Σ dout: x̂ is forgotten", "out = γ·x̂ + β: the factor of γ is x̂."),
        ("dgamma_without_dout", "dgamma is Σ x̂: dout is forgotten", "Set dout to zero: every gradient must vanish."),
    ):
        entries[key] = Fault(sentence, line, ("Look at dgamma alone.", tried, asked), ERROR_ONE)
    entries["dbeta_with_gamma"] = Fault("dbeta carries a factor γ", SUM_LINES["dbeta"], (
        "Look at dbeta alone.", tried, "out = γ·x̂ + β: the factor of β is 1."), ERROR_ONE)  # fmt: skip
    entries["gamma_beta_order"] = Fault("dgamma and dbeta have changed places", "return dx, dγ, dβ", (
        "Look at the return statement.", tried, "The docstring gives the order."), ERROR_ONE)  # fmt: skip
    entries["dout_overwritten_by_gamma"] = Fault(
        "dout is multiplied by γ in place before dgamma and dbeta are taken from it", "dx̂ = γ·dout is a new array", (
            "Look for an operation in place on dout.", TRY_GAMMA, "dβ and dγ are made from dout itself."),
        "the gradient check with random γ")  # fmt: skip
    entries["gradient_shape"] = Fault("{what} has another shape than the parameter it belongs to", "dγ has the shape of γ", (
        "Compare dgamma.shape with gamma.shape.", "Print both.", "Here γ may be (1, C, 1, 1)."), "group norm: backward")  # fmt: skip
    return entries


LAYOUT = {
    "dout_not_transposed": ("dout is flattened without moving the channels to the end", "dout must be flattened exactly as x was."),
    "dout_other_order": ("dout is flattened in another order than forward flattened x", "dout must be flattened exactly as x was."),
    "dx_not_transposed_back": ("dx is brought back to (N, C, H, W) by another order than it was flattened",
                               "The way back is the inverse of the way there."),
}  # fmt: skip
BACKWARD = {
    **{key: Fault(sentence, line, ("Follow the line below through your code, term by term.", tried, asked),
                  SMALL_EPS if key.startswith("eps") else ERROR_ONE)
       for key, (sentence, line, tried, asked) in TERMS.items()},
    **_sums(),
    **{key: Fault(sentence, DX, ("Look at the reshapes and transposes.", "Let dout be 1 in one pixel and 0 elsewhere.", asked),
                  "the backward cell") for key, (sentence, asked) in LAYOUT.items()},
}  # fmt: skip
