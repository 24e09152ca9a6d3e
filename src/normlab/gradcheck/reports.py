"""What a gradient check found: one verdict an argument, and sentences for the person who has to act on it."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from normlab.errors import MissingKeyError, quoted

RIGHT, ZERO, CORNER, UNCLEAR, WRONG = "right", "zero", "corner", "unclear", "wrong"

MEANINGS = {
    RIGHT: "agrees with the difference quotient.",
    ZERO: "formula and difference quotient both lie in the rounding noise: the true gradient is zero.",
    CORNER: "agrees wherever there is a gradient; the function has corners (a ReLU or hinge at 0).",
    UNCLEAR: "could not be judged.",
    WRONG: "differs from the difference quotient.",
}
NOT_COMPARED = "is no gradient that could be compared."


@dataclass(frozen=True)
class ArgumentCheck:
    """The finding for one argument.

    `direction_error` is the largest |<gradient, v> - difference quotient along v| over the random
    directions v, relative to the gradient's size; `allowed_error` what rounding and curvature
    explain. `worst`, the place of the largest error, is known where the coordinates were looked at,
    that is where a direction disagreed; `analytic`, `numeric` and `relative_error` (|a - n| / (|a|
    + |n|), the assignment's) belong to it.
    """

    name: str
    verdict: str
    direction_error: float
    allowed_error: float
    relative_error: float | None = None
    worst: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        """The formula was compared with the function, and nothing speaks against it."""
        return self.verdict in (RIGHT, ZERO, CORNER)

    def __str__(self) -> str:
        return "\n".join(_lines(self, len(self.name)))


@dataclass(frozen=True, repr=False)
class GradientReport:
    """One `ArgumentCheck` an argument, in their order, and how the comparison was made.

    `print(report)` reads as text; `report["gamma"]` is one finding; `report.ok` is the answer in
    one word.
    """

    arguments: tuple[ArgumentCheck, ...]
    method: str

    @property
    def ok(self) -> bool:
        return all(argument.ok for argument in self.arguments)

    def __getitem__(self, name: str) -> ArgumentCheck:
        for argument in self.arguments:
            if argument.name == name:
                return argument
        raise MissingKeyError(
            f"the report has no argument {name!r}; it has {quoted(a.name for a in self.arguments)}"
        )

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{each.name}: {each.verdict}" for each in self.arguments)
        return f"GradientReport({verdicts})"

    def _repr_html_(self) -> str:
        """The report as text, for notebooks."""
        return f"<pre>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        width = max(len(argument.name) for argument in self.arguments)
        body = [line for argument in self.arguments for line in _lines(argument, width)]
        return "\n".join([_headline(self.arguments), *body, self.method])


def _headline(arguments: tuple[ArgumentCheck, ...]) -> str:
    wrong = [argument.name for argument in arguments if argument.verdict == WRONG]
    unclear = [argument.name for argument in arguments if argument.verdict == UNCLEAR]
    if wrong:
        verdict = f"the gradient of {', '.join(wrong)} is wrong"
    elif unclear:
        verdict = f"no mistake found, but {', '.join(unclear)} could not be judged"
    else:
        verdict = "every gradient agrees with its function"
    return f"Gradient check: {verdict}."


def _lines(argument: ArgumentCheck, width: int) -> list[str]:
    measured = argument.verdict in (RIGHT, CORNER, WRONG) and math.isfinite(
        argument.direction_error
    )
    unmeasured = argument.verdict == WRONG and not math.isfinite(argument.direction_error)
    meaning = NOT_COMPARED if unmeasured else MEANINGS[argument.verdict]
    numbers = (
        f"direction error {argument.direction_error:.1e} (allowed {argument.allowed_error:.1e}): "
    )
    head = f"  {argument.name:<{width}}  {argument.verdict:<7} {numbers if measured else ''}"
    lines = [head + meaning]
    indent = " " * (width + 4)
    if argument.worst is not None:
        place = (
            f"{argument.name}[{', '.join(map(str, argument.worst))}]"
            if argument.worst
            else argument.name
        )
        lines.append(
            f"{indent}Worst at {place}: the formula gives {argument.analytic:.8g}, the difference "
            f"quotient {argument.numeric:.8g}, relative error {argument.relative_error:.2g}."
        )
    if argument.note:
        lines.append(f"{indent}{argument.note}")
    return lines
