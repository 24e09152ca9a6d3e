"""Findings drawn: one self-contained page, and the same figures as SVG and PNG."""

from normlab.report.output import write

__all__ = ["write"]
