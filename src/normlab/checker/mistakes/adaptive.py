"""Mistakes in RMSProp and Adam, each with the formula it leaves."""

from __future__ import annotations

from functools import partial

import numpy as np

from normlab.checker.mistakes.momentum import CELL, TRY
from normlab.checker.mistakes.record import ONE_STEP, Mistake, convention

RMSPROP_LINE = "cache ← decay·cache + (1 − decay)·dw²;  w ← w − lr·dw/(√cache + ε)"
ADAM_LINE = (
    "t ← t + 1;  m ← β₁m + (1 − β₁)dw;  v ← β₂v + (1 − β₂)dw²;  "
    "w ← w − lr·[m/(1 − β₁ᵗ)]/(√[v/(1 − β₂ᵗ)] + ε)"
)
ROOT = "√v + ε"

_step = partial(
    Mistake,
    sought=(r"\b(next_)?w\w*\s*[-+]?=",),
    line="w ← w − lr·(…)",
    where="Look at the step that changes w.",
    tried=TRY,
    cell=CELL,
)
_divide = partial(
    Mistake,
    sought=(r"sqrt",),
    line=ROOT,
    where="Look at what the step is divided by.",
    tried=TRY,
    cell=CELL,
)
STEP = (
    _step("sign", "the step goes uphill: the sign is wrong", "The gradient points uphill.",
          wrong={"step": lambda lr, first, dw: -lr * first}),
    _step("rate_missing", "the learning rate is not used",
          "Halving the learning rate halves the step.",
          wrong={"step": lambda lr, first, dw: first}),
)  # fmt: skip
EPS = {
    "inside": convention("eps_inside", "ε stands under the root; the course has it beside the root",
                         ROOT,
                         wrong={"divisor": lambda used, second, eps: np.sqrt(used / second + eps)}),
    "hard_coded": convention("eps_hard_coded", "ε is fixed in the code", ROOT,
                             wrong={"divisor": lambda used, second,
                                    eps: np.sqrt(used / second) + 1e-8}),
}  # fmt: skip
DIVISOR = (
    EPS["inside"],
    _divide("root_missing", "divides by the average of squares instead of its root",
            "Scaling every gradient by 10 must leave the step nearly as it is.",
            wrong={"divisor": lambda used, second, eps: used / second + eps}),
    EPS["hard_coded"],
    _divide("divisor_missing", "the step is not divided by the root of the squares",
            "Scaling every gradient by 10 must leave the step nearly as it is.",
            wrong=({"divisor": lambda used, second, eps: 1.0},
                   {"divisor": lambda used, second, eps: eps})),
    _divide("eps_multiplied", "ε is multiplied where it must be added",
            "ε only keeps the divisor from zero.",
            wrong={"divisor": lambda used, second, eps: np.sqrt(used / second) * eps}),
    _divide("eps_missing", "ε is not used", "A zero gradient must not give NaN.",
            cell="none: ε is 1e-8 there",
            wrong={"divisor": lambda used, second, eps: np.sqrt(used / second)}),
    _divide("eps_subtracted", "ε is subtracted where it must be added",
            "ε keeps the divisor from zero.",
            cell="none: ε is 1e-8 there",
            wrong={"divisor": lambda used, second, eps: np.sqrt(used / second) - eps}),
)  # fmt: skip
SQUARE = (
    Mistake("not_squared", "the gradient is not squared in the average of squares",
            "It estimates a second moment.",
            line="… + (1 − β)·dw²", where="Look at the average of squares.", tried=TRY, cell=CELL,
            wrong=({"square": lambda dw: dw}, {"square": abs})),
)  # fmt: skip

_cache = partial(
    Mistake,
    sought=(r"cache.*=",),
    line=RMSPROP_LINE,
    where="Look at the update of the cache.",
    tried=TRY,
    cell=CELL,
)
RMSPROP = (
    _cache("decay_swapped", "decay and 1 − decay have changed places",
           "The old cache keeps the share decay.",
           wrong={"cache": lambda old, square, decay: (1 - decay) * old + decay * square}),
    _cache("accumulated", "squares are added up without the factor 1 − decay (as in AdaGrad)",
           "The cache is a moving average.",
           wrong=({"cache": lambda old, square, decay: old + square},
                  {"cache": lambda old, square, decay: decay * old + square})),
    _cache("decay_hard_coded", "the decay rate is fixed in the code", "The caller chooses it.",
           wrong=({"cache": lambda old, square, decay: 0.99 * old + 0.01 * square},
                  {"cache": lambda old, square, decay: 0.9 * old + 0.1 * square})),
    _cache("cache_overwritten", "the cache holds the last square only",
           "The cache is a moving average.",
           wrong=({"cache": lambda old, square, decay: square},
                  {"cache": lambda old, square, decay: (1 - decay) * square})),
    _cache("old_forgotten", "the square enters, and the old cache keeps all its weight",
           "The old cache keeps the share decay.",
           wrong={"cache": lambda old, square, decay: old + (1 - decay) * square}),
    *SQUARE,
    _cache("old_cache", "the step uses the cache before its update", "First the cache, then w.",
           wrong={"used": lambda old, new: old}),
    *DIVISOR,
    *STEP,
    _step("gradient_missing", "the step does not hold the gradient",
          "The step is proportional to dw.",
          line=RMSPROP_LINE, wrong={"step": lambda lr, first, dw: lr}),
    _cache("cache_not_stored", "the new cache is not stored in the config",
           "The next step needs it.",
           wrong={"kept": lambda old, new: old}),
)  # fmt: skip


def _both_multiplied(power, b1, b2, t, eps):  # type: ignore[no-untyped-def]
    return 1 / power(b1, t), 1 / power(b2, t)


def _first_multiplied(power, b1, b2, t, eps):  # type: ignore[no-untyped-def]
    return 1 / power(b1, t), power(b2, t)


def _second_multiplied(power, b1, b2, t, eps):  # type: ignore[no-untyped-def]
    return power(b1, t), 1 / power(b2, t)


_adam = partial(
    Mistake,
    sought=(r"\b[mv]\w*\s*=|\[.[mv].\]\s*=",),
    line=ADAM_LINE,
    tried=TRY,
    cell=CELL,
    where="Look at the two averages m and v.",
)
_time = partial(_adam, sought=(r"\bt\w*\s*\+?=|\[.t.\]",), where="Look at the count t.")
_corrected = partial(_adam, sought=(r"\*\*",), where="Look at the bias correction.")
AVERAGE = "{0} is a moving average."
ADAM = (
    _time("t_late", "t is incremented after it is used: the correction is one step late",
          "First t, then the correction.", wrong={"time": lambda t: (t, t + 1)}),
    _time("t_not_incremented", "t never moves", "Each step counts.",
          wrong={"time": lambda t: (t, t)}),
    _time("t_twice", "t moves by two a step", "Each step counts once.",
          wrong={"time": lambda t: (t + 2, t + 2)}),
    _corrected("no_bias_correction", "the bias correction is missing",
               "Moving averages that start at 0 are too small at first.",
               wrong={"correction": lambda power, b1, b2, t, eps: (1.0, 1.0)}),
    _corrected("first_only_corrected", "only m is corrected for its bias; v is not",
               "Both averages start at 0.",
               wrong={"correction": lambda power, b1, b2, t, eps: (power(b1, t), 1.0)}),
    _corrected("second_only_corrected", "only v is corrected for its bias; m is not",
               "Both averages start at 0.",
               wrong={"correction": lambda power, b1, b2, t, eps: (1.0, power(b2, t))}),
    _corrected("one_beta_corrects", "the same β corrects both averages", "m has β₁, v has β₂.",
               wrong=({"correction": lambda power, b1, b2, t, eps: (power(b1, t), power(b1, t))},
                      {"correction": lambda power, b1, b2, t, eps: (power(b2, t), power(b2, t))})),
    _corrected("corrections_exchanged", "m is corrected with β₂ and v with β₁",
               "m has β₁, v has β₂.",
               wrong={"correction": lambda power, b1, b2, t, eps: (power(b2, t), power(b1, t))}),
    _corrected("eps_in_correction", "ε is added to 1 − βᵗ: it belongs beside the root only",
               "Only the last division needs ε.", cell="none: ε is 1e-8 there",
               wrong={"correction": lambda power, b1, b2, t,
                      eps: (power(b1, t) + eps, power(b2, t) + eps)}),
    _corrected("correction_multiplied", "multiplies by 1 − βᵗ instead of dividing by it",
               "The averages are too small by this factor at first.",
               wrong=({"correction": _both_multiplied}, {"correction": _first_multiplied},
                      {"correction": _second_multiplied})),
    _corrected("power_missing",
               "the correction is 1 − β instead of 1 − βᵗ (t is not in it, or always 1)",
               "The correction fades as t grows.", wrong={"power": lambda beta, t: 1 - beta}),
    _corrected("power_plus", "the correction is 1 + βᵗ instead of 1 − βᵗ",
               "The averages are too small at first.",
               wrong={"power": lambda beta, t: 1 + beta**t}),
    _corrected("power_times", "the correction is 1 − β·t instead of 1 − βᵗ", "t is an exponent.",
               wrong={"power": lambda beta, t: 1 - beta * t}),
    _corrected("power_two", "the correction is 1 − β² whatever t is", "t is an exponent.",
               wrong={"power": lambda beta, t: 1 - beta**2}),
    _adam("betas_swapped", "β₁ and β₂ have changed places", "m has β₁, v has β₂.",
          wrong={"betas": lambda b1, b2: (b2, b1)}),
    _adam("first_not_averaged", "dw enters m without the factor 1 − β₁", "m is a moving average.",
          wrong={"average": lambda b1, b2: ((b1, 1), (b2, 1 - b2))}),
    _adam("second_not_averaged", "dw² enters v without the factor 1 − β₂", "v is a moving average.",
          wrong={"average": lambda b1, b2: ((b1, 1 - b1), (b2, 1))}),
    _adam("average_swapped", "β and 1 − β have changed places in the averages",
          "The old average keeps the share β.",
          wrong={"average": lambda b1, b2: ((1 - b1, b1), (1 - b2, b2))}),
    _adam("first_forgotten", "the old m is lost: m holds the last gradient only",
          "The old average keeps the share β₁.",
          wrong=({"average": lambda b1, b2: ((0, 1 - b1), (b2, 1 - b2))},
                 {"average": lambda b1, b2: ((0, 1), (b2, 1 - b2))})),
    _adam("second_forgotten", "the old v is lost: v holds the last square only",
          "The old average keeps the share β₂.",
          wrong=({"average": lambda b1, b2: ((b1, 1 - b1), (0, 1 - b2))},
                 {"average": lambda b1, b2: ((b1, 1 - b1), (0, 1))})),
    _adam("first_sign", "the gradient enters m with the wrong sign", "m averages dw itself.",
          wrong={"moment": lambda dw: -dw}),
    _adam("first_accumulated", "the old m keeps all its weight: β₁ is missing",
          "The old average keeps the share β₁.",
          wrong={"average": lambda b1, b2: ((1, 1 - b1), (b2, 1 - b2))}),
    _adam("second_accumulated", "the old v keeps all its weight: β₂ is missing",
          "The old average keeps the share β₂.",
          wrong={"average": lambda b1, b2: ((b1, 1 - b1), (1, 1 - b2))}),
    _adam("one_beta_averages", "both averages use the same β", "m has β₁, v has β₂.",
          wrong=({"average": lambda b1, b2: ((b1, 1 - b1), (b1, 1 - b1))},
                 {"average": lambda b1, b2: ((b2, 1 - b2), (b2, 1 - b2))})),
    *SQUARE,
    _adam("first_squared", "dw is squared in m as well", "m is the average of the gradient itself.",
          wrong={"moment": lambda dw: dw * dw}),
    _adam("averages_exchanged",
          "m and v have changed places: m averages the squares, and v the gradients",
          "m is the average of the gradient, v of its square.",
          wrong={"moments": lambda m, v, dw, square, one, two: (two[0] * m + two[1] * square,
                                                               one[0] * v + one[1] * dw),
                 "roles": lambda m, v: (v, m)}),
    EPS["inside"],
    convention("eps_before_correction",
               "ε is added before the bias correction (as the course's own later form does)", ROOT,
               wrong={"divisor": lambda used, second,
                      eps: (np.sqrt(used) + eps) / np.sqrt(second)}),
    *(m for m in DIVISOR if m is not EPS["inside"]),
    *STEP,
    _step("gradient_for_m", "the step uses dw instead of the average m", "The step follows m.",
          line=ADAM_LINE,
          wrong={"step": lambda lr, first, dw: lr * dw}),
    _step("second_for_first", "the step follows v where it must follow m",
          "m gives the direction, v only the scale.", line=ADAM_LINE,
          wrong=({"roles": lambda m, v: (v, v),
                  "correction": lambda power, b1, b2, t, eps: (power(b2, t), power(b2, t))},
                 {"roles": lambda m, v: (v, v)}, {"roles": lambda m, v: (v, m)})),
    _step("first_for_second", "the step is divided by the root of m where v belongs",
          "m gives the direction, v only the scale.", line=ADAM_LINE,
          wrong=({"roles": lambda m, v: (m, m),
                  "correction": lambda power, b1, b2, t, eps: (power(b1, t), power(b1, t))},
                 {"roles": lambda m, v: (m, m)})),
    _step("old_averages", "the step uses m or v before its update", "First the averages, then w.",
          line=ADAM_LINE,
          wrong=({"fresh": lambda old, new: old}, {"fresh": lambda old, new: (old[0], new[1])},
                 {"fresh": lambda old, new: (new[0], old[1])})),
    _time("t_not_stored", "the new t is not stored in the config", "The next step needs it.",
          cell=ONE_STEP,
          wrong={"kept": lambda old, new, hat: (new[0], new[1], old[2])}),
    _corrected("corrected_stored",
               "the corrected averages are stored, so that they are corrected again at each step",
               "The config keeps the plain m and v.",
               wrong=({"kept": lambda old, new, hat: (*hat, new[2])},
                      {"kept": lambda old, new, hat: (hat[0], new[1], new[2])},
                      {"kept": lambda old, new, hat: (new[0], hat[1], new[2])})),
    _adam("state_not_stored", "m or v is not stored in the config", "The next step needs both.",
          cell=ONE_STEP,
          wrong=({"kept": lambda old, new, hat: (old[0], old[1], new[2])},
                 {"kept": lambda old, new, hat: (old[0], new[1], new[2])},
                 {"kept": lambda old, new, hat: (new[0], old[1], new[2])})),
)  # fmt: skip

_state = partial(
    Mistake,
    sought=(r"config",),
    line="the first state is zero",
    tried=TRY,
    where="Look at the state.",
)
STATE = (
    _state("no_first_state", "raises when the config holds no state yet",
           "What is missing starts at zero.",
           cell=CELL),
    _state("first_state", "does not start from a state of zeros", "What is missing starts at zero.",
           cell="none: the cells give the state"),
    _state("state_key_missing", "the returned config has no {what}", "The next step needs it.",
           line="the state lives in the config", cell=CELL),
    _state("config_overwritten",
           "the step changes {what} in the config, so that the next step uses another value",
           "Only the state changes from step to step.", line="the settings stay as they are",
           where="Look for what is stored in the config.", cell=ONE_STEP),
    convention("t_starts_at_one",
               "without a config the count starts at 1, so that the first step uses t = 2 (some "
               "years' starter does)",
               ROOT),
    Mistake("w_overwritten",
            "writes the new weights into w itself; right, but the caller's w is gone",
            "Nothing must change.", where="Nothing must change.", tried="Nothing must change.",
            cell="none",
            severity="remark"),
)  # fmt: skip
