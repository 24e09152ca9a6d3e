"""Whole nets: their parameters, the wiring by loss and gradients, regularization, test mode,
dropout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from normlab.checker.compare import distance
from normlab.checker.exam import Case, Examination, Failed, Unwritten, settle
from normlab.checker.family import Family
from normlab.checker.probes import net_formulas, net_parameters, net_regularization
from normlab.checker.probes.net_formulas import NET, NetDraw
from normlab.checker.probes.net_modes import examine_dropout, examine_dtype, examine_test_mode
from normlab.checker.probes.net_parameters import Names
from normlab.checker.probes.net_running import (
    OwnLayers,
    build,
    examine_gradients,
    is_this_assignments,
    loss_and_gradients,
    parameters,
)

TOLERANCE = 1e-7
"""Relative; the gradients of biases before a batch norm are exactly zero and compared with the
largest gradient."""

PLAIN_LAYERS = (
    "affine_forward",
    "affine_backward",
    "relu_forward",
    "relu_backward",
    "softmax_loss",
)
NEEDS = {
    None: PLAIN_LAYERS,
    "batchnorm": (*PLAIN_LAYERS, "batchnorm_forward", "batchnorm_backward"),
    "layernorm": (*PLAIN_LAYERS, "layernorm_forward", "layernorm_backward"),
}
LARGE, SMALL = (30, 40, 20, 5), (7, 6, 5, 4)
Seen = list[tuple[NetDraw, tuple[Any, ...]]]


def examine(exam: Examination) -> None:
    """Judge TwoLayerNet and FullyConnectedNet, where they are there."""
    if exam.has("TwoLayerNet") and is_this_assignments(exam, "TwoLayerNet", "hidden_dim"):
        case = Case(exam, "TwoLayerNet", "nets")
        settle(case, _examine_two_layers, exam.random(110))
    if exam.has("FullyConnectedNet") and is_this_assignments(
        exam, "FullyConnectedNet", "hidden_dims"
    ):
        other = Case(exam, "FullyConnectedNet", "nets")
        settle(other, _examine_full, exam.random(111))


def _examine_two_layers(case: Case, rng: np.random.Generator) -> None:
    dims = (7, 6, 5)
    _examine_plain(case, rng, dims, dims)


def _examine_plain(
    case: Case, rng: np.random.Generator, large: tuple[int, ...], small: tuple[int, ...]
) -> Names:
    params = parameters(case, build(case, large))
    names = net_parameters.read(case, params, large, None)
    _examine_wiring(case, rng, small, None, _names_of(case, small, None))
    net_parameters.examine_first_values(case, params, names, large, None)
    for key, told, what in names.remarks:
        case.wrong(key, told, what=what)
    return names


def _names_of(case: Case, dims: tuple[int, ...], kind: str | None) -> Names:
    return net_parameters.read(case, parameters(case, build(case, dims, kind)), dims, kind)


def _examine_full(case: Case, rng: np.random.Generator) -> None:
    _examine_plain(case, rng, LARGE, SMALL)
    names = case.exam.known(case.function).parameter_names
    kinds = ["batchnorm"] * ("normalization" in names or "use_batchnorm" in names)
    kinds += ["layernorm"] * ("normalization" in names)
    for kind in kinds:
        try:
            _examine_kind(case, rng, kind)
        except Unwritten:
            case.unimplemented(f"normalization={kind!r}")
        except Failed as failure:
            _examine_failure(case, failure, kind)
    if not (_is_off(case) or _not_fine(case, None)):
        examine_dropout(case, rng, _names_of(case, SMALL, None))
    examine_dtype(case, rng)


def _is_off(case: Case) -> bool:
    """Whether the plain net's wiring is wrong or not known: then no slope can be asked for."""
    return not case.exam.fine.get(f"{case.function}.plain", False)


def _examine_failure(case: Case, failure: Failed, kind: str) -> None:
    below = _not_fine(case, kind)
    if case.exam.has(f"{kind}_forward") and case.exam.fine.get(f"{kind}_forward") is None:
        case.unimplemented(f"normalization={kind!r}")
    elif below:
        case.waiting(below)
    else:
        case.wrong("raises_with_norm", str(failure.raised), line=failure.raised.line, kind=kind)


def _examine_kind(case: Case, rng: np.random.Generator, kind: str) -> None:
    params = parameters(case, build(case, LARGE, kind))
    names = net_parameters.read(case, params, LARGE, kind)
    small = _names_of(case, SMALL, kind)
    if not any(key.startswith("gamma") for key in small.own):
        _examine_without_gamma(case, rng, kind, small)
        return
    right = _examine_wiring(case, rng, SMALL, kind, small)
    net_parameters.examine_first_values(case, params, names, LARGE, kind)
    for key, told, what in names.remarks:
        case.wrong(key, told, what=what)
    if kind == "batchnorm" and right:
        examine_test_mode(case, rng, small)


def _examine_without_gamma(case: Case, rng: np.random.Generator, kind: str, names: Names) -> None:
    """A norm is asked for and params holds none: not written yet, where the net is the plain
    one."""
    d = net_formulas.draw(rng, SMALL, 6, None)
    plain = loss_and_gradients(case, build(case, SMALL), d, names)
    asked = loss_and_gradients(case, build(case, SMALL, kind), d, names)
    if distance(asked[0], np.asarray(plain[0])) < TOLERANCE:
        case.unwritten("norm_unwritten", kind=repr(kind))
    elif _not_fine(case, kind):
        case.waiting(_not_fine(case, kind))
    else:
        case.wrong(
            "norm_keys",
            f"with normalization={kind!r} params has only {', '.join(names.own.values())}",
        )


def _examine_wiring(
    case: Case, rng: np.random.Generator, dims: tuple[int, ...], kind: str | None, names: Names
) -> bool:
    """Loss and gradients at random parameters, without regularization; then what reg adds."""
    draws = [net_formulas.draw(rng, dims, 6, kind) for _ in range(2)]
    even = [net_formulas.draw(rng, (6,) * (len(dims) - 1) + (4,), 5, kind) for _ in range(2)]
    label = kind or "no normalization"
    net = build(case, dims, kind)

    def run(d: NetDraw) -> tuple[Any, ...]:
        return loss_and_gradients(
            case, net if d.widths == dims else build(case, d.widths, kind), d, names
        )

    try:
        seen = [(d, run(d)) for d in draws]
    except Failed as failure:
        return _examine_raising(case, run, even, failure, kind)
    right = _judge_wiring(case, seen, kind, label)
    if kind is None:
        case.exam.fine[f"{case.function}.plain"] = right
    if not case.found("norm_ignored"):
        examine_gradients(case, net, draws[0], names)
    nets = {0.0: net}

    def ask(d: NetDraw, reg: float) -> tuple[Any, ...]:
        if reg not in nets:
            nets[reg] = build(case, dims, kind, reg=reg)
        return loss_and_gradients(case, nets[reg], d, names, reg)

    net_regularization.examine(case, rng, draws[0], ask, label)
    return right


def _judge_wiring(case: Case, seen: Seen, kind: str | None, label: str) -> bool:
    not_fine = _not_fine(case, kind)
    if NET.explain(seen, 0, TOLERANCE) == ():
        return True
    evidence = f"{label}: {_where(seen)}"
    keys, own = None, []
    for layers in _own_layers(case, kind):
        own = [(replace(d, made_of=layers), value) for d, value in seen]
        keys = _explain_own(own, 0)
        if keys is not None:
            case.follows(not_fine)
            return True
    if not not_fine:
        keys = NET.explain(seen, 2, TOLERANCE)
    elif own:
        keys = _explain_own(own, 1)
    if keys:
        for key in keys:
            case.wrong(key, evidence, kind=label)
        return False
    loss = _loss_family().explain([(d, value[0]) for d, value in seen], 2, TOLERANCE)
    if not_fine:
        case.waiting(not_fine)
    elif loss:
        for key in loss:
            case.wrong(key, evidence, kind=label)
    elif loss == ():
        case.wrong("gradients_unexplained", evidence, named=False, kind=label)
    else:
        case.wrong("unexplained", evidence, named=False, what=f"loss (with {label})")
    return False


def _own_layers(case: Case, kind: str | None) -> Iterator[OwnLayers]:
    """The person's own layers in the place of ours, where all of them are there."""
    if all(case.exam.has(name) for name in NEEDS[kind]):
        yield OwnLayers(case)
        if kind == "batchnorm" and case.exam.has("batchnorm_backward_alt"):
            yield OwnLayers(case, alternative=True)


def _explain_own(own: Seen, at_most: int) -> tuple[str, ...] | None:
    try:
        return NET.explain(own, at_most, TOLERANCE)
    except (Failed, Unwritten):
        return None


def _not_fine(case: Case, kind: str | None) -> list[str]:
    """The layers that this net stands on and that are not right."""
    return [name for name in NEEDS[kind] if case.exam.fine.get(name) is False]


def _examine_raising(
    case: Case, run: Any, even: list[NetDraw], failure: Failed, kind: str | None
) -> bool:
    """It raises with layers of different widths: what does it do when all are equal?"""
    label, raised, not_fine = kind or "no normalization", failure.raised, _not_fine(case, kind)
    try:
        keys = (
            NET.explain([(d, run(d)) for d in even], tolerance=TOLERANCE) if not not_fine else None
        )
    except Failed:
        keys = None
    if keys == () and kind == "batchnorm":
        told = f"raises with layers of different widths, not with equal ones: {raised}"
        case.wrong("shared_bn_param", told, line=raised.line)
    elif keys:
        for key in keys:
            case.wrong(
                key,
                f"{label}: raises with layers of different widths ({raised})",
                line=raised.line,
                kind=label,
            )
    elif kind is not None:
        _examine_failure(case, failure, kind)
    elif not_fine:
        case.waiting(not_fine)
    else:
        case.wrong("raises", str(raised), line=raised.line, named=False, message=str(raised))
    return False


def _loss_family() -> Family:
    """The losses alone, by the forward's slots."""
    slots = ("kind", "norm_after", "scores_norm", "scores_relu", "relu", "bias", "skipped", "svm")
    right = {slot: NET.right[slot] for slot in slots}
    return Family(right, NET.mistakes, lambda d, pick: NET.compute(d, {**NET.right, **pick})[0])


def _where(seen: Seen) -> str:
    off: dict[str, None] = {}
    for d, value in seen:
        right = NET.value(d)
        off |= {
            name: None
            for name, v, r in zip(("loss", *d.keys), value, right, strict=True)
            if distance(v, r) > 1e-6
        }
    return f"{', '.join(off)} are off" if off else "all right"
