"""Forwarding address of the assignment's Solver, which lives in `normlab.solver`."""

from normlab.solver import Solver

__all__ = ["Solver"]
