"""Mistakes are planted as small edits of one function's text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from normlab.checker.child import repair
from normlab.checker.diagnose import diagnose
from normlab.checker.findings import Report
from normlab.checker.subject import LocalSubject

repair.give_old_names()  # one of the styles is old enough to need them

FOLDER = Path(__file__).parent / "styles"
STYLES = (
    ("layers_staged", "nets_plain", "optim_plain"),
    ("layers_simplified", "nets_recent", "optim_later"),
    ("layers_transposed", "nets_plain", "optim_inplace"),
    ("layers_einsum", "nets_recent", "optim_plain"),
    ("layers_loops", "nets_plain", "optim_later"),
    ("layers_keepdims", "nets_recent", "optim_inplace"),
    ("layers_inplace", "nets_lists", "optim_plain"),
    ("layers_course", "nets_lists", "optim_inplace"),
    ("layers_library", "nets_plain", "optim_later"),
    ("layers_matrix", "nets_recent", "optim_later"),
    ("layers_objects", "nets_sandwich", "optim_functional"),
    ("layers_staged", "nets_inline", "optim_functional"),
    ("layers_objects", "nets_inline", "optim_plain"),
    ("layers_einsum", "nets_sandwich", "optim_functional"),
)
"""Correct code in eleven styles of layers, five of nets, four of update rules."""

BASE = ("layers_staged", "nets_plain", "optim_plain")


class Plant(NamedTuple):
    """A mistake: where it is planted, and which findings name it (`function.key`; any one of them
    will do).

    `shows` is what it must come to: "wrong", "remark" (said, but nothing is wrong), "right"
    (harmless) or
    "unwritten" (the function named is not written yet, and not wrong).
    """

    id: str
    edits: Mapping[str, Sequence[tuple[str, str]]]
    named: tuple[str, ...]
    shows: str = "wrong"


def text_of(*styles: str) -> str:
    """The source of several style files, one after another."""
    return "\n\n".join((FOLDER / f"{style}.py").read_text() for style in styles)


def planted(source: str, edits: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The source with the edits made; each old text must be there, inside its function
    (`Class.method` too)."""
    for where, changes in edits.items():
        begin, end = span(source, where)
        body = source[begin:end]
        for old, new in changes:
            if old not in body:
                raise AssertionError(f"{where} has no text {old!r}")
            body = body.replace(old, new)
        source = source[:begin] + body + source[end:]
    return source


def span(source: str, where: str) -> tuple[int, int]:
    """Where a function, or a method of a class, begins and ends."""
    outer, _, inner = where.partition(".")
    found = re.search(rf"^(def|class) {outer}\b.*?(?=^(def|class|import) |\Z)", source, re.M | re.S)
    assert found, where
    if not inner:
        return found.span()
    method = re.search(rf"^    def {inner}\b.*?(?=^    def |\Z)", found.group(), re.M | re.S)
    assert method, where
    return found.start() + method.start(), found.start() + method.end()


def namespace(source: str) -> dict[str, Any]:
    """The names that the source defines."""
    names: dict[str, Any] = {}
    exec(compile(source, "<planted>", "exec"), names)
    return names


GROUPS = (
    ("affine_forward", "affine_backward"), ("relu_forward", "relu_backward"), ("softmax_loss",),
    ("svm_loss",),
    ("batchnorm_forward", "batchnorm_backward", "batchnorm_backward_alt"),
    ("layernorm_forward", "layernorm_backward"),
    ("dropout_forward", "dropout_backward"),
    ("spatial_groupnorm_forward", "spatial_groupnorm_backward"),
    ("max_pool_forward_naive", "max_pool_backward_naive"), ("sgd",), ("sgd_momentum",),
    ("rmsprop",), ("adam",),
)  # fmt: skip
SPATIAL = ("spatial_batchnorm_forward", "spatial_batchnorm_backward")


def relevant(plant: Plant) -> set[str] | None:
    """The functions worth asking about for a plant; None is all of them (a net stands on every
    layer)."""
    touched = {where.partition(".")[0] for where in plant.edits} | {
        name.partition(".")[0] for name in plant.named
    }
    if any(name.endswith("Net") for name in touched):
        return None
    wanted: set[str] = set()
    if touched & set(SPATIAL):
        wanted |= {*SPATIAL, *GROUPS[4]}
    for group in GROUPS:
        if touched & set(group):
            wanted |= set(group)
    return wanted


def examined(source: str, names: set[str] | None = None, seed: int = 0) -> Report:
    """The report on a source's functions, or on some of them."""
    subject = LocalSubject(namespace(source))
    if names is not None:
        subject.inventory = {
            name: known for name, known in subject.inventory.items() if name in names
        }
    return diagnose(subject, "planted", seed=seed)


def outcome(plant: Plant, report: Report) -> str:
    """'named', 'detected', 'missed', or 'accused' where a harmless choice was called wrong."""
    wrong = {f.fault for f in report.wrong}
    said = {f.fault for f in report.findings if f.verdict == "right" and f.fault}
    if plant.shows == "wrong":
        return "named" if wrong & set(plant.named) else "detected" if wrong else "missed"
    if wrong:
        return "accused"
    if plant.shows == "unwritten":
        return "named" if report.functions.get(plant.named[0]) == "unimplemented" else "missed"
    return "named" if plant.shows == "right" or said & set(plant.named) else "missed"
