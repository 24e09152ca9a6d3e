"""Mistakes in SGD and momentum, each with the formula it leaves."""

from __future__ import annotations

from functools import partial

from normlab.checker.mistakes.record import Mistake

CELL = "the update rule's own cell"
TRY = "Do two steps by hand with numbers that are easy, and compare the state as well as w."
LINE = "v ← μ·v − lr·dw;  w ← w + v"

_sgd = partial(
    Mistake,
    sought=(r"\bw\w*\s*[-+]?=",),
    line="w ← w − lr·(…)",
    where="Look at the step that changes w.",
    tried=TRY,
    cell=CELL,
)
SGD = (
    _sgd("sign", "the step goes uphill: the sign is wrong", "The gradient points uphill.",
         wrong={"step": lambda lr, dw: -lr * dw}),
    _sgd("rate_missing", "the learning rate is not used",
         "Halving the learning rate halves the step.",
         wrong={"step": lambda lr, dw: dw}),
)  # fmt: skip

_velocity = partial(
    Mistake,
    sought=(
        r"\bv\w*\s*=",
        r"velocity",
    ),
    line=LINE,
    where="Look at the update of the velocity.",
    tried=TRY,
    cell=CELL,
)
_step = partial(
    Mistake,
    sought=(r"\b(next_)?w\w*\s*[-+]?=",),
    line=LINE,
    where="Look at the step that changes w.",
    tried=TRY,
    cell=CELL,
)


def _scaled_plain(old, lr, mu, dw):  # type: ignore[no-untyped-def]
    return mu * old - dw


def _scaled_plus(old, lr, mu, dw):  # type: ignore[no-untyped-def]
    return mu * old + dw


def _averaged(old, lr, mu, dw):  # type: ignore[no-untyped-def]
    return mu * old - (1 - mu) * dw


MOMENTUM = (
    _velocity("velocity_sign", "the gradient enters the velocity with the wrong sign",
              "The velocity points downhill.",
              wrong={"velocity": lambda old, lr, mu, dw: mu * old + lr * dw}),
    _velocity("rate_at_update",
              "the learning rate multiplies the velocity at the step instead of the gradient in it "
              "(the same path from rest, another velocity)", "The velocity holds lr·dw.",
              wrong=({"velocity": _scaled_plain, "at": lambda lr: lr},
                     {"velocity": _scaled_plus, "at": lambda lr: -lr})),
    _velocity("damped", "the gradient is multiplied by 1 − μ as well",
              "Momentum here is no average.",
              wrong=({"velocity": lambda old, lr, mu, dw: mu * old - (1 - mu) * lr * dw},
                     {"velocity": _averaged, "at": lambda lr: lr})),
    _velocity("momentum_swapped", "μ and 1 − μ have changed places",
              "The old velocity keeps the share μ.",
              wrong={"velocity": lambda old, lr, mu, dw: (1 - mu) * old - lr * dw}),
    _velocity("momentum_missing", "the old velocity is not multiplied by μ",
              "The old velocity keeps the share μ.",
              wrong={"velocity": lambda old, lr, mu, dw: old - lr * dw}),
    _velocity("momentum_hard_coded", "μ is fixed in the code; the config's value is ignored",
              "The caller chooses μ.",
              wrong={"velocity": lambda old, lr, mu, dw: 0.9 * old - lr * dw}),
    _step("step_sign", "the velocity is subtracted from w instead of added",
          "v already points downhill.",
          wrong={"step": lambda v, old, lr, mu, dw, at: -at * v}),
    _step("nesterov", "this is Nesterov's momentum; plain momentum is asked for",
          "w moves by v itself.",
          wrong=({"step": lambda v, old, lr, mu, dw, at: mu * v - lr * dw},
                 {"step": lambda v, old, lr, mu, dw, at: -mu * old + (1 + mu) * v})),
    _step("old_velocity", "w moves by the velocity before its update", "First v, then w.",
          wrong={"step": lambda v, old, lr, mu, dw, at: at * old}),
    _step("velocity_unused", "w moves by −lr·dw: the velocity is computed and not used",
          "w moves by v.",
          wrong={"step": lambda v, old, lr, mu, dw, at: -lr * dw}),
    _step("step_times_rate", "the learning rate enters twice", "v already holds the learning rate.",
          wrong={"step": lambda v, old, lr, mu, dw, at: lr * v}),
    _velocity("velocity_not_stored", "the new velocity is not stored in the config",
              "The next step needs it.",
              wrong={"kept": lambda new, old: old}),
)  # fmt: skip
