"""The fast engine: whole trainings as compiled code, one net a core.

A float32 run is compiled from the first step to the last (`compiled`). Its first loss is the book's to 1e-6; after that
training amplifies the rounding, and its losses stray from the book's as far as the book's own do when its initial
weights are changed in their last bit. A float64 run, or one with a rule that is not compiled, is the book's own
arithmetic with compiled passes over memory (`exact`), and agrees to the bit. Numba is loaded on first use; without it,
the book does all.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from normlab.specs import History, RunSpec, added_settings

if TYPE_CHECKING:
    from normlab.data.dataset import Dataset
    from normlab.nets import FullyConnectedNet

__all__ = ["COMPILED_NORMS", "COMPILED_RULES", "compiles", "explain_engine", "speed_up", "train_compiled", "why_not"]

COMPILED_RULES = ("sgd", "sgd_momentum", "rmsprop", "adam")  # others are left to the Solver
COMPILED_NORMS = {None: 0, "batchnorm": 1, "layernorm": 2, "groupnorm": 2, "rmsnorm": 3}  # likewise


def why_not() -> str | None:
    """Why there is no fast engine here, as a sentence for whoever asked for it; None where there is one."""
    if importlib.util.find_spec("numba") is None:
        return "the fast engine needs Numba, which is not installed: pip install 'normlab[fast]', or engine='book'"
    from normlab.engines.processor import HAS_FUSED_MULTIPLY_ADD

    if not HAS_FUSED_MULTIPLY_ADD:
        return "the fast engine needs a processor with fused multiply-add, which this one has not; use engine='book'"
    return None


def compiles(spec: RunSpec) -> bool:
    """Whether a run is compiled as a whole. Otherwise it is the Solver's, sped up, or refused in its words."""
    possible = min(spec.data.num_train, spec.data.num_val) > 0 and not (
        spec.net.normalization == "batchnorm" and spec.training.batch_size == 1
    )
    return (
        possible
        and not added_settings(spec)
        and spec.net.dtype == "float32"
        and spec.net.normalization in COMPILED_NORMS
        and spec.training.update_rule in COMPILED_RULES
    )


def explain_engine(spec: RunSpec) -> str:
    """How engine='auto' would train a run, and how its history compares with the book's.

    >>> from normlab.specs import NetSpec
    >>> print(explain_engine(RunSpec(NetSpec((50, 50), dtype="float64"))).partition(":")[0])
    exact
    """
    missing = why_not()
    if missing is not None:
        return f"book: {missing}"
    if compiles(spec):
        return (
            "fast: compiled from the first step to the last; the same draws and the same formulas as the book, "
            "whose float32 sums it adds in another order: the first loss agrees to 1e-6, later ones as well as those "
            "of two runs by the book whose initial weights differ in their last bit"
        )
    return (
        "exact: the book's Solver with compiled update rules, so that every loss is the book's to the bit; "
        "another order of rounding would not keep 1e-9 on nets that amplify it, such as batch norm on tiny batches"
    )


def train_compiled(spec: RunSpec, data: Dataset, model: FullyConnectedNet | None = None) -> History:
    """The history of a run that `compiles`; `model`, if given, is left with the best parameters on validation data."""
    from normlab.engines import compiled, layout, parameters

    best = -1.0

    def keep_the_best(val_acc: float, net: layout.Net, state: layout.State) -> None:
        nonlocal best
        if model is not None and val_acc > best:
            best = val_acc
            parameters.put_into(model, net, state)

    return compiled.train_compiled(spec, data, keep_the_best)


def speed_up(solver: Any) -> None:
    """Let a Solver take a compiled update rule, which rounds as the book's does: the same bits, sooner.

    A rule that is not compiled stays as it is.
    """
    from normlab.engines.exact import UPDATE_RULES

    solver.update = UPDATE_RULES.get(solver.update_rule, solver.update)
