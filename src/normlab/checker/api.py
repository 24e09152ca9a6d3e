"""The one call of the checker."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from normlab.checker.diagnose import diagnose
from normlab.checker.findings import Finding, NotJudged, Report
from normlab.checker.names import NAMES, not_known
from normlab.checker.printed import PrintedReport
from normlab.checker.process import ChildSubject, Limits
from normlab.checker.subject import LocalSubject, Subject, SubjectLost
from normlab.errors import OptionError


def check(
    target: str | os.PathLike[str] | ModuleType | Mapping[str, Any],
    *,
    seed: int | None = None,
    limits: Limits | None = None,
) -> Report:
    """Check a file, an assignment's folder, a module, or a namespace such as `globals()`.

    `model.py:MyLayerNorm` is one layer of PyTorch in a file, a `torch.autograd.Function` or a
    `torch.nn.Module`, judged as the assignment's function that its name holds.

    Files and folders, and modules that have a file, are run from the disk in a process of their
    own, with limits on time and memory: a guard against accidents, no sandbox against malice. A
    namespace is checked here, as it is. The inputs are random; `seed` (kept in the report) repeats
    them.

    Raises UserError for a path that does not exist, OptionError for anything that is none of these.
    """
    seed = secrets.randbits(31) if seed is None else seed
    if isinstance(target, ModuleType) and not getattr(target, "__file__", None):
        target = vars(target)
    if isinstance(target, Mapping):
        report = diagnose(LocalSubject(target), "this notebook", seed=seed)
        return replace(report, seed=seed, not_judged=_near_names(target))
    if isinstance(target, ModuleType):
        target = str(target.__file__)
        target = str(Path(target).parent) if Path(target).name == "__init__.py" else target
    if not isinstance(target, (str, os.PathLike)):
        raise OptionError(
            f"{type(target).__name__} cannot be checked; give a path, a module or a dict of "
            f"functions"
        )
    path, entry = split_entry(os.fspath(target))
    options = {"entry": entry} if entry else {}
    report = check_path(path, seed=seed, limits=limits or Limits(), **options)
    return replace(report, subject=os.fspath(target)) if entry else report


def _near_names(namespace: Mapping[str, Any]) -> tuple[NotJudged, ...]:
    """Functions of a notebook whose names are nearly those of the assignment, and not quite."""
    told = {
        name: not_known(name)
        for name, thing in namespace.items()
        if isinstance(thing, (FunctionType, type))
        and not name.startswith("_")
        and name not in NAMES
    }
    return tuple(
        NotJudged(name, why)
        for name, why in told.items()
        if "did you mean" in why and why.count("_") == name.count("_")
    )


def split_entry(target: str) -> tuple[Path, str]:
    """`model.py:MyLayerNorm` as a path and a name; the name is empty where there is none."""
    path, _, entry = target.rpartition(":")
    if path and entry.isidentifier() and not Path(target).exists():
        return Path(path), entry
    return Path(target), ""


def check_path(path: Path, *, seed: int, limits: Limits, **options: Any) -> Report:
    """Check a file or folder.

    A process that is lost before anything can be asked is a finding too.
    """
    try:
        subject: Subject = ChildSubject(path, limits=limits, **options)
    except SubjectLost as lost:
        return lost_before_start(str(path), str(lost), seed)
    with subject:
        report = diagnose(subject, str(path), seed=seed)
    undefined = tuple(
        Finding(
            function=note.function,
            verdict="unjudged",
            sentence=f"is not there: its definition raises {note.text}",
            file=note.file,
            line=note.line,
        )
        for note in subject.notes
        if note.kind == "failed"
        and note.function in NAMES
        and note.function not in subject.inventory
    )
    return replace(
        report,
        findings=report.findings + undefined,
        seed=seed,
        read=subject.read,
        passed_over=subject.passed_over,
        not_judged=tuple(
            NotJudged(name, not_known(name), file, line) for name, file, line in subject.strangers
        ),
    )


def lost_before_start(name: str, reason: str, seed: int) -> Report:
    """The report on code that cannot even be loaded."""
    hints = (
        "Import the file by itself.",
        "What runs at the top level, outside of functions?",
        "Only definitions belong there.",
    )
    return _only(
        name,
        "loading.lost",
        f"cannot be loaded: {reason}",
        seed,
        hints,
        "none: a notebook would hang",
    )


def not_read(name: str, reason: str, seed: int) -> Report:
    """The report on what holds nothing that could be judged, with the reason."""
    return _only(name, "loading.not_read", reason, seed, (), "")


def _only(
    name: str, fault: str, sentence: str, seed: int, hints: tuple[str, ...], cell: str
) -> Report:
    told = Finding(
        function="(loading)",
        verdict="wrong",
        fault=fault,
        sentence=sentence,
        severity="fault",
        hints=hints,
        cell=cell,
    )
    return PrintedReport(name, (told,), seed=seed)
