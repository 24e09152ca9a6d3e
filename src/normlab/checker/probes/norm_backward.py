"""Backward passes of batch norm and layer norm: dx by regression on the terms of its derivation,
then the sums."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.checker.coefficients import Reasons, reasons, written
from normlab.checker.compare import SINGLE, TIGHT, agrees, as_array, distance
from normlab.checker.exam import Case, Examination, Failed, settle
from normlab.checker.family import Family
from normlab.checker.mistakes import norm_sums
from normlab.checker.mistakes.norm_forward import LAYER as LAYER_MISTAKES
from normlab.checker.mistakes.norm_forward import TRAIN as TRAIN_MISTAKES
from normlab.checker.probes import norm_forward
from normlab.checker.slopes import CLOSE, slope
from normlab.checker.terms import Rows, basis
from normlab.typing import Array


@dataclass(frozen=True)
class Draw:
    """Inputs of forward and dout, arranged as rows too; `back` brings a row arrangement into x's
    shape."""

    given: norm_forward.Draw
    dout: Array
    rows: Rows

    def as_rows(self, array: Array) -> Array:
        """An array of x's shape with each normalized group in a row."""
        return array.T if self.given.axis == 0 else array

    @property
    def dx(self) -> Array:
        """The right dx, in x's shape."""
        return self.as_rows(sum(basis(self.rows), np.zeros(self.rows.x.shape)))

    @property
    def normalized(self) -> Array:
        """x̂ in x's shape."""
        return self.as_rows(self.rows.normalized)


def draw(rng: np.random.Generator, n: int, d: int, axis: int) -> Draw:
    """A draw of the forward with a random dout, which no reduction makes vanish."""
    given = norm_forward.draw(rng, n, d, axis)
    dout = rng.normal(size=(n, d)) + rng.normal(size=d) * 0.3
    column = (slice(None), None) if axis == 0 else (None, slice(None))
    x, turned = (given.x.T, dout.T) if axis == 0 else (given.x, dout)
    others = {"D": d} if axis == 0 else {"N": n}
    rows = Rows(x, turned, given.gamma[column], given.beta[column], given.eps, others)
    return Draw(given, dout, rows)


def _sums(d: Draw, pick: Mapping[str, Any]) -> tuple[Any, Any]:
    """dgamma and dbeta with the ingredients of a choice."""
    xhat, dout, gamma = d.normalized, d.dout, d.given.gamma
    upstream = pick["upstream"](gamma)
    dgamma = pick["dgamma_sum"](pick["dout"](dout, pick["factor"](d, xhat), xhat) * upstream)
    dbeta = pick["dbeta_sum"](pick["dbeta"](dout, gamma, upstream))
    first, second = pick["order"](dgamma, dbeta)
    return np.asarray(first), np.asarray(second)


def _over_examples(values: Array) -> Array:
    return np.asarray(values.sum(0))


SUMS = Family(
    {
        "order": lambda dgamma, dbeta: (dgamma, dbeta),
        "upstream": lambda gamma: 1.0,
        "dbeta": lambda dout, gamma, upstream: dout * upstream,
        "factor": lambda d, xhat: xhat,
        "dout": lambda dout, factor, xhat: dout * factor,
        "dgamma_sum": _over_examples,
        "dbeta_sum": _over_examples,
    },
    norm_sums.SUMS,
    _sums,
)


def examine(exam: Examination) -> None:
    """Judge batchnorm_backward, batchnorm_backward_alt and layernorm_backward, where they are
    there."""
    batch = {"over": "the batch", "other": "the features", "axis": "axis=0", "n": "N", "d": "D"}
    layer = {"over": "the features", "other": "the batch", "axis": "axis=1", "n": "D", "d": "N"}
    for salt, (name, forward, words) in enumerate((
        ("batchnorm_backward", "batchnorm_forward", batch),
        ("batchnorm_backward_alt", "batchnorm_forward", batch),
        ("layernorm_backward", "layernorm_forward", layer),
    )):  # fmt: skip
        if exam.has(name):
            case = Case(exam, name, "norm_backward", **words)
            axis = 0 if words is batch else 1
            settle(case, _examine, forward, axis, exam.random(50 + salt))


def _examine(case: Case, forward: str, axis: int, rng: np.random.Generator) -> None:
    if not case.exam.has(forward):
        case.waiting([forward])
        return
    sizes = ((8, 5), (6, 7), (7, 7)) if axis == 0 else ((5, 8), (7, 6), (7, 7))
    general = [draw(rng, n, d, axis) for n, d in sizes]
    square = [draw(rng, n, n, axis) for n in (7, 8)]
    results: dict[int, tuple[Any, ...]] = {}

    def gradients(d: Draw) -> tuple[Any, ...]:
        if id(d) not in results:
            g = d.given
            _, cache, _ = case.forward(forward, g.x, g.gamma, g.beta, g.param())
            if cache is None:
                case.wrong("no_cache", f"{forward} returned None as its cache")
            outcome = case.call(case.function, d.dout, cache)
            results[id(d)] = case.results(outcome.value, ("dx", "dgamma", "dbeta"))
            _examine_purity(case, d, cache, outcome.value, outcome.args)
        return results[id(d)]

    if not (case.exam.is_judged(forward) or case.exam.fine.get(f"{forward}.train")):
        with contextlib.suppress(Failed):
            gradients(general[0])  # tells an unwritten function from one that waits
        case.waiting([forward])
        return
    if not case.exam.fine.get(f"{forward}.train"):
        faults = _of_training(case.exam.faults.get(forward, ()))
        case.follows([forward])
        if faults == ["only_where_sizes_differ"]:
            general = [d for d in general if d.dout.shape[0] != d.dout.shape[1]]
        elif EPS_FAULTS.issuperset(faults):  # so large an x that no ε is seen
            general = [_without_eps(d) for d in general] if faults else general
            square = [_without_eps(d) for d in square] if faults else square
        else:
            _judge_by_slopes(case, forward, rng, axis, gradients)
            return
    failed = None
    draws = general
    try:
        for d in draws:
            gradients(d)
    except Failed as failure:
        failed, draws = failure.raised, square
        results.clear()
        try:
            for d in draws:
                gradients(d)
        except Failed:
            case.wrong("raises", str(failed), named=False, line=failed.line, message=str(failed))
            return
    before = len(case.findings)
    judge_dx(case, draws, [gradients(d)[0] for d in draws])
    case.explain(SUMS, draws, lambda d: _pair(gradients(d)), what="dgamma and dbeta")
    if failed is not None and len(case.findings) == before:
        case.wrong("raises", str(failed), named=False, line=failed.line, message=str(failed))


EPS_FAULTS = frozenset(("eps_outside", "eps_missing", "eps_hard_coded", "eps_twice"))
"""What is wrong with a forward pass only as long as ε is no small number."""


def _of_training(faults: Sequence[str]) -> list[str]:
    """The mistakes that change what training puts out."""
    training = {m.key for m in (*TRAIN_MISTAKES, *LAYER_MISTAKES)}
    training |= {"unexplained", "raises", "only_where_sizes_differ", "single_precision"}
    return [key for key in faults if key in training]


def _without_eps(d: Draw) -> Draw:
    """The draw with an x so large, and an ε so small, that its place cannot be seen."""
    large, eps = 1e3, 1e-12
    rows = d.rows._replace(x=d.rows.x * large, eps=eps)
    return Draw(d.given._replace(x=d.given.x * large, eps=eps), d.dout, rows)


def _judge_by_slopes(
    case: Case, forward: str, rng: np.random.Generator, axis: int, gradients: Callable[[Draw], Any]
) -> None:
    """A wrong forward pass has slopes too: the gradients are right if they are these, or the right
    one's."""
    draws = [draw(rng, n, d, axis) for n, d in ((4, 3), (3, 5))]
    try:
        seen = [(d, gradients(d)) for d in draws]
        for d, values in seen:
            shapes = (d.given.x.shape, d.given.gamma.shape, d.given.beta.shape)
            for name, value, shape in zip(("dx", "dgamma", "dbeta"), values, shapes, strict=True):
                case.array(value, name, shape)
        own = all(_are_slopes(case, forward, d, values) for d, values in seen)
    except (Failed, ValueError):  # a ValueError: the output and dout have different shapes
        case.waiting([forward])
        return
    textbook = all(agrees(values[0], d.dx) for d, values in seen)
    textbook = textbook and SUMS.explain([(d, _pair(values)) for d, values in seen], 0) == ()
    if own or textbook:
        return
    found = reasons([(d.rows, d.as_rows(np.asarray(values[0]))) for d, values in seen])
    if found is not None and found.keys and found.certain and not set(found.keys) & VAGUE:
        name_all(case, found, f"dx is no slope of this {forward}, and not that of a right one")
        return
    case.waiting([forward])


VAGUE = frozenset(("first_path_factor", "mean_path_factor", "variance_path_factor"))


def _are_slopes(case: Case, forward: str, d: Draw, values: tuple[Any, ...]) -> bool:
    g = d.given

    def output(x: Array, gamma: Array, beta: Array) -> Array:
        return np.asarray(case.forward(forward, x, gamma, beta, g.param())[0])

    right = (
        slope(lambda x: output(x, g.gamma, g.beta), g.x, d.dout),
        slope(lambda gamma: output(g.x, gamma, g.beta), g.gamma, d.dout),
        slope(lambda beta: output(g.x, g.gamma, beta), g.beta, d.dout),
    )
    return all(agrees(v, r, CLOSE) for v, r in zip(values, right, strict=True))


def _pair(values: tuple[Any, ...]) -> tuple[Any, Any]:
    return values[1], values[2]


def _examine_purity(case: Case, d: Draw, cache: Any, first: Any, args: tuple[Any, ...]) -> None:
    again = case.exam.subject.call(case.function, d.dout, cache)
    same = again.error is None and isinstance(again.value, (tuple, list)) and len(again.value) == 3
    if not same or not all(
        a is None or agrees(b, np.asarray(a)) for a, b in zip(first, again.value, strict=True)
    ):
        if all(as_array(a) is not None and np.all(np.isfinite(np.asarray(a))) for a in first):
            case.wrong("not_repeatable", "two calls on one cache gave two answers")
    elif not np.array_equal(args[0], d.dout):
        case.remark("dout_overwritten", "dout is another array after the call")


def judge_dx(case: Case, draws: Sequence[Draw], values: Sequence[Any]) -> None:
    """Right, or named by its coefficients, or described."""
    arrays = []
    for d, value in zip(draws, values, strict=True):
        arrays.append(case.array(value, "dx", d.given.x.shape))
    worst = max(distance(a, d.dx) for a, d in zip(arrays, draws, strict=True))
    if worst <= TIGHT:
        return
    evidence = f"dx is off by {worst:.2g} of its largest value"
    if worst <= SINGLE:
        case.wrong("single_precision", evidence)
        return
    if any(not np.all(np.isfinite(a)) for a in arrays):
        case.wrong("not_finite", f"{evidence}: NaN or infinity", what="dx")
        return
    if all(agrees(a, d.dout) for a, d in zip(arrays, draws, strict=True)):
        case.wrong("dx_is_dout", evidence)
        return
    seen = [(d.rows, d.as_rows(a)) for a, d in zip(arrays, draws, strict=True)]
    found = reasons(seen)
    if found is not None and found.keys and found.certain:
        name_all(case, found, evidence)
        return
    if _is_diagonal(case, draws[0], arrays[0], found):
        case.wrong(
            "diagonal_only",
            f"{evidence}; the dx of one example changes nothing when another's dout does",
        )
        return
    case.wrong(
        "unexplained",
        evidence + (f"; {told(case, found)}" if found else "; it is no sum of the three terms"),
        named=False,
        what="dx",
    )


def name_all(case: Case, found: Reasons, evidence: str) -> None:
    """A finding for each mistake, with the coefficients that told of it."""
    a, b, c = (written(reading, case.words["n"]) for reading in found.readings)
    for key in found.keys:
        case.wrong(key, f"{evidence}; {told(case, found)}", a=a, b=b, c=c)


def told(case: Case, found: Reasons) -> str:
    """The three coefficients, in words; on changed terms they may all be 1, and then say
    nothing."""
    readings = [written(reading, case.words["n"]) for reading in found.readings]
    if readings == ["1", "1", "1"]:
        return "exactly what this mistake gives"
    return (
        f"its coefficients on the three terms are ({', '.join(readings)}) where (1, 1, 1) is right"
    )


def _is_diagonal(case: Case, d: Draw, dx: Array, found: Reasons | None) -> bool:
    """Whether each dx element depends on its own dout alone: asked with one element of dout
    changed."""
    forward = "batchnorm_forward" if d.given.axis == 0 else "layernorm_forward"
    changed = d.dout.copy()
    changed[0, 0] += 1.0
    g = d.given
    try:
        cache = case.forward(forward, g.x, g.gamma, g.beta, g.param())[1]
        other = case.results(
            case.call(case.function, changed, cache).value, ("dx", "dgamma", "dbeta")
        )[0]
    except Failed:
        return False
    moved = np.abs(np.asarray(other) - dx) > 1e-12 * np.max(np.abs(dx))
    return found is None and bool(moved[0, 0]) and int(moved.sum()) == 1
