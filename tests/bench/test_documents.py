"""What the documents quote is what the results file says."""

import re
from pathlib import Path

import pytest

from proof.bench.results import load_results
from proof.bench.tables import markdown, tables

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docs" / "benchmarks").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_tables_beside_a_results_file_are_its_own(path: Path) -> None:
    """Written by `python -m proof.bench show FILE.json --markdown > FILE.md`."""
    shown = "\n".join(markdown(table) for table in tables(load_results(path)))
    assert path.with_suffix(".md").read_text(encoding="utf-8").strip() == shown.strip()


def test_every_page_that_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(([\w./-]+)\)", text)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
