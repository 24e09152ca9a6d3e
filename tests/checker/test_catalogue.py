"""The catalogue and the questions belong together: no formula without words, no words that nothing can say."""

import ast
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

from normlab.checker import coefficients, diagnose, exam, mistakes, probes, terms
from normlab.checker.family import Family
from normlab.checker.mistakes import CATALOGUE
from normlab.checker.mistakes.record import Mistake
from normlab.checker.probes import net_regularization

MODULES = [
    importlib.import_module(f"{probes.__name__}.{m.name}")
    for m in pkgutil.iter_modules(probes.__path__)
]
SOURCES = [Path(module.__file__) for module in (*MODULES, exam, diagnose, coefficients)]


def families():
    """Every family that a probe holds, also inside a rule's record."""
    found = {}

    def look(value, depth=0):
        if isinstance(value, Family):
            found[id(value)] = value
        elif depth < 3 and isinstance(value, (tuple, list)):
            for item in value:
                look(item, depth + 1)
        elif depth < 3 and isinstance(value, dict):
            for item in value.values():
                look(item, depth + 1)

    for module in MODULES:
        look({name: value for name, value in vars(module).items() if not name.startswith("__")})
    return list(found.values())


FAMILIES = families()
ENTRIES = {(topic, key): m for topic, entries in CATALOGUE.items() for key, m in entries.items()}


def literals():
    """The keys that are given to `case.wrong`, `case.remark` and the like, or stand in a probe's own tables."""
    named, strings = set(), set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("wrong", "remark", "unwritten")
            ):
                named |= {n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)}
    return {n for n in named if isinstance(n, str)}, strings


NAMED, STRINGS = literals()
REGRESSED = {slot for slot in ("share", "factor", "axes")}
"""Slots that a probe reads itself: multiples of a regularization, and axes of an image."""


def is_asked(mistake):
    """Whether a family, the regression on terms, or a probe by name can come to this mistake."""
    in_family = any(
        mistake is m and any(way and way.keys() <= family.right.keys() for way in m.ways)
        for family in FAMILIES
        for m in family.mistakes
    )
    in_terms = bool(mistake.leaves) or any(
        way and way.keys() <= terms.RIGHT.keys() for way in mistake.ways
    )
    by_slot = any(way.keys() <= REGRESSED for way in mistake.ways if way)
    return in_family or in_terms or by_slot or mistake.key in STRINGS


def test_there_are_families():
    assert len(FAMILIES) >= 20
    assert len(ENTRIES) >= 380


@pytest.mark.parametrize("entry", ENTRIES, ids=".".join)
def test_every_entry_can_be_come_to(entry):
    assert is_asked(ENTRIES[entry])


def test_every_mistake_of_a_family_has_an_entry_and_a_slot():
    entries = {id(m) for m in ENTRIES.values()}
    for family in FAMILIES:
        for m in family.mistakes:
            assert id(m) in entries, m.key
    slots = {slot for family in FAMILIES for slot in family.right} | set(terms.RIGHT) | REGRESSED
    for m in ENTRIES.values():
        for way in m.ways:
            assert way.keys() <= slots if way else True, (m.key, way.keys() - slots)


def test_every_key_that_a_probe_says_has_an_entry():
    keys = {key for _, key in ENTRIES}
    assert not {key for key in NAMED - keys if key.islower() and " " not in key and "_" in key}
    assert {key for key, _ in net_regularization.FORMS} <= keys


def test_a_word_of_the_catalogue_is_never_left_open():
    for m in ENTRIES.values():
        if m.key != "right":
            assert m.where, m.key
            assert m.tried, m.key
            assert m.asked, m.key


def test_a_mistake_needs_nothing_but_its_record():
    toy = Mistake(
        "toy",
        "adds one",
        "Nothing is added.",
        where="Look.",
        tried="Try.",
        wrong={"value": lambda x: x + 1},
    )
    family = Family({"value": lambda x: x}, (toy,), lambda draw, pick: pick["value"](draw))
    draws = [np.arange(3.0), np.arange(4.0)]
    assert family.explain([(d, d + 1) for d in draws]) == ("toy",)
    assert family.explain([(d, d) for d in draws]) == ()
    assert family.explain([(d, d + 2) for d in draws]) is None


def test_two_mistakes_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two mistakes"):
        mistakes.by_key((Mistake("a", "one"),), (Mistake("a", "other"),))
