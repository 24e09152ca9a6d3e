"""One examination: the subject, the random draws, and what has been settled so far."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from normlab.checker.compare import SINGLE, TIGHT, as_array, distance, same_bits
from normlab.checker.family import Family
from normlab.checker.findings import Finding, worse
from normlab.checker.mistakes import describe
from normlab.checker.mistakes.record import Mistake, headline
from normlab.checker.quoting import quoted
from normlab.checker.returned import told, unreadable
from normlab.checker.subject import Known, Outcome, Raised, Subject
from normlab.typing import Array


class Settled(Exception):
    """Nothing more can be learned about this function."""


class Failed(Exception):
    """A call raised; carries what it raised."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(str(raised))
        self.raised = raised


class Absent(Exception):
    """A call needs a module that was not handed in; carries the reason."""


class Unwritten(Exception):
    """A call gave None where a value belongs: the starter's own placeholder."""


class Examination:
    """What the probes share. `fine` says which aspects (a function's name, or `name.train`) were
    found right."""

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self.subject = subject
        self.seed = seed
        self.fine: dict[str, bool] = {}
        self.faults: dict[str, tuple[str, ...]] = {}
        self.gone: set[str] = set()
        self.findings: list[Finding] = []
        self.case: Case | None = None  # the one that is being made

    def has(self, name: str) -> bool:
        """Whether the function is there at all."""
        return name in self.subject.inventory and name not in self.gone

    def is_judged(self, name: str) -> bool:
        """Whether a function is right, or wrong in a way that can be called: what stands on it can
        be asked."""
        return bool(self.fine.get(name)) or bool(self.faults.get(name))

    def known(self, name: str) -> Known:
        """Where and how a function is defined."""
        return self.subject.inventory[name]

    def random(self, salt: int = 0) -> np.random.Generator:
        """A generator for one probe's inputs: fresh in each examination, the same when it is
        repeated."""
        return np.random.default_rng((self.seed, salt))


class Case:
    """The findings about one function, as they are made."""

    def __init__(self, exam: Examination, function: str, topic: str, **words: str) -> None:
        self.exam, self.function, self.topic = exam, function, topic
        exam.case = self
        self.words = {"function": function, **words}
        self.verdict = "right"
        self.findings: list[Finding] = []
        self.stands_on: tuple[str, ...] = ()

    def wrong(
        self, key: str, evidence: str = "", *, named: bool = True, line: int = 0, **words: str
    ) -> None:
        """Something is wrong, and `key` of the catalogue says what."""
        self._add("wrong", key, evidence, named, line, words)

    def remark(self, key: str, evidence: str = "", **words: str) -> None:
        """Something worth saying (a remark or a convention) that makes nothing wrong."""
        self._add("right", key, evidence, True, 0, words)

    def unimplemented(self, what: str = "") -> None:
        """It is not written yet."""
        key = "part_unimplemented" if what else "unimplemented"
        self._add("unimplemented", key, "", True, 0, {"what": what})

    def unwritten(self, key: str, **words: str) -> None:
        """An option or a part is not written yet, and `key` of the catalogue says which."""
        self._add("unimplemented", key, "", True, 0, words)

    def follows(self, on: Sequence[str]) -> None:
        """It was judged against wrong functions that it stands on: these."""
        self.stands_on = tuple(dict.fromkeys((*self.stands_on, *on)))

    def waiting(self, on: Sequence[str]) -> None:
        """It cannot be judged before something else is right."""
        names = " and ".join(dict.fromkeys(on))
        self._add("waiting", "waiting", "", True, 0, {"on": names})

    def absent(self, why: str) -> None:
        """It needs something that was not handed in."""
        self._add("waiting", "module_missing", why, True, 0, {"message": why})

    def not_checked(self, why: str) -> None:
        """It was not asked, for a reason that is not its own."""
        self._add("waiting", "out_of_time", "", True, 0, {"message": why})

    def found(self, key: str) -> bool:
        """Whether this fault has been reported already."""
        return any(f.fault == f"{self.function}.{key}" for f in self.findings)

    def close(self) -> None:
        """Hand the findings over; a function without any is right."""
        known = self.exam.subject.inventory.get(self.function)
        if not any(f.verdict != "right" for f in self.findings):
            sentence = describe("general", "right", self.words).sentence
            own = Finding(
                self.function,
                "right",
                "",
                sentence,
                file=known.file if known else "",
                line=known.line if known else 0,
            )
            self.findings.insert(0, own)
        self.findings.sort(key=_rank)
        faults = [f for f in self.findings if f.verdict == "wrong"]
        self.exam.fine[self.function] = self.verdict in ("right", "wrong") and not any(
            f.severity == "fault" for f in faults
        )
        self.exam.faults[self.function] = tuple(f.fault.partition(".")[2] for f in faults)
        if self.stands_on:
            self.findings = [replace(f, follows=self.stands_on) for f in self.findings]
        self.exam.findings += self.findings

    def _add(
        self, verdict: str, key: str, evidence: str, named: bool, line: int, words: dict[str, str]
    ) -> None:
        if self.found(key):
            return
        known = self.exam.subject.inventory.get(self.function)
        mistake = describe(self.topic, key, {**self.words, **words})
        self.verdict = worse(self.verdict, verdict)
        said = verdict in ("wrong", "right")
        finding = Finding(
            function=self.function,
            verdict=verdict,
            fault=f"{self.function}.{key}" if said else "",
            sentence=mistake.sentence,
            derivation=mistake.line,
            evidence=evidence,
            cell=mistake.cell,
            severity=mistake.severity if said else "none",
            hints=mistake.hints,
            named=named,
            file=known.file if known else "",
            line=known.line if known else 0,
            symptom=_symptom(mistake, evidence),
            sure=_sure(mistake, named) if verdict == "wrong" else "",
        )
        if verdict == "wrong" and line:
            finding = quoted(replace(finding, line=line), (), self.exam.subject.root)
        elif verdict == "wrong":
            finding = quoted(finding, mistake.sought, self.exam.subject.root)
        self.findings.append(finding)

    # calls

    def call(self, name: str, *args: Any, keep: Any = (), seed: int | None = None) -> Outcome:
        """Call a function of the subject; raises Failed where it raised."""
        outcome = self.came_back(self.exam.subject.call(name, *args, keep=keep, numpy_seed=seed))
        if unreadable(name, outcome.value):
            self.wrong("odd_result", f"{name} returned {told(outcome.value)}")
            raise Settled
        return outcome

    def came_back(self, outcome: Outcome) -> Outcome:
        """The outcome of a call that did not raise; Unwritten, Absent or Failed for one that
        did."""
        error = outcome.error
        if error is None:
            return outcome
        if _is_starter(error):
            raise Unwritten
        missing = [note.text for note in self.exam.subject.notes if note.kind == "missing"]
        if missing and error.type in ("NameError", "ImportError", "ModuleNotFoundError"):
            raise Absent(f"{error.message} ({'; '.join(missing)})")
        raise Failed(error)

    def forward(self, name: str, *args: Any, seed: int | None = None) -> tuple[Any, Any, Outcome]:
        """Call a forward function: its output, its cache (kept there), and the whole outcome."""
        outcome = self.call(name, *args, keep=(1,), seed=seed)
        value = outcome.value
        if value is None or (isinstance(value, tuple) and len(value) == 2 and value[0] is None):
            raise Unwritten
        if not isinstance(value, tuple) or len(value) != 2:
            self.wrong("not_a_pair", f"{name} returned {_told(value)}")
            raise Settled
        return value[0], value[1], outcome

    def results(self, value: Any, names: Sequence[str]) -> tuple[Any, ...]:
        """A backward function's results, as many as there are names."""
        if value is None or (
            isinstance(value, (tuple, list)) and all(item is None for item in value)
        ):
            raise Unwritten
        if not isinstance(value, (tuple, list)) or len(value) != len(names):
            self.wrong("not_a_tuple", f"it returned {_told(value)}", what=", ".join(names))
            raise Settled
        return tuple(value)

    def array(self, value: Any, what: str, shape: tuple[int, ...]) -> Array:
        """The value as an array of the right shape and kind; a finding, and Settled, where it is
        none."""
        if value is None:
            raise Unwritten
        array = as_array(value)
        if array is None:
            self.wrong("not_an_array", f"{what} is {_told(value)}", what=what)
            raise Settled
        if array.shape != shape:
            self.wrong("shape", f"{what} has shape {array.shape}; needed is {shape}", what=what)
            raise Settled
        return array

    def untouched(
        self,
        given: Sequence[Any],
        outcome: Outcome,
        names: Sequence[str],
        key: str = "input_overwritten",
    ) -> bool:
        """Whether the arrays came back as they went in; a finding for the first that did not."""
        for before, after, name in zip(given, outcome.args, names, strict=False):
            if isinstance(before, np.ndarray) and not same_bits(before, after):
                if key:
                    self.wrong(
                        key, f"{name} is another array after the call than before", what=name
                    )
                return False
        return True

    def explain(
        self,
        family: Family,
        draws: Sequence[Any],
        run: Callable[[Any], Any],
        *,
        square: Sequence[Any] = (),
        what: str = "the output",
        raises: str = "raises",
        silent: bool = False,
        even: Callable[[Any], bool] | None = None,
    ) -> bool:
        """Judge a value by a family of alternatives, on every draw; True when it is right.

        Where a call raises, the same is asked with all sizes equal (`square`), where sums over a
        wrong axis
        broadcast instead of failing. `even` says which draws have two sizes that agree, by
        accident or not.
        """
        failed: Raised | None = None
        try:
            seen = [(draw, run(draw)) for draw in draws]
        except Failed as failure:
            failed = failure.raised
            try:
                seen = [(draw, run(draw)) for draw in square]
            except Failed:
                seen = []
        keys = family.explain(seen) if seen else None
        if keys == () and failed is None:
            return True
        if silent:
            return False
        evidence = f"{what}: " + (f"raises {failed}" if failed else far(family, seen))
        harmful = [key for key in keys or () if not family.is_harmless(key)]
        if keys is not None and failed is None and not harmful:
            for key in keys:
                self.remark(key, evidence)
            return True
        if harmful:
            for key in harmful:
                self.wrong(key, evidence, line=failed.line if failed else 0)
        elif failed is not None and keys == () and self.verdict == "wrong":
            pass  # another of this call's results has told the reason already
        elif failed is not None:
            self.wrong(
                raises, evidence, line=failed.line, named=raises != "raises", message=str(failed)
            )
        elif family.explain(seen, 0, SINGLE) == ():
            self.wrong("single_precision", evidence)
        elif (
            even is not None and family.explain([pair for pair in seen if not even(pair[0])]) == ()
        ):
            self.wrong("only_where_sizes_differ", evidence, what=what)
        else:
            self.wrong("unexplained", evidence, named=False, what=what)
        return False


def settle(case: Case, steps: Callable[..., None], *given: Any) -> None:
    """Take a case through its steps, whatever ends them, and hand the findings over."""
    try:
        steps(case, *given)
    except Settled:
        pass
    except Unwritten:
        if case.verdict == "right":
            case.unimplemented()
    except Absent as absent:
        case.absent(str(absent))
    except Failed as failure:
        raised = failure.raised
        known = "cannot be interpreted as an integer" in raised.message
        key = "integer_division" if known else "raises"
        case.wrong(key, str(raised), named=known, line=raised.line)
    case.close()


def _symptom(mistake: Mistake, evidence: str) -> str:
    """How it fails: what was measured, and not which term it is, where that is the answer."""
    measured = evidence.partition(";")[0]
    return measured if mistake.is_term and measured else headline(mistake.sentence)


def _sure(mistake: Mistake, named: bool) -> str:
    """How sure the name of a mistake is."""
    if not named:
        return "that it is wrong is certain; why is not known"
    if mistake.is_term:
        return "certain: this mistake's own formula gives these numbers on every random input"
    return "certain: it was seen"


def _rank(finding: Finding) -> int:
    """What is wrong comes first, and what is named before what is not; the rest keeps its order."""
    if finding.verdict != "wrong" or finding.severity != "fault":
        return 2
    return 0 if finding.named else 1


def far(family: Family, seen: Sequence[tuple[Any, Any]]) -> str:
    """How far what was seen is from right, in words."""
    distances = []
    for draw, value in seen:
        expected = family.value(draw)
        pairs = (
            zip(value, expected, strict=False)
            if isinstance(expected, tuple)
            else [(value, expected)]
        )
        distances.append(max(distance(v, e) for v, e in pairs))
    worst = max(distances, default=np.inf)
    if not np.isfinite(worst):
        return "another shape, NaN or infinity"
    off = sum(d > TIGHT for d in distances)
    return f"off by {worst:.2g} of the largest value, on {off} of {len(distances)} random inputs"


TO_DO = re.compile(
    r"\b(to ?do|not (yet )?(implemented|written|done)|implement (this|me|it)|your code)\b", re.I
)


def _is_starter(raised: Raised) -> bool:
    """Whether the starter's own code raised, around the place that is still to be filled."""
    none_type = "'NoneType' object has no attribute 'astype'"
    said = raised.type in ("AssertionError", "Exception", "RuntimeError", "ValueError")
    return (
        raised.type == "NotImplementedError"
        or (raised.type == "AttributeError" and raised.message == none_type)
        or (said and TO_DO.search(f"{raised.message} {raised.text}") is not None)
    )


def _told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values"
    return f"{type(value).__name__} {value!r}"[:80]
