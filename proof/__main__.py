"""`python -m proof`: every promise of normlab, measured on this machine."""

from __future__ import annotations

import typer

from normlab.cli import run
from normlab.cli.selftest import Full, Only, Out, measure
from normlab.selftest.run import PARTS

ALL_PARTS = {
    **PARTS,
    "conformance": "proof.conformance",
    "conversion": "proof.round_trips",
    "files": "proof.hostile.measuring",
    "crashes": "proof.crashes",
}
"""The module of each area, those of `normlab selftest` first."""


def proof(full: Full = False, only: Only = None, out: Out = None) -> None:
    """Measure every promise on this machine: what is promised, what was found, PyTorch beside it.

    Areas: numerics, determinism, conformance, conversion, files, crashes.
    Exit code: 0 every promise that was measured holds, 1 one is broken.
    """
    measure(ALL_PARTS, "python -m proof", full, only or (), out)


def main() -> None:
    """The program."""
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)
    app.command()(proof)
    run(app, "python -m proof")


if __name__ == "__main__":
    main()
