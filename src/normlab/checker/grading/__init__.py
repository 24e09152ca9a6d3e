"""Grading: other people's submissions, each in a sandbox, by a rubric, into one table."""

from __future__ import annotations

from normlab.checker.grading.autograders import gradescope, require
from normlab.checker.grading.judging import Progress, grade, grade_one
from normlab.checker.grading.records import Graded
from normlab.checker.grading.rubric import Rubric

__all__ = ["Graded", "Progress", "Rubric", "grade", "grade_one", "gradescope", "require"]
