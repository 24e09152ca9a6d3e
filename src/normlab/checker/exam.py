"""One examination: the subject, the random draws, and what has been settled so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from normlab.checker.compare import SINGLE, TIGHT, as_array, distance, same_bits
from normlab.checker.family import Family
from normlab.checker.findings import Finding, worse
from normlab.checker.mistakes import describe
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


class Unwritten(Exception):
    """A call gave None where a value belongs: the starter's own placeholder."""


class Examination:
    """What the probes share. `fine` says which aspects (a function's name, or `name.train`) were found right."""

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self.subject = subject
        self.seed = seed
        self.fine: dict[str, bool] = {}
        self.gone: set[str] = set()
        self.findings: list[Finding] = []
        self.case: Case | None = None  # the one that is being made

    def has(self, name: str) -> bool:
        """Whether the function is there at all."""
        return name in self.subject.inventory and name not in self.gone

    def known(self, name: str) -> Known:
        """Where and how a function is defined."""
        return self.subject.inventory[name]

    def random(self, salt: int = 0) -> np.random.Generator:
        """A generator for one probe's inputs: fresh in each examination, the same when it is repeated."""
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
        self.exam.fine[self.function] = self.verdict == "right"
        self.exam.findings += self.findings

    def _add(
        self, verdict: str, key: str, evidence: str, named: bool, line: int, words: dict[str, str]
    ) -> None:
        if self.found(key):
            return
        known = self.exam.subject.inventory.get(self.function)
        fault = describe(self.topic, key, {**self.words, **words})
        self.verdict = worse(self.verdict, verdict)
        self.findings.append(
            Finding(
                function=self.function,
                verdict=verdict,
                fault=f"{self.function}.{key}" if verdict in ("wrong", "right") else "",
                sentence=fault.sentence,
                derivation=fault.line,
                evidence=evidence,
                cell=fault.cell,
                severity=fault.severity if verdict in ("wrong", "right") else "none",
                hints=fault.hints,
                named=named,
                file=known.file if known else "",
                line=line or (known.line if known else 0),
            )
        )

    # calls

    def call(self, name: str, *args: Any, keep: Any = (), seed: int | None = None) -> Outcome:
        """Call a function of the subject; raises Failed where it raised."""
        outcome = self.exam.subject.call(name, *args, keep=keep, numpy_seed=seed)
        if outcome.error is not None:
            if _is_starter(outcome.error):
                raise Unwritten
            raise Failed(outcome.error)
        if unreadable(name, outcome.value):
            self.wrong("odd_result", f"{name} returned {told(outcome.value)}")
            raise Settled
        return outcome

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
        """The value as an array of the right shape and kind; a finding, and Settled, where it is none."""
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
    ) -> bool:
        """Judge a value by a family of alternatives, on every draw; True when it is right.

        Where a call raises, the same is asked with all sizes equal (`square`), where sums over a wrong axis
        broadcast instead of failing.
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
    except Failed as failure:
        known = (
            "integer_division"
            if "cannot be interpreted as an integer" in failure.raised.message
            else ""
        )
        case.wrong(
            known or "raises", str(failure.raised), named=bool(known), line=failure.raised.line
        )
    case.close()


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


def _is_starter(raised: Raised) -> bool:
    """Whether the starter's own code raised, around the place that is still to be filled."""
    casts_nothing = (
        raised.type == "AttributeError"
        and raised.message == "'NoneType' object has no attribute 'astype'"
    )
    return raised.type == "NotImplementedError" or casts_nothing


def _told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"one array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values"
    return f"{type(value).__name__} {value!r}"[:80]
