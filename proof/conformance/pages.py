"""The published pages of conformance, as Markdown, from a full run on the machine at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from normlab.files import write_atomically
from normlab.machine import versions
from normlab.selftest.measured import Measured
from normlab.selftest.tables import markdown_table
from proof.conformance import onnx_suite, opinfo, rows

COMMAND = "python -m proof.conformance docs"

WHAT = """# Conformance

What other people's suites, checkers and samples say of normlab. The command

    {command}

runs all of it and writes this page and [conformance-skipped.md](conformance-skipped.md); what is not installed is named
instead of run. Written on {date} with {versions}.

"""

ONNX = """
## ONNX's suite, operator by operator

`onnx.backend.test.BackendTest`, as it comes with ONNX, runs a backend (`proof.conformance.onnx_backend`)
that calls the reference's forward passes and update rules, with ONNX's own tolerances. Of {total} cases {run} are run
and {skipped} are not; each of these is listed by name with its reason in
[conformance-skipped.md](conformance-skipped.md).

"""

SKIPPED = """# What of ONNX's conformance suite is not run

Every case of `onnx.backend.test.BackendTest` (onnx {version}) that normlab does not run, by reason, kind and
operator; "test_" is left out of the names. A test compares this list with the suite, case by case: one skipped case
more, or less, and it fails. What is run, and how it ended, stands in [conformance.md](conformance.md).

"""

CONVENTIONS = """
Where ONNX's conventions differ from the reference's, the adapter undoes the difference in the arguments:

| ONNX | the reference |
|---|---|
| LRN: alpha times the mean of the squares over the full window | alpha times their sum, as in AlexNet's paper |
| MeanVarianceNormalization adds 1e-9 to the standard deviation | adds nothing; a constant input gives 0 |
| Momentum keeps a sum of gradients; the first gradient enters with weight 1 | keeps a step, `-learning_rate * V` |
| Adam: T counts from 0, where nothing is corrected; epsilon is added before sqrt(v) is corrected | from 1; after |
| Dropout: `ratio` is the probability of dropping; keeps where u >= ratio | `p` of keeping; keeps where u < p |
| losses: reduction, class weights, an ignored label | the mean over all; the adapter weights single losses |

The fused kernels are run on the same batch and layer norm cases, and refuse six, `layer_normalization_*` over all
axes: one row alone, which the kernels hand to the reference.
"""

SAMPLES = """
## PyTorch's samples: where the two differ

PyTorch's OpInfo and ModuleInfo samples of batch, layer, group, instance, RMS and local response norm and of
`normalize`, in float16, float32 and float64, with random weights and a random upstream gradient: {compared} compared in
y, dx, dgamma and dbeta. The two agree when they differ by at most 16 units of rounding of the largest true number. Each
result on which they do not, with both errors against extended precision (absolute, beside the largest true number):

{disagreements}
Where no more than two numbers share their statistics, the true gradient is nearly or exactly 0: the terms of the
derivative cancel, and where neither is right to rounding, they cancel beyond the digits that the arithmetic holds.

The samples that are not compared, and who refuses them:

{refusals}
Samples of `native_layer_norm` and its like are the same kernels under another signature, and are left out; so are
`masked.normalize`, whose masks normlab has not, and complex and bfloat16 numbers, which the reference does not take.
"""


DISAGREEMENT = (
    "sample",
    "type",
    "shape",
    "result",
    "largest",
    "normlab's error",
    "PyTorch's error",
    "right",
)


def write(folder: Path) -> None:
    """Run everything and write both pages. Needs ONNX; PyTorch's samples are left out where they are missing."""
    write_atomically(folder / "conformance.md", page().encode())
    skipped = SKIPPED.format(version=versions("onnx")["onnx"]) + onnx_suite.skipped_table()
    write_atomically(folder / "conformance-skipped.md", skipped.encode())


def page() -> str:
    """The page with the figures."""
    found = versions("onnx", "torch", "jax")
    text = WHAT.format(
        command=COMMAND,
        date=datetime.now(UTC).date().isoformat(),
        versions=", ".join(f"{name} {version}" for name, version in found.items()),
    )
    text += _table(rows(full=True))
    cases = onnx_suite.cases()
    skipped = sum(case.skipped is not None for case in cases)
    text += (
        ONNX.format(total=len(cases), run=len(cases) - skipped, skipped=skipped)
        + _operators()
        + CONVENTIONS
    )
    return text + (_samples() if opinfo.why_not() is None else "")


def _table(measured: Iterable[Measured]) -> str:
    holds = {True: "yes", False: "**no**", None: "not run"}
    return markdown_table(
        ("what", "bound", "measured", "holds", "cases", "note"),
        (
            (row.promise, row.bound, row.measured, holds[row.holds], row.cases, row.note)
            for row in measured
        ),
    )


def _operators() -> str:
    run = [case for case in onnx_suite.cases() if case.skipped is None]
    counts = Counter((", ".join(case.operators), case.kind) for case in run)
    rows = ((*which, count) for which, count in counts.items())
    return markdown_table(("operator", "kind", "cases"), rows)


def _samples() -> str:
    answers = list(opinfo.answers())
    lines = [
        (
            answer.sample,
            answer.dtype,
            answer.shape,
            found.result,
            f"{found.largest:.1e}",
            f"{found.ours:.1e}",
            f"{found.theirs:.1e}",
            found.right,
        )
        for answer in answers
        for found in answer.disagreements
    ]
    refusals = Counter(
        answer.refusal.split(";")[0].split(", x of shape")[0]
        for answer in answers
        if answer.refusal
    )
    return SAMPLES.format(
        compared=sum(not answer.refusal for answer in answers),
        disagreements=markdown_table(DISAGREEMENT, lines),
        refusals=markdown_table(("refusal", "samples"), refusals.items()),
    )
