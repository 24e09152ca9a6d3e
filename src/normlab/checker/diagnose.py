"""The order of the questions: each function after those it stands on."""

from __future__ import annotations

import time
from collections.abc import Callable

from normlab.checker import unjudged
from normlab.checker.exam import Case, Examination
from normlab.checker.findings import Report
from normlab.checker.names import NAMES
from normlab.checker.printed import PrintedReport
from normlab.checker.probes import (
    affine,
    conv_nets,
    convolution,
    dropout,
    losses,
    nets,
    norm_backward,
    norm_forward,
    optimizers,
    pooling,
    relu,
    sandwich,
    spatial_batchnorm,
    spatial_groupnorm,
)
from normlab.checker.returned import odd
from normlab.checker.subject import OutOfTime, Subject, SubjectLost

PROBES: tuple[tuple[Callable[[Examination], None], tuple[str, ...]], ...] = (
    (affine.examine, ("affine_forward", "affine_backward")),
    (relu.examine, ("relu_forward", "relu_backward")),
    (sandwich.examine, ("affine_relu_forward", "affine_relu_backward")),
    (losses.examine, ("softmax_loss", "svm_loss")),
    (norm_forward.examine, ("batchnorm_forward", "layernorm_forward")),
    (norm_backward.examine, ("batchnorm_backward", "batchnorm_backward_alt", "layernorm_backward")),
    (dropout.examine, ("dropout_forward", "dropout_backward")),
    (spatial_batchnorm.examine, ("spatial_batchnorm_forward", "spatial_batchnorm_backward")),
    (spatial_groupnorm.examine, ("spatial_groupnorm_forward", "spatial_groupnorm_backward")),
    (pooling.examine, ("max_pool_forward_naive", "max_pool_backward_naive")),
    (convolution.examine, ("conv_forward_naive", "conv_backward_naive")),
    (optimizers.examine, ("sgd", "sgd_momentum", "rmsprop", "adam")),
    (nets.examine, ("TwoLayerNet", "FullyConnectedNet")),
    (
        conv_nets.examine,
        (*(f"{name}_{half}" for name in conv_nets.JOINED for half in ("forward", "backward")),
         "ThreeLayerConvNet"),
    ),
)  # fmt: skip


def diagnose(subject: Subject, name: str, *, seed: int = 0) -> Report:
    """Judge everything that the subject has. The same seed asks the same questions."""
    started = time.perf_counter()
    exam = Examination(subject, seed)
    for probe, functions in PROBES:
        _run(exam, probe, functions)
    _report_blocks(exam)
    order = {function: index for index, (_, names) in enumerate(PROBES) for function in names}
    findings = sorted(exam.findings, key=lambda f: order.get(f.function, len(order)))
    notes = tuple(
        f"{note.text} ({note.file.rpartition('/')[2]}, line {note.line})"
        if note.line
        else note.text
        for note in subject.notes
    )
    return PrintedReport(
        name,
        tuple(findings),
        tuple(dict.fromkeys(notes)),
        subject.held,
        time.perf_counter() - started,
    )


def _run(
    exam: Examination, probe: Callable[[Examination], None], functions: tuple[str, ...]
) -> None:
    """One probe; where the process is lost, one function is at fault, others are asked again."""
    while True:
        before = len(exam.findings)
        try:
            probe(exam)
            return
        except SubjectLost as lost:
            done = {finding.function for finding in exam.findings[before:]}
            present = [f for f in functions if exam.has(f)]
            judged = next((f for f in present if f not in done), "")
            if isinstance(lost, OutOfTime) or not judged:
                _give_up(exam, [f for f in present if f not in done], str(lost))
                return
            del exam.findings[before:]
            guilty = lost.function if lost.function in present else judged
            case = Case(exam, guilty, "general")
            case.wrong("lost", message=str(lost))
            case.close()
            exam.gone.add(guilty)
        except Exception as error:
            present = [function for function in functions if exam.has(function)]
            if not _take_failure(exam, present, before, error):
                return


def _take_failure(exam: Examination, functions: list[str], before: int, error: Exception) -> bool:
    """A probe has failed on what it read.

    True: one function is set aside, and the others are to be asked again.
    """
    done = {finding.function for finding in exam.findings[before:]}
    left = [function for function in functions if function not in done]
    name, value = exam.subject.latest
    case = exam.case
    guilty = next((f for f in (name, case.function if case else "", *left[:1]) if f in left), "")
    if not guilty:
        return False
    del exam.findings[before:]
    if case is not None and case.function == guilty and case.verdict == "wrong":
        case.close()  # what it had found already
    elif odd(value):
        unjudged.wrong_result(exam, guilty, value)
    else:
        exam.findings.append(unjudged.bug_report(exam, guilty, error))
    exam.gone.add(guilty)
    return True


def _give_up(exam: Examination, functions: list[str], why: str) -> None:
    """Nothing more can be asked: what has not been judged is said not to be."""
    for function in functions:
        case = Case(exam, function, "general")
        case.not_checked(why)
        case.close()


def _report_blocks(exam: Examination) -> None:
    """Functions whose block does not parse are wrong, and said to be left out."""
    for note in exam.subject.notes:
        if note.kind == "syntax" and note.function in NAMES and not exam.has(note.function):
            case = Case(exam, note.function, "general")
            case.wrong("syntax", note.text, message=note.text, line=note.line)
            case.close()
