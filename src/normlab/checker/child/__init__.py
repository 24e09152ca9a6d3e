"""What runs beside a person's code, in the other process.

No answers, no formulas, NumPy and the standard library only.

This folder is imported twice: as `normlab.checker.child` by the parent, which shares its frames,
and as `child` by the fresh interpreter that loads the person's file and must not see the rest of
the house.
"""
