"""Mutation testing's figures, and the surviving mutants that nobody has explained.

    mutmut run
    python -m proof.mutation [--survivors]

Run from the project's root, after `mutmut run`. Prints a line a file; then each surviving mutant
whose changed line does not stand in docs/mutation.md (with --survivors: every one). Exits with
status 1 if there is an unexplained one, or if a mutant has not been tried.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

MUTANTS = Path("mutants")
EXPLANATIONS = Path("docs/mutation.md")


def verdicts() -> dict[Path, dict[str, str]]:
    """For each mutated file, in the order of their names: the verdict on each of its mutants."""
    from mutmut.stats import status_by_exit_code

    found = {}
    for meta in sorted(MUTANTS.rglob("*.py.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        if codes:
            source = meta.relative_to(MUTANTS).with_suffix("")
            found[source] = {mutant: status_by_exit_code[code] for mutant, code in codes.items()}
    return found


def change(mutant: str, source: Path) -> tuple[str, str]:
    """What the mutant has lost and gained, each on one line."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = [
        line
        for line in get_diff_for_mutant(mutant, path=source).splitlines()
        if line[:3] not in ("---", "+++")
    ]
    lost, gained = ([line[1:].strip() for line in lines if line.startswith(sign)] for sign in "-+")
    return " ".join(lost), " ".join(gained)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--survivors", action="store_true", help="print every survivor, explained or not"
    )
    asked = parser.parse_args()
    found = verdicts()
    if not found:
        sys.exit(f"no mutants under {MUTANTS}/: run `mutmut run` first, from the project's root")
    explained = EXPLANATIONS.read_text()

    print("| file | mutants | killed | timed out | survived | score |")
    print("|---|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for source, by_mutant in found.items():
        count = Counter(by_mutant.values())
        total += count
        print(row(f"`{source.relative_to('src/normlab')}`", count))
    print(row("all", total))

    left = 0
    for source, by_mutant in found.items():
        for mutant, verdict in by_mutant.items():
            if verdict in ("killed", "timeout"):
                continue
            lost, gained = change(mutant, source)
            unexplained = verdict != "survived" or gained not in explained
            left += unexplained
            if unexplained or asked.survivors:
                print(
                    f"\n{mutant}: {verdict}{', unexplained' * unexplained}\n    - {lost}\n    + "
                    f"{gained}"
                )
    print(f"\n{left} mutants neither killed nor explained")
    return 1 if left else 0


def row(name: str, count: Counter[str]) -> str:
    """A line of the table; a mutant that ran into the time limit was noticed, like a killed one."""
    noticed, tried = count["killed"] + count["timeout"], count.total()
    cells = (
        name,
        tried,
        count["killed"],
        count["timeout"],
        tried - noticed,
        f"{100 * noticed / tried:.1f} %",
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
