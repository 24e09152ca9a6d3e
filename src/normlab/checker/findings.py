"""What the checker says: frozen records, one or more a function."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from normlab.checker.mistakes.record import headline

VERDICTS = ("right", "wrong", "unimplemented", "waiting", "unjudged")
SEVERITIES = ("fault", "robustness", "remark", "convention", "none")
SCHEMA = 1


@dataclass(frozen=True)
class Finding:
    """One thing about one function.

    `verdict` is the function's as far as this finding goes. `fault` is `function.key`, empty for a
    function
    that is right or not written. `sentence` says what is wrong; `derivation` is the line of the
    derivation it
    belongs to; `evidence` is what was measured; `cell` says which cell of the notebook shows it,
    or why none
    does. `hints` are three, each saying more than the one before; none is the code. `named` is
    False where
    the function is wrong and the cause is not known. `follows` are wrong functions that it stands
    on: it was
    judged against what they compute, not against what they should. `symptom` is how it fails,
    without its name;
    `sure` how sure that name is; `text` is the line of code, `line` in `file`, that it is most
    likely about.
    """

    function: str
    verdict: str
    fault: str = ""
    sentence: str = ""
    derivation: str = ""
    evidence: str = ""
    cell: str = ""
    severity: str = "none"
    hints: tuple[str, ...] = ()
    named: bool = True
    file: str = ""
    line: int = 0
    follows: tuple[str, ...] = ()
    symptom: str = ""
    sure: str = ""
    text: str = ""

    @property
    def headline(self) -> str:
        """The sentence as a sentence begins; a name of the code stays as it is written."""
        return headline(self.sentence)


class NotJudged(NamedTuple):
    """A function or class that is there and that nobody was asked about, with the reason."""

    name: str
    reason: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Report:
    """Everything said about one file, folder or module, in the order in which it was judged.

    `read` are the files that were run, `passed_over` those of another copy of the assignment,
    `not_judged`
    what is there and was not asked about.
    """

    subject: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    seed: int = 0
    read: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()

    @property
    def functions(self) -> dict[str, str]:
        """The verdict on each function that is there."""
        verdicts: dict[str, str] = {}
        for finding in self.findings:
            verdicts[finding.function] = worse(
                verdicts.get(finding.function, "right"), finding.verdict
            )
        return verdicts

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that say that something is wrong."""
        return tuple(f for f in self.findings if f.verdict == "wrong")

    @property
    def exit_code(self) -> int:
        """0: all is right; 1: something is wrong; 3: nothing is wrong, but something is not
        written or not checked."""
        verdicts = set(self.functions.values())
        if "wrong" in verdicts:
            return 1
        return 0 if verdicts == {"right"} and not self.not_judged else 3

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values; docs/checker.md describes the fields."""
        return {
            "schema": SCHEMA,
            "subject": self.subject,
            "functions": self.functions,
            "findings": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
            "read": list(self.read),
            "passed_over": list(self.passed_over),
            "not_judged": [one._asdict() for one in self.not_judged],
            "limits": list(self.held),
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
        }

    def to_json(self, *, ascii_only: bool = False) -> str:
        """Strict JSON of `as_dict`; `ascii_only` escapes every other letter."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=ascii_only, allow_nan=False)


def worse(one: str, other: str) -> str:
    """The graver of two verdicts."""
    return max(one, other, key=["right", "unimplemented", "waiting", "unjudged", "wrong"].index)


def of_function(findings: Sequence[Finding], function: str) -> tuple[Finding, ...]:
    """The findings about one function."""
    return tuple(f for f in findings if f.function == function)
