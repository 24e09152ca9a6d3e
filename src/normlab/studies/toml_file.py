"""A study as a TOML file: grid, measures, panels and simple claims, and no code, so that it can be passed on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from normlab.errors import OptionError, did_you_mean, quoted
from normlab.studies.axes import Axis, over, over_field, over_norms
from normlab.studies.spec import Claim, Grid, Heat, Lines, Quantity, Reason
from normlab.studies.study import Study

_TOP = ("name", "title", "question", "seeds", "most_seeds", "measures", "leaves_out", "literature")
_TABLES = ("fixed", "axis", "figure", "claim", "answer")
_AXIS = ("name", "norms", "groups", "field", "values", "settings", "title", "label")


def study_of(text: str, edition: str) -> Study:
    """The study that a TOML text describes. Raises OptionError with a sentence for what is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"it is not TOML: {error}") from error
    _known("the file", table, (*_TOP, *_TABLES))
    for name in ("name", "title", "question", "measures", "axis"):
        if name not in table:
            raise OptionError(
                f"{name} is missing; `normlab study new FILE.toml` writes a template that has it"
            )
    axes = tuple(
        _axis(each, f"[[axis]] number {n}") for n, each in enumerate(_tables(table, "axis"), 1)
    )
    fixed = {
        name: _tupled(value) for name, value in _mapping(table.get("fixed", {}), "[fixed]").items()
    }
    return Study(
        name=table["name"],
        title=table["title"],
        question=table["question"],
        grids=(Grid(fixed={"test": True, **fixed}, axes=axes),),
        measures=tuple(table["measures"]),
        figure=tuple(_panel(each, n) for n, each in enumerate(_tables(table, "figure"), 1)),
        claims=tuple(_claim(each, n) for n, each in enumerate(_tables(table, "claim"), 1)),
        answer=tuple(_record(Reason, each, "[[answer]]") for each in _tables(table, "answer")),
        seeds=table.get("seeds", 10),
        most_seeds=table.get("most_seeds", max(table.get("seeds", 10), 40)),
        leaves_out=table.get("leaves_out", ""),
        literature=tuple(table.get("literature", ())),
        edition=edition,
    )


def _axis(table: Mapping[str, Any], where: str) -> Axis:
    _known(where, table, _AXIS)
    given = [name for name in ("norms", "field", "settings") if name in table]
    if len(given) != 1:
        raise OptionError(
            f'{where} must say one of: norms = [...]; field = "..." with values = [...]; or settings = '
            f"{{value = {{field = ...}}}}; it says {quoted(given) or 'none of them'}"
        )
    title, label = table.get("title", ""), table.get("label", "{}")
    if "norms" in table:
        names = [None if name in ("none", "no norm") else name for name in table["norms"]]
        return over_norms(*names, groups=table.get("groups", 5))
    name = table.get("name", "")
    if not name:
        raise OptionError(f"{where} has no name")
    if "field" in table:
        return over_field(
            name, table["field"], tuple(map(_tupled, table.get("values", ()))), title, label
        )
    settings = {
        value: {field: _tupled(set_to) for field, set_to in fields_.items()}
        for value, fields_ in table["settings"].items()
    }
    return over(name, settings, title, label)


def _panel(table: Mapping[str, Any], number: int) -> Lines | Heat:
    kind = Heat if "y" in table else Lines
    panel: Lines | Heat = _record(kind, table, f"[[figure]] number {number}")
    return panel


def _claim(table: Mapping[str, Any], number: int) -> Claim:
    where = f"[[claim]] number {number}"
    table = dict(table)
    for side in ("left", "right"):
        if side in table:
            table[side] = _quantity(table[side], f"{where}, {side}")
    claim: Claim = _record(Claim, {"right": None, **table}, where)
    return claim


def _quantity(table: Any, where: str) -> Quantity:
    table = dict(_mapping(table, where))
    if "minus" in table:
        table["minus"] = _quantity(table["minus"], f"{where}, minus")
    quantity: Quantity = _record(Quantity, table, where)
    return quantity


def _record(kind: type[Any], table: Mapping[str, Any], where: str) -> Any:
    """A record from a table: every field known, none missing."""
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}
    table = _mapping(table, where)
    _known(where, table, known)
    missing = [
        name
        for name, item in known.items()
        if name not in table and item.default is MISSING and item.default_factory is MISSING
    ]
    if missing:
        raise OptionError(f"{where} has no {', no '.join(missing)}")
    return kind(**{name: _tupled(value) for name, value in table.items()})


def _known(where: str, table: Mapping[str, Any], names: Any) -> None:
    for name in table:
        if name not in names:
            raise OptionError(
                f"{where} has {name!r}, which means nothing here{did_you_mean(name, names)}"
            )


def _tables(table: Mapping[str, Any], name: str) -> list[Any]:
    found = table.get(name, [])
    if not isinstance(found, list):
        raise OptionError(f"write [[{name}]] with two brackets: there may be several")
    return found


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionError(f'{where} is {value!r}; expected a table, such as {{ name = "value" }}')
    return value


def _tupled(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tupled, value))
    return value
