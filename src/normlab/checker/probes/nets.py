"""Whole nets: keys and initial values, the wiring by loss and gradients, test mode, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from normlab.checker.child.framing import Kept
from normlab.checker.compare import agrees, as_array, distance
from normlab.checker.exam import Case, Examination, Failed, Settled, Unwritten, settle
from normlab.checker.probes import net_formulas
from normlab.checker.probes.net_formulas import NET, PLAIN, NetDraw
from normlab.checker.subject import Known
from normlab.typing import Array

TOLERANCE = 1e-7
"""Relative; the gradients of biases before a batch norm are exactly zero and compared with the largest gradient."""

FIRST_SEED = 1
"""NumPy's global generator starts here when a net is built, as in the notebook."""

OWN = ("reg_", "biases_", "norm_parameters_", "all_parameters_")
"""Mistakes that no layer can cause: they are reported even where a layer is wrong."""

PLAIN_LAYERS = ("affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss")
NEEDS = {
    None: PLAIN_LAYERS,
    "batchnorm": (*PLAIN_LAYERS, "batchnorm_forward", "batchnorm_backward", "batchnorm_backward_alt"),
    "layernorm": (*PLAIN_LAYERS, "layernorm_forward", "layernorm_backward"),
}


def examine(exam: Examination) -> None:
    """Judge TwoLayerNet and FullyConnectedNet, where they are there."""
    if exam.has("TwoLayerNet") and _is_this_assignments(exam, "TwoLayerNet", "hidden_dim"):
        case = Case(exam, "TwoLayerNet", "nets")
        settle(case, _examine_two_layers, exam.random(110))
    if exam.has("FullyConnectedNet") and _is_this_assignments(exam, "FullyConnectedNet", "hidden_dims"):
        other = Case(exam, "FullyConnectedNet", "nets")
        settle(other, _examine_full, exam.random(111))


def _is_this_assignments(exam: Examination, name: str, widths: str) -> bool:
    """Whether a class has this assignment's options: an earlier one has a TwoLayerNet of another kind."""
    return {"input_dim", widths} <= set(exam.known(name).parameter_names)


def keeps(known: Known) -> tuple[str, bool]:
    """The dropout parameter's name, and whether it is the probability of keeping a unit."""
    defaults = dict(known.parameters)
    if "dropout_keep_ratio" in defaults:
        return "dropout_keep_ratio", True
    default = defaults.get("dropout")
    return ("dropout" if "dropout" in defaults else ""), default in ("1", "1.0")


def build(case: Case, dims: tuple[int, ...], normalization: str | None = None, **more: Any) -> Kept:
    """A net of these widths, with whatever names this year gives its options."""
    known = case.exam.known(case.function)
    options: dict[str, Any] = {"input_dim": dims[0], "num_classes": dims[-1], "reg": 0.0, "weight_scale": 0.05, **more}
    if case.function == "TwoLayerNet":
        options["hidden_dim"] = dims[1]
    else:
        options["hidden_dims"] = list(dims[1:-1])
        options.setdefault("dtype", np.float64)
        if normalization is not None and "normalization" in known.parameter_names:
            options["normalization"] = normalization
        elif normalization == "batchnorm" and "use_batchnorm" in known.parameter_names:
            options["use_batchnorm"] = True
    options = {name: value for name, value in options.items() if name in known.parameter_names}
    outcome = case.exam.subject.call(case.function, keep="all", numpy_seed=FIRST_SEED, **options)
    if outcome.error is not None:
        if outcome.error.type == "NotImplementedError":
            raise Unwritten
        raise Failed(outcome.error)
    if not isinstance(outcome.value, Kept):
        raise Unwritten
    return outcome.value


def parameters(case: Case, net: Kept) -> dict[str, Array]:
    """The net's params; a finding where they are no dict of arrays."""
    outcome = case.exam.subject.get(net, "params")
    if outcome.error is not None or not isinstance(outcome.value, dict):
        case.wrong("no_params", str(outcome.error or "params is no dict"))
        raise Settled
    if not outcome.value:
        raise Unwritten
    return outcome.value


def _loss(case: Case, net: Kept, x: Array, y: Array | None = None, seed: int = 7) -> Any:
    args = (x,) if y is None else (x, y)
    outcome = case.exam.subject.method(net, "loss", *args, numpy_seed=seed)
    if outcome.error is not None:
        raise Failed(outcome.error)
    return outcome.value


def loss_and_gradients(case: Case, net: Kept, d: NetDraw) -> tuple[Any, ...]:
    """Loss and gradients in the order of the draw's keys, at the draw's parameters."""
    case.exam.subject.set(net, "reg", d.reg)
    case.exam.subject.update(net, "params", d.params)
    value = _loss(case, net, d.x, d.y)
    loss, grads = case.results(value, ("loss", "grads"))
    if not isinstance(grads, dict) or (not grads and d.params):
        raise Unwritten
    missing = [key for key in d.keys if key not in grads]
    if missing:
        case.wrong("gradient_keys", f"grads has {', '.join(sorted(grads))}; missing: {', '.join(missing)}")
        raise Settled
    shaped = []
    for key in d.keys:
        array = as_array(grads[key])
        if array is not None and array.shape != d.params[key].shape and array.size == d.params[key].size:
            if not _not_fine(case, d.normalization):
                told = f"the gradient of {key} has shape {array.shape}, {key} has {d.params[key].shape}"
                case.wrong("gradient_shape", told)
            array = array.reshape(d.params[key].shape)
        shaped.append(array)
    value = as_array(loss)
    return (np.asarray(loss) if value is not None and value.shape == () else loss), *shaped


def _examine_two_layers(case: Case, rng: np.random.Generator) -> None:
    net = build(case, (7, 6, 5))
    params = parameters(case, net)
    _examine_initial(case, params, (7, 6, 5), None)
    _examine_wiring(case, rng, (7, 6, 5), None)


def _examine_full(case: Case, rng: np.random.Generator) -> None:
    known = case.exam.known(case.function)
    params = parameters(case, build(case, (30, 40, 20, 5)))
    _examine_initial(case, params, (30, 40, 20, 5), None)
    _examine_wiring(case, rng, (7, 6, 5, 4), None)
    names = known.parameter_names
    kinds = ["batchnorm"] * ("normalization" in names or "use_batchnorm" in names) + ["layernorm"] * (
        "normalization" in names
    )
    for kind in kinds:
        forward = kind + "_forward"
        try:
            net = build(case, (30, 40, 20, 5), kind)
            if case.exam.has(forward) and case.exam.fine.get(forward) is None:
                continue
            if not _examine_initial(case, parameters(case, net), (30, 40, 20, 5), kind):
                continue
            _examine_wiring(case, rng, (7, 6, 5, 4), kind)
            if kind == "batchnorm" and not (
                case.found("raises_with_norm") or case.found("shared_bn_param") or case.found("raises")
            ):
                _examine_test_mode(case, rng)
        except Failed as failure:
            below = _not_fine(case, kind)
            if below:
                case.waiting(below)
            else:
                case.wrong("raises_with_norm", str(failure.raised), line=failure.raised.line, kind=kind)
    _examine_dropout(case, rng)
    _examine_dtype(case, rng)


def _examine_initial(case: Case, params: dict[str, Array], dims: tuple[int, ...], kind: str | None) -> bool:
    """Keys, shapes and first values; False where the wiring cannot be asked any further."""
    layers = range(1, len(dims))
    expected = {f"W{i}": (dims[i - 1], dims[i]) for i in layers} | {f"b{i}": (dims[i],) for i in layers}
    norms = {f"{name}{i}": (dims[i],) for i in layers if i < len(dims) - 1 for name in ("gamma", "beta")}
    given = ", ".join(sorted(params))
    if "W0" in params:
        case.wrong("keys_from_zero", f"params has {given}")
        raise Settled
    if any(key not in params for key in expected):
        case.wrong("keys", f"params has {given}; needed are {', '.join(sorted(expected))}")
        raise Settled
    if kind and not any(key in params for key in norms):
        case.wrong("norm_ignored", f"with normalization={kind!r} params has only {given}", kind=kind)
        return False
    if kind and any(key not in params for key in norms):
        case.wrong("norm_keys", f"params has {given}; needed are {', '.join(sorted(norms))}", kind=kind)
        return False
    wanted = expected | (norms if kind else {})
    extra = [key for key in params if key not in wanted]
    if extra:
        case.wrong("extra_keys", f"params also has {', '.join(sorted(extra))}")
        return False
    for key, shape in wanted.items():
        if np.shape(params[key]) != shape:
            case.wrong("parameter_shape", f"{key} has shape {np.shape(params[key])}; needed is {shape}", what=key)
            return False
    for key in wanted:
        value, letters = np.asarray(params[key]), key.rstrip("0123456789")
        if letters == "gamma" and not np.all(value == 1):
            case.wrong("gamma_not_ones", f"{key} starts at {value.flat[0]:g}")
        elif letters in ("b", "beta") and np.any(value != 0):
            case.wrong("bias_not_zero", f"{key} starts at {value.flat[0]:g}", what=key)
        elif letters == "W" and value.size >= 100 and not 0.7 < value.std() / 0.05 < 1.3:
            case.wrong(
                "weight_scale_ignored", f"with weight_scale=0.05 the entries of {key} spread by {value.std():.3g}"
            )
    if kind is None and not case.findings:
        order = np.random.RandomState(FIRST_SEED)
        if not all(agrees(params[f"W{i}"], 0.05 * order.randn(*expected[f"W{i}"]), 1e-6) for i in layers):
            case.remark(
                "draw_order", "with the same seed the weights are others than 0.05 * randn, drawn for W1, W2, … in turn"
            )
    return True


def _examine_wiring(case: Case, rng: np.random.Generator, dims: tuple[int, ...], kind: str | None) -> bool:
    """Loss and gradients at random parameters, without and with regularization."""
    draws = [net_formulas.draw(rng, dims, 6, kind, reg) for reg in (0.0, 0.7)]
    even = [net_formulas.draw(rng, (6,) * (len(dims) - 1) + (4,), 5, kind, reg) for reg in (0.0, 0.7)]

    def run(d: NetDraw) -> tuple[Any, ...]:
        widths = (d.x.shape[1], *(d.params[f"b{i}"].size for i in range(1, d.layers + 1)))
        return net_formulas.floored(loss_and_gradients(case, build(case, widths, kind, reg=d.reg), d))

    label = kind or "no normalization"
    try:
        seen = [(d, run(d)) for d in draws]
    except Failed as failure:
        return _examine_raising(case, run, even, failure, kind)
    not_fine = _not_fine(case, kind)
    keys = NET.explain(seen, 1 if not_fine else 2, tolerance=TOLERANCE)
    if keys == ():
        return True
    evidence = f"{label}: " + _where(seen)
    if keys is not None and (not not_fine or all(key.startswith(OWN) for key in keys)):
        for key in keys:
            case.wrong(key, evidence, kind=label)
        return False
    loss = _loss_family(seen)
    if loss is not None and loss != () and not not_fine:
        for key in loss:
            case.wrong(key, evidence, kind=label)
    elif not_fine:
        case.waiting(not_fine)
    elif loss == ():
        case.wrong("gradients_unexplained", evidence, named=False, kind=label)
    else:
        case.wrong("unexplained", evidence, named=False, what=f"loss (with {label})")
    return False


def _not_fine(case: Case, kind: str | None) -> list[str]:
    """The layers that this net stands on and that are not right."""
    return [name for name in NEEDS[kind] if case.exam.fine.get(name) is False]


def _examine_raising(case: Case, run: Any, even: list[NetDraw], failure: Failed, kind: str | None) -> bool:
    """It raises with layers of different widths: what does it do when all are equal?"""
    label, raised, not_fine = kind or "no normalization", failure.raised, _not_fine(case, kind)
    try:
        keys = NET.explain([(d, run(d)) for d in even], tolerance=TOLERANCE) if not not_fine else None
    except Failed:
        keys = None
    if keys is not None and kind == "batchnorm" and all(key.startswith(OWN) for key in keys):
        case.wrong(
            "shared_bn_param",
            f"raises with layers of different widths, not with equal ones: {raised}",
            line=raised.line,
        )
    elif keys:
        for key in keys:
            case.wrong(key, f"{label}: raises with layers of different widths ({raised})", line=raised.line, kind=label)
    elif not_fine:
        case.waiting(not_fine)
    elif kind is not None:
        case.wrong("raises_with_norm", str(raised), line=raised.line, kind=label, named=False)
    else:
        case.wrong("raises", str(raised), line=raised.line, named=False, message=str(raised))
    return False


def _loss_family(seen: list[tuple[NetDraw, tuple[Any, ...]]]) -> tuple[str, ...] | None:
    """The losses alone, by the forward's slots."""
    slots = {s: (o if s in ("norm", "forward", "reg_loss") else o[:1]) for s, o in net_formulas.SLOTS.items()}
    alone = type(NET)(slots, lambda d, c: NET.compute(d, c)[0])
    return alone.explain([(d, value[0]) for d, value in seen], tolerance=TOLERANCE)


def _where(seen: list[tuple[NetDraw, tuple[Any, ...]]]) -> str:
    parts = []
    for d, value in seen:
        right = NET.compute(d, PLAIN)
        off = [name for name, v, r in zip(("loss", *d.keys), value, right, strict=True) if distance(v, r) > 1e-6]
        parts.append(f"reg={d.reg:g}: " + (f"{', '.join(off)} are off" if off else "all right"))
    return "; ".join(parts)


def _examine_test_mode(case: Case, rng: np.random.Generator) -> None:
    """After some training passes, scores of a batch must not depend on who else is in it."""
    d = net_formulas.draw(rng, (7, 6, 5, 4), 12, "batchnorm", 0.0)
    net = build(case, (7, 6, 5, 4), "batchnorm")
    for _ in range(3):
        loss_and_gradients(case, net, d)
    whole, part = _loss(case, net, d.x), _loss(case, net, d.x[:3])
    if whole is None:
        case.unimplemented("the net's test mode")
    elif not agrees(np.asarray(whole)[:3], np.asarray(part), 1e-6):
        if case.exam.fine.get("batchnorm_forward") is False:
            case.waiting(["batchnorm_forward"])
        else:
            case.wrong("test_mode_missing", "the scores of three examples change when nine others are in the batch")


def _examine_dropout(case: Case, rng: np.random.Generator) -> None:
    """Dropout in the net: really applied in training, not in test mode, and in the gradients."""
    name, keep = keeps(case.exam.known(case.function))
    if not name or not case.exam.has("dropout_forward") or not case.exam.fine.get("dropout_forward"):
        return
    if any(case.exam.fine.get(need) is False for need in (*PLAIN_LAYERS, "dropout_backward")):
        return
    keys = [f.fault.partition(".")[2] for f in case.findings if f.verdict == "wrong"]
    if not all(key.startswith((*OWN, "norm_", "layer_norm", "batch_norm", "test_mode")) for key in keys):
        return  # the plain net is wrong already
    d = net_formulas.draw(rng, (7, 12, 9, 4), 6, None, 0.0)
    net = build(case, (7, 12, 9, 4), None, seed=3, **{name: 0.7 if keep else 0.3})
    try:
        first, again = loss_and_gradients(case, net, d), loss_and_gradients(case, net, d)
    except Failed as failure:
        case.wrong("raises_with_dropout", str(failure.raised), line=failure.raised.line)
        return
    if not agrees(first[0], again[0]):
        return  # the masks follow no seed: there is no slope to compare with
    plain = NET.compute(d, PLAIN)
    if agrees(first[0], plain[0], 1e-9):
        case.wrong("dropout_ignored", "with dropout the training loss is the one without")
        return
    scores = _loss(case, net, d.x)
    if not agrees(scores, net_formulas.forward(d, PLAIN)[0], 1e-7):
        case.wrong("dropout_in_test_mode", "with dropout the scores in test mode are others than without")
    step, off = 1e-6, []
    for key, gradient in zip(d.keys, first[1:], strict=True):
        direction = rng.normal(size=d.params[key].shape)
        values = []
        for sign in (1, -1):
            moved = NetDraw({**d.params, key: d.params[key] + sign * step * direction}, d.x, d.y, 0.0, None, d.layers)
            values.append(float(loss_and_gradients(case, net, moved)[0]))
        numeric, analytic = (values[0] - values[1]) / (2 * step), float((gradient * direction).sum())
        if abs(numeric - analytic) > 1e-4 * max(1e-2, abs(numeric)):
            off.append(key)
    if off:
        case.wrong("dropout_backward_skipped", f"the gradients of {', '.join(off)} are not the slopes of the loss")


def _examine_dtype(case: Case, rng: np.random.Generator) -> None:
    """A float32 net stays float32."""
    if "dtype" not in case.exam.known(case.function).parameter_names or case.verdict != "right":
        return
    net = build(case, (7, 6, 5, 4), dtype=np.float32)
    value = _loss(case, net, rng.normal(size=(3, 7)).astype(np.float32), np.array([0, 1, 2]))
    grads = value[1] if isinstance(value, tuple) and len(value) == 2 else {}
    leaks = (
        [k for k, v in grads.items() if isinstance(v, np.ndarray) and v.dtype == np.float64]
        if isinstance(grads, dict)
        else []
    )
    leaks += [k for k, v in parameters(case, net).items() if isinstance(v, np.ndarray) and v.dtype == np.float64]
    if leaks:
        case.remark("dtype_leak", f"float64 in a float32 net: {', '.join(dict.fromkeys(leaks))}")
