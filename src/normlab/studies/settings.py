"""What a study runs, in words."""

from __future__ import annotations

from collections.abc import Sequence

from normlab.studies.study import Study


def settings(study: Study) -> tuple[tuple[str, str], ...]:
    """What the study ran: for each grid its fixed settings and what varies."""
    described = []
    for number, part in enumerate(study.grids, start=1):
        varied = "; ".join(f"{axis.name}: {_listed(axis.values)}" for axis in part.axes)
        fixed = "; ".join(f"{name} {_plain(value)}" for name, value in part.fixed.items())
        tags = "; ".join(str(value) for value in part.tags.values())
        described.append(
            (
                f"Nets, part {number}" if len(study.grids) > 1 else "Nets",
                _joined(tags, varied, fixed),
            )
        )
    described += [("Operations", _listed(shown.axis.values)) for shown in study.demonstrations]
    return tuple(described)


def _joined(*parts: str) -> str:
    return ". ".join(part for part in parts if part) + "."


def _listed(values: Sequence[object]) -> str:
    if len(values) > 8:
        return f"{_plain(values[0])} to {_plain(values[-1])} in {len(values)} steps"
    return ", ".join(map(_plain, values))


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple):
        return f"{len(value)} × {value[0]}" if len(set(value)) == 1 else " ".join(map(str, value))
    return str(value)
