# ruff: noqa: E501
# sentences and formulas are kept whole
"""Mistakes in update rules."""

from __future__ import annotations

from normlab.checker.faults.record import ONE_STEP, Fault

LINES = {
    "momentum": "v ← μ·v − lr·dw;  w ← w + v",
    "rmsprop": "cache ← decay·cache + (1 − decay)·dw²;  w ← w − lr·dw/(√cache + ε)",
    "adam": "t ← t + 1;  m ← β₁m + (1 − β₁)dw;  v ← β₂v + (1 − β₂)dw²;  w ← w − lr·[m/(1 − β₁ᵗ)]/(√[v/(1 − β₂ᵗ)] + ε)",
}
CELL = "the update rule's own cell"
TRY = "Do two steps by hand with numbers that are easy, and compare the state as well as w."

ENTRIES: tuple[tuple[str, str, str, str, str], ...] = (
    # key, sentence, line, asked, cell
    ("sign", "the step goes uphill: the sign is wrong", "w ← w − lr·(…)", "The gradient points uphill.", CELL),
    ("rate_missing", "the learning rate is not used", "w ← w − lr·(…)", "Halving the learning rate halves the step.", CELL),
    ("velocity_sign", "the gradient enters the velocity with the wrong sign", LINES["momentum"], "The velocity points downhill.", CELL),
    ("rate_at_update", "the learning rate multiplies the velocity at the step instead of the gradient in it "
     "(the same path from rest, another velocity)", LINES["momentum"], "The velocity holds lr·dw.", CELL),
    ("damped", "the gradient is multiplied by 1 − μ as well", LINES["momentum"], "Momentum here is no average.", CELL),
    ("momentum_swapped", "μ and 1 − μ have changed places", LINES["momentum"], "The old velocity keeps the share μ.", CELL),
    ("momentum_missing", "the old velocity is not multiplied by μ", LINES["momentum"], "The old velocity keeps the share μ.", CELL),
    ("momentum_hard_coded", "μ is fixed in the code; the config's value is ignored", LINES["momentum"], "The caller chooses μ.", CELL),
    ("step_sign", "the velocity is subtracted from w instead of added", LINES["momentum"], "v already points downhill.", CELL),
    ("nesterov", "this is Nesterov's momentum; plain momentum is asked for", LINES["momentum"], "w moves by v itself.", CELL),
    ("old_velocity", "w moves by the velocity before its update", LINES["momentum"], "First v, then w.", CELL),
    ("velocity_unused", "w moves by −lr·dw: the velocity is computed and not used", LINES["momentum"], "w moves by v.", CELL),
    ("step_times_rate", "the learning rate enters twice", LINES["momentum"], "v already holds the learning rate.", CELL),
    ("velocity_not_stored", "the new velocity is not stored in the config", LINES["momentum"], "The next step needs it.", CELL),
    ("decay_swapped", "decay and 1 − decay have changed places", LINES["rmsprop"], "The old cache keeps the share decay.", CELL),
    ("accumulated", "squares are added up without the factor 1 − decay (as in AdaGrad)", LINES["rmsprop"],
     "The cache is a moving average.", CELL),
    ("decay_hard_coded", "the decay rate is fixed in the code", LINES["rmsprop"], "The caller chooses it.", CELL),
    ("cache_overwritten", "the cache holds the last square only", LINES["rmsprop"], "The cache is a moving average.", CELL),
    ("not_squared", "the gradient is not squared in the average of squares", "… + (1 − β)·dw²", "It estimates a second moment.", CELL),
    ("old_cache", "the step uses the cache before its update", LINES["rmsprop"], "First the cache, then w.", CELL),
    ("root_missing", "divides by the average of squares instead of its root", "w ← w − lr·(…)/(√v + ε)",
     "Scaling every gradient by 10 must leave the step nearly as it is.", CELL),
    ("eps_multiplied", "ε is multiplied where it must be added", "√v + ε", "ε only keeps the divisor from zero.", CELL),
    ("eps_missing", "ε is not used", "√v + ε", "A zero gradient must not give NaN.", "none: ε is 1e-8 there"),
    ("gradient_missing", "the step does not hold the gradient", LINES["rmsprop"], "The step is proportional to dw.", CELL),
    ("cache_not_stored", "the new cache is not stored in the config", LINES["rmsprop"], "The next step needs it.", CELL),
    ("t_late", "t is incremented after it is used: the correction is one step late", LINES["adam"], "First t, then the correction.", CELL),
    ("t_not_incremented", "t never moves", LINES["adam"], "Each step counts.", CELL),
    ("t_twice", "t moves by two a step", LINES["adam"], "Each step counts once.", CELL),
    ("t_not_stored", "the new t is not stored in the config", LINES["adam"], "The next step needs it.", ONE_STEP),
    ("no_bias_correction", "the bias correction is missing", LINES["adam"], "Moving averages that start at 0 are too small at first.", CELL),
    ("first_only_corrected", "only m is corrected for its bias; v is not", LINES["adam"], "Both averages start at 0.", CELL),
    ("second_only_corrected", "only v is corrected for its bias; m is not", LINES["adam"], "Both averages start at 0.", CELL),
    ("one_beta_corrects", "the same β corrects both averages", LINES["adam"], "m has β₁, v has β₂.", CELL),
    ("power_missing", "the correction is 1 − β instead of 1 − βᵗ (t is not in it, or always 1)", LINES["adam"],
     "The correction fades as t grows.", CELL),
    ("power_times", "the correction is 1 − β·t instead of 1 − βᵗ", LINES["adam"], "t is an exponent.", CELL),
    ("power_two", "the correction is 1 − β² whatever t is", LINES["adam"], "t is an exponent.", CELL),
    ("betas_swapped", "β₁ and β₂ have changed places", LINES["adam"], "m has β₁, v has β₂.", CELL),
    ("first_not_averaged", "dw enters m without the factor 1 − β₁", LINES["adam"], "m is a moving average.", CELL),
    ("second_not_averaged", "dw² enters v without the factor 1 − β₂", LINES["adam"], "v is a moving average.", CELL),
    ("average_swapped", "β and 1 − β have changed places in the averages", LINES["adam"], "The old average keeps the share β.", CELL),
    ("gradient_for_m", "the step uses dw instead of the average m", LINES["adam"], "The step follows m.", CELL),
    ("corrected_stored", "the corrected averages are stored, so that they are corrected again at each step", LINES["adam"],
     "The config keeps the plain m and v.", CELL),
    ("state_not_stored", "m or v is not stored in the config", LINES["adam"], "The next step needs both.", ONE_STEP),
    ("no_first_state", "raises when the config holds no state yet", "the first state is zero", "What is missing starts at zero.", CELL),
    ("first_state", "does not start from a state of zeros", "the first state is zero", "What is missing starts at zero.",
     "none: the cells give the state"),
    ("state_key_missing", "the returned config has no {what}", "the state lives in the config", "The next step needs it.", CELL),
)  # fmt: skip

OPTIMIZERS = {
    key: Fault(sentence, line, ("Follow the line below, a symbol at a time.", TRY, asked), cell)
    for key, sentence, line, asked, cell in ENTRIES
}
for _key, _sentence in (
    ("eps_inside", "ε stands under the root; the course has it beside the root"),
    ("eps_before_correction", "ε is added before the bias correction (as the course's own later form does)"),
    ("eps_hard_coded", "ε is fixed in the code"),
    (
        "t_starts_at_one",
        "without a config the count starts at 1, so that the first step uses t = 2 (some years' starter does)",
    ),
):
    OPTIMIZERS[_key] = Fault(_sentence, "√v + ε", ("Nothing needs to change.",) * 3, "none", severity="convention")
OPTIMIZERS["w_overwritten"] = Fault(
    "writes the new weights into w itself; right, but the caller's w is gone",
    "",
    ("Nothing must change.",) * 3,
    "none",
    "remark",
)
