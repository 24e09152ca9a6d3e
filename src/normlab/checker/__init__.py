"""The checker: give it your own layers, and it names the term of the derivation that is wrong.

>>> from normlab.checker import check
>>> import normlab.layers
>>> report = check({"relu_forward": normlab.layers.relu_forward})
>>> report.functions
{'relu_forward': 'right'}
"""

from __future__ import annotations

from typing import Any

from normlab.checker.api import check
from normlab.checker.derivations import explain
from normlab.checker.findings import Finding, Report

__all__ = ["Finding", "Report", "check", "explain"]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext normlab.checker` gives a notebook the cell magic `%%check`."""
    from normlab.checker.magic import register

    register(shell)
