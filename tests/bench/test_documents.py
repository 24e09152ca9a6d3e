"""What the documents quote is what the results file says."""

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


def test_the_readme_quotes_the_targets_of_the_latest_file() -> None:
    *_, targets = tables(load_results(FILES[-1]))
    assert markdown(targets).partition("\n\n")[2].strip() in (ROOT / "README.md").read_text(encoding="utf-8")
