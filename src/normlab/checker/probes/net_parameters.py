"""A net's parameters: under which names, of which shapes, and with which first values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from normlab.checker.compare import agrees
from normlab.checker.exam import Case, Settled
from normlab.typing import Array

FIRST_SEED = 1
"""NumPy's global generator starts here when a net is built, as in the notebook."""

SCALE = 0.05
LETTERS = {"w": "W", "weight": "W", "weights": "W", "theta": "W", "b": "b", "bias": "b",
           "biases": "b",
           "gamma": "gamma", "gammas": "gamma", "g": "gamma", "beta": "beta",
           "betas": "beta"}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What a person calls each parameter; `row` and `column` are vectors kept as (1, D) or (D, 1),
    `turned` is wᵀ.

    `remarks` are said after the wiring: a key, what was seen, and of which parameter.
    """

    own: dict[str, str]
    forms: dict[str, str]
    remarks: tuple[tuple[str, str, str], ...] = ()

    def given(self, params: dict[str, Array]) -> dict[str, Array]:
        """The assignment's parameters under a person's own names, in their own shapes."""
        return {
            self.own[key]: self.shaped(key, value)
            for key, value in params.items()
            if key in self.own
        }

    def shaped(self, key: str, value: Array) -> Array:
        """A parameter as the person keeps it."""
        return {"row": value[None], "column": value[..., None], "turned": value.T}.get(
            self.forms[key], value
        )

    def unshaped(self, key: str, value: Array, shape: tuple[int, ...]) -> Array:
        """A person's gradient as the assignment has it, where it can be."""
        if value.size != int(np.prod(shape)):
            return value
        return (
            value.T if self.forms.get(key) == "turned" and value.ndim == 2 else value.reshape(shape)
        )


def expected(dims: tuple[int, ...], kind: str | None) -> dict[str, tuple[int, ...]]:
    """The assignment's names and shapes."""
    layers = range(1, len(dims))
    shapes: dict[str, tuple[int, ...]] = {f"W{i}": (dims[i - 1], dims[i]) for i in layers}
    shapes |= {f"b{i}": (dims[i],) for i in layers}
    if kind is not None:
        shapes |= {
            f"{name}{i}": (dims[i],)
            for i in layers
            if i < len(dims) - 1
            for name in ("gamma", "beta")
        }
    return shapes


def read(case: Case, params: dict[str, Any], dims: tuple[int, ...], kind: str | None) -> Names:
    """Who is who among the parameters; a finding, and Settled, where that cannot be known.

    Where a norm is asked for and no γ is there at all, the names are those of the plain net.
    """
    given = ", ".join(sorted(params))
    wanted = expected(dims, kind)
    own, remarks = _matched(params, wanted), []
    missing = [key for key in wanted if key not in own]
    if any(key[0] in "Wb" and not key.startswith("beta") for key in missing):
        case.wrong("keys", f"params has {given}; needed are {', '.join(sorted(wanted))}")
        raise Settled
    if kind is not None and all(key in missing for key in wanted if key.startswith("gamma")):
        own = {key: name for key, name in own.items() if key in expected(dims, None)}
    elif missing:
        case.wrong(
            "norm_keys",
            f"params has {given}; needed are {', '.join(sorted(wanted))}",
            kind=str(kind),
        )
        raise Settled
    forms = {}
    for key, name in own.items():
        shape = np.shape(params[name])
        forms[key] = _form(shape, wanted[key])
        if not forms[key]:
            case.wrong(
                "parameter_shape", f"{name} has shape {shape}; needed is {wanted[key]}", what=name
            )
            raise Settled
        if forms[key] != "same":
            told = f"{name} has shape {shape}; needed is {wanted[key]}"
            remarks.append(
                ("parameter_shape" if forms[key] == "turned" else "parameter_keepdims", told, name)
            )
    remarks += _of_names(params, own, given)
    return Names(own, forms, tuple(remarks))


def _form(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """How a shape differs from the assignment's: not at all, as a row or a column, turned; '' for
    any other."""
    forms = {wanted: "same", (1, *wanted): "row", (*wanted, 1): "column", wanted[::-1]: "turned"}
    return {**forms, wanted: "same"}.get(shape, "")


def _of_names(
    params: dict[str, Any], own: dict[str, str], given: str
) -> list[tuple[str, str, str]]:
    remarks = []
    renamed = [name for key, name in own.items() if key != name]
    if "W1" in own and own["W1"].endswith("0"):
        remarks.append(("keys_from_zero", f"params has {given}", ""))
    elif renamed:
        remarks.append(("keys_renamed", f"params has {given}", ""))
    extra = [name for name in params if name not in own.values()]
    if extra:
        remarks.append(("extra_keys", f"params also has {', '.join(sorted(extra))}", ""))
    return remarks


def _matched(params: dict[str, Any], wanted: dict[str, tuple[int, ...]]) -> dict[str, str]:
    """The assignment's name of each parameter: by its letters and number, else by its shape
    alone."""
    if all(key in params for key in wanted):
        return {key: key for key in wanted}
    parsed: dict[str, dict[int, str]] = {}
    for name in params:
        found = re.fullmatch(r"([a-z]+)_?(\d+)", name.lower())
        if found and found.group(1) in LETTERS:
            parsed.setdefault(LETTERS[found.group(1)], {})[int(found.group(2))] = name
    own: dict[str, str] = {}
    for letters, numbered in parsed.items():
        start = min(*parsed.get("W", numbered), *numbered)
        for number, name in numbered.items():
            key = f"{letters}{number - start + 1}"
            if key in wanted:
                own[key] = name
    for key, shape in wanted.items():  # each W has a shape of its own
        if key not in own and key[0] == "W":
            same = [
                name
                for name, value in params.items()
                if np.shape(value) == shape and name not in own.values()
            ]
            if len(same) == 1:
                own[key] = same[0]
    for key, shape in wanted.items():
        if key not in own and not key.startswith("gamma"):
            alike = [
                n
                for n, v in params.items()
                if np.size(v) == shape[0] and np.ndim(v) < 3 and n not in own.values()
            ]
            zeros = [n for n in alike if not np.any(params[n])]
            if len(shape) == 1 and len(zeros) == 1:
                own[key] = zeros[0]
    return own


def examine_first_values(
    case: Case, params: dict[str, Any], names: Names, dims: tuple[int, ...], kind: str | None
) -> None:
    """γ starts at one, b and β at zero, and W is drawn with the scale asked for."""
    before = len(case.findings)
    for key, name in names.own.items():
        value, letters = np.asarray(params[name]), key.rstrip("0123456789")
        if value.dtype.kind not in "fiub":
            continue
        if letters == "gamma" and not np.all(value == 1):
            case.wrong("gamma_not_ones", f"{name} starts at {value.flat[0]:g}")
        elif letters in ("b", "beta") and np.any(value != 0):
            case.wrong("bias_not_zero", f"{name} starts at {value.flat[0]:g}", what=name)
        elif letters == "W" and value.size >= 100 and not 0.7 < value.std() / SCALE < 1.3:
            told = f"with weight_scale={SCALE} the entries of {name} spread by {value.std():.3g}"
            case.wrong("weight_scale_ignored", told)
    if kind is None and len(case.findings) == before:
        order = np.random.RandomState(FIRST_SEED)
        shapes = expected(dims, None)
        drawn = [SCALE * order.randn(*shapes[f"W{i}"]) for i in range(1, len(dims))]
        if not all(
            agrees(np.asarray(params[names.own[f"W{i}"]]), w, 1e-6)
            for i, w in enumerate(drawn, start=1)
        ):
            case.remark(
                "draw_order",
                "with the same seed the weights are others than 0.05 * randn, drawn for W1, W2, … "
                "in turn",
            )
