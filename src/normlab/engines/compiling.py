"""The compiled engine: whole trainings as compiled code, one net a core.

A float32 run is compiled from the first step to the last (`compiled`). Its first loss is the
reference's to 1e-6; later losses differ as much as those of two reference runs whose weights differ
in the last bit, since float32 training amplifies rounding. A float64 run, or one with a setting
that is not compiled, is the reference's own arithmetic with compiled update rules (`exact`), and
agrees to the bit. Where the compiled code comes from, `library` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from normlab.engines import library, reference
from normlab.engines.engine import Engine
from normlab.specs import History, RunSpec, added_settings

if TYPE_CHECKING:
    from normlab.data.dataset import Dataset
    from normlab.nets import FullyConnectedNet, Net

# What is compiled, by name; runs with other rules, norms and activations are left to the Solver.
COMPILED_RULES = ("sgd", "sgd_momentum", "rmsprop", "adam")
COMPILED_NORMS = {
    None: 0, "batchnorm": 1, "layernorm": 2, "groupnorm": 2, "rmsnorm": 3, "dyt": 4, "derf": 5,
}  # fmt: skip
SQUASHED = COMPILED_NORMS["dyt"]  # from this on, they take no statistics
COMPILED_ACTIVATIONS = {"relu": 0, "sigmoid": 1, "tanh": 2}
RESIDUALS = {None: 0, "pre-norm": 1, "post-norm": 2}
COMPILED_SETTINGS: frozenset[str] = frozenset({
    "data.split", "training.inputs", "training.weight_decay", "training.schedule",
    "training.warmup_epochs", "training.test", "net.eps", "net.activation", "net.start",
    "net.residual", "net.ghost_batch", "net.statistics", "net.norm_noise", "net.norm_momentum",
})  # fmt: skip
"""Of the settings added after version 1, those that are compiled, by their paths; likewise."""


def why_not() -> str | None:
    """Why there is no compiled engine here, as a sentence for whoever asked for it; None where there is one."""
    missing = library.why_not()
    return missing and f"the compiled engine cannot run here: {missing}; use engine='reference'"


def compiles(spec: RunSpec) -> bool:
    """Whether a run is compiled as a whole. Otherwise it is the Solver's with compiled update rules."""
    return (
        min(spec.data.num_train, spec.data.num_val) > 0
        and added_settings(spec).keys() <= COMPILED_SETTINGS
        and spec.net.dtype == "float32"
        and spec.net.normalization in COMPILED_NORMS
        and spec.net.activation in COMPILED_ACTIVATIONS
        and spec.training.update_rule in COMPILED_RULES
    )


def explain(spec: RunSpec) -> str:
    """How a run is trained, and how its history compares with the reference's."""
    if compiles(spec):
        return (
            f"compiled from the first step to the last ({library.describe()}); the same draws and "
            "the same formulas as the reference, whose float32 sums it adds in another order: the "
            "first loss agrees to 1e-6, later ones as well as those of two reference runs whose "
            "initial weights differ in their last bit"
        )
    return (
        f"exact: the reference's Solver with compiled update rules ({library.describe()}), so that "
        "every loss is the reference's to the bit; another order of rounding would not keep 1e-9 "
        "on nets that amplify it, such as batch norm on tiny batches"
    )


def train(spec: RunSpec, data: Dataset, model: Net | None = None) -> History:
    """The reference's history, sooner: float64 to the bit, float32 as near as rounding lets training be."""
    if compiles(spec):
        return train_compiled(spec, data, cast("FullyConnectedNet | None", model))
    solver = reference.solver_for(spec, data)
    speed_up(solver)
    return reference.train_solver(solver, model)


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
    """Let a Solver take a compiled update rule, which rounds as the reference's does: the same
    bits, sooner.

    A rule that is not compiled stays as it is.
    """
    from normlab.engines.exact import UPDATE_RULES

    solver.update = UPDATE_RULES.get(solver.update_rule, solver.update)


COMPILED = Engine(
    name="compiled",
    title="whole trainings as compiled code",
    why_not=why_not,
    takes=reference.takes,
    train=train,
    explain=explain,
    provenance=lambda: {"compiled": library.provenance()},
    former_name="fast",
)
