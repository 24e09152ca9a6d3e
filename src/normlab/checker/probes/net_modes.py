"""What a net does beside the training pass: test mode, the state it keeps, dropout, and its
dtype."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from normlab.checker.child.framing import Kept
from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Failed
from normlab.checker.probes import net_formulas
from normlab.checker.probes.net_parameters import Names
from normlab.checker.probes.net_running import build, keeps, loss_and_gradients, loss_of, parameters


def examine_test_mode(case: Case, rng: np.random.Generator, names: Names) -> None:
    """After some training passes, scores of a batch must not depend on who else is in it, but on
    what was gathered."""
    dims = (7, 6, 5, 4)
    d = net_formulas.draw(rng, dims, 12, "batchnorm")
    net = build(case, dims, "batchnorm")
    for _ in range(3):
        loss_and_gradients(case, net, d, names)
    whole, part = loss_of(case, net, d.x), loss_of(case, net, d.x[:3])
    if whole is None:
        case.unimplemented("the net's test mode")
        return
    blocked = case.exam.fine.get("batchnorm_forward") is False
    if not agrees(np.asarray(whole)[:3], np.asarray(part), 1e-6):
        if blocked:
            case.waiting(["batchnorm_forward"])
        else:
            case.wrong(
                "test_mode_missing",
                "the scores of three examples change when nine others are in the batch",
            )
        return
    other = replace(d, x=d.x * 3 + 1)
    for _ in range(20):
        loss_and_gradients(case, net, other, names)
    later = loss_of(case, net, d.x)
    if later is not None and not blocked and agrees(np.asarray(later), np.asarray(whole), 1e-9):
        case.wrong(
            "state_made_anew",
            "the scores in test mode are the same after 3 and after 20 more training passes",
        )


def examine_dropout(case: Case, rng: np.random.Generator, names: Names) -> None:
    """Dropout in the net: really applied in training, not in test mode, and in the gradients."""
    name, keep = keeps(case.exam.known(case.function))
    if (
        not name
        or not case.exam.has("dropout_forward")
        or case.exam.fine.get("dropout_forward") is not True
    ):
        return
    if case.exam.fine.get("dropout_backward") is False:
        return
    dims = (7, 12, 9, 4)
    d = net_formulas.draw(rng, dims, 6, None)
    plain = loss_and_gradients(case, build(case, dims), d, names)
    scores_plain = loss_of(case, build_at(case, dims, d, names), d.x)
    net = build(case, dims, None, seed=3, **{name: 0.7 if keep else 0.3})
    try:
        first, again = (loss_and_gradients(case, net, d, names) for _ in range(2))
    except Failed as failure:
        case.wrong("raises_with_dropout", str(failure.raised), line=failure.raised.line)
        return
    if not agrees(first[0], again[0]):
        return  # the masks follow no seed: there is no slope to compare with
    if agrees(first[0], plain[0], 1e-9):
        case.unimplemented("the net's dropout")
        return
    if not agrees(loss_of(case, net, d.x), np.asarray(scores_plain), 1e-7):
        case.wrong(
            "dropout_in_test_mode", "with dropout the scores in test mode are others than without"
        )
    step, off = 1e-6, []
    for key, gradient in zip(d.keys, first[1:], strict=True):
        direction = rng.normal(size=d.params[key].shape)
        values = []
        for sign in (1, -1):
            moved = replace(d, params={**d.params, key: d.params[key] + sign * step * direction})
            values.append(float(loss_and_gradients(case, net, moved, names)[0]))
        numeric, analytic = (
            (values[0] - values[1]) / (2 * step),
            float((gradient * direction).sum()),
        )
        if abs(numeric - analytic) > 1e-4 * max(1e-2, abs(numeric)):
            off.append(key)
    if off:
        case.wrong(
            "dropout_backward_skipped",
            f"the gradients of {', '.join(off)} are not the slopes of the loss",
        )


def build_at(case: Case, dims: tuple[int, ...], d: net_formulas.NetDraw, names: Names) -> Kept:
    """A net at a draw's parameters."""
    net = build(case, dims)
    case.exam.subject.update(net, "params", names.given(d.params))
    return net


def examine_dtype(case: Case, rng: np.random.Generator) -> None:
    """A float32 net stays float32."""
    if "dtype" not in case.exam.known(case.function).parameter_names or case.verdict != "right":
        return
    net = build(case, (7, 6, 5, 4), dtype=np.float32)
    value = loss_of(case, net, rng.normal(size=(3, 7)).astype(np.float32), np.array([0, 1, 2]))
    grads = value[1] if isinstance(value, tuple) and len(value) == 2 else {}
    found = [*(grads.items() if isinstance(grads, dict) else ()), *parameters(case, net).items()]
    leaks = [k for k, v in found if isinstance(v, np.ndarray) and v.dtype == np.float64]
    if leaks:
        case.remark("dtype_leak", f"float64 in a float32 net: {', '.join(dict.fromkeys(leaks))}")
