"""ONNX's own conformance suite, `onnx.backend.test.BackendTest`, run as it is; and what of it is left out, and why."""

from __future__ import annotations

import textwrap
import unittest
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import onnx
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests

from proof.conformance.onnx_backend import BY_THE_BOOK, PLUMBING

if TYPE_CHECKING:
    from onnx.backend.base import Backend

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")

NORMS = (
    "LayerNormalization",
    "RMSNormalization",
    "LpNormalization",
    "BatchNormalization",
    "GroupNormalization",
    "InstanceNormalization",
    "LRN",
    "MeanVarianceNormalization",
)

WHOLE_NET = "a whole net of convolutions, which normlab has not; its weights are downloaded"
EXPANDED = "the function written out in elementary operators, which tests an inliner; as one operator it is run"
ELSEWHERE = "not an operator of normlab"

LIST_ITEM = textwrap.TextWrapper(
    width=120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)


@dataclass(frozen=True)
class Case:
    """One case of the suite: its name, where ONNX keeps it, and the operators of its model."""

    name: str
    kind: str
    operators: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether the reference knows every operator."""
        operators = set(self.operators) - PLUMBING.keys()
        return bool(operators) and operators <= BY_THE_BOOK.keys()

    @property
    def skipped(self) -> str | None:
        """Why it is not run by the reference; None for a case that is."""
        if self.kind == "real":
            return WHOLE_NET
        if self.is_ours:
            return None
        return (
            EXPANDED if self.name.partition("_expanded")[0] in _run_as_one_operator() else ELSEWHERE
        )


@cache
def cases() -> tuple[Case, ...]:
    """Every case of the suite, in the order of kinds and names. Making them takes ONNX some seconds."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX divides by zero on purpose while it makes its cases
        for kind in KINDS:
            for case in load_model_tests(kind=kind):
                model = case.model
                if model is None and case.model_dir is not None:
                    model = onnx.load(f"{case.model_dir}/model.onnx")
                operators = (
                    sorted({node.op_type for node in model.graph.node}) if model is not None else []
                )
                found.append(Case(case.name, kind, tuple(operators)))
    return tuple(sorted(found, key=lambda case: (KINDS.index(case.kind), case.name)))


@cache
def _run_as_one_operator() -> frozenset[str]:
    return frozenset(case.name for case in cases() if case.is_ours)


def run(backend: type[Backend], names: Iterable[str]) -> dict[str, str]:
    """Each named case's outcome under ONNX's runner: '' where it passed, otherwise what the runner says."""
    wanted = sorted(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        suite = BackendTest(backend, __name__)
    outcomes = {}
    for test_case in suite.test_cases.values():
        for name in wanted:
            if hasattr(test_case, f"{name}_cpu"):
                outcomes[name] = _outcome(test_case(f"{name}_cpu"))
    return outcomes | {name: "no such case" for name in wanted if name not in outcomes}


def _outcome(test: unittest.TestCase) -> str:
    result = unittest.TestResult()
    test.run(result)
    told = [text.strip().splitlines()[-1] for _, text in (*result.failures, *result.errors)]
    told += [f"skipped: {reason}" for _, reason in result.skipped]
    if result.testsRun != 1:
        told.append(f"{result.testsRun} tests run")
    return "; ".join(told)


def skipped_table() -> str:
    """Every case that the reference does not run, as Markdown: by reason, kind and operator."""
    by_reason: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for case in cases():
        if case.skipped is not None:
            operators = "many" if len(case.operators) > 2 else ", ".join(case.operators) or "many"
            by_reason[case.skipped][case.kind, operators].append(case.name.removeprefix("test_"))
    parts = []
    for reason in (ELSEWHERE, EXPANDED, WHOLE_NET):
        groups = by_reason[reason]
        count = sum(len(names) for names in groups.values())
        lines = [
            LIST_ITEM.fill(f"- {kind}, {operators} ({len(names)}): {' '.join(names)}")
            for (kind, operators), names in groups.items()
        ]
        parts.append(f"## {reason[0].upper()}{reason[1:]}: {count}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"
