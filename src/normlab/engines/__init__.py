"""The engines: each a record of how a RunSpec becomes a History.

To add an engine, write a file that ends in its record, and add one line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from normlab import machine, randomness
from normlab.data.prepared import prepared
from normlab.engines.compiling import COMPILED as COMPILED
from normlab.engines.engine import Engine
from normlab.engines.reference import REFERENCE as REFERENCE
from normlab.engines.reference import net_for, solver_for
from normlab.errors import OptionError, not_one_of
from normlab.specs import History, RunSpec, replace

if TYPE_CHECKING:
    from normlab.data.dataset import Dataset
    from normlab.nets import Net

__all__ = [
    "AUTO",
    "BY_NAME",
    "COMPILED",
    "REFERENCE",
    "Engine",
    "explain_engine",
    "pick",
    "solver_for",
    "train",
    "trained_net",
]

BY_NAME: dict[str, Engine] = {
    engine.name: engine for engine in tuple(globals().values()) if isinstance(engine, Engine)
}
AUTO = (COMPILED, REFERENCE)
"""What engine='auto' tries, in this order: the first that runs here and takes the run."""


_made_with: dict[
    str, machine.Provenance
] = {}  # asking for it takes milliseconds: once a process and engine


def pick(name: str | Engine, spec: RunSpec | None = None) -> Engine:
    """The engine of this name, or the one that 'auto' stands for here, and for this run.

    An engine itself may be given in place of its name.

    Raises OptionError for a name that is none, an engine that cannot run here, and a run it does
    not take.

    >>> pick("reference").title
    "the reference layers under the assignment's Solver"
    """
    former = {engine.former_name: engine for engine in BY_NAME.values()}
    if not isinstance(name, str | Engine):
        raise not_one_of("engine", name, ("auto", *BY_NAME))
    found = name if isinstance(name, Engine) else BY_NAME.get(name) or former.get(name)
    if name != "auto" and found is None:
        raise not_one_of("engine", name, ("auto", *BY_NAME))
    reasons = []
    for engine in AUTO if found is None else (found,):
        missing = engine.why_not()
        refused = engine.takes(spec) if missing is None and spec is not None else None
        if missing is None and refused is None:
            return engine
        reasons.append(missing or f"the {engine.name} engine cannot train this run: {refused}")
    raise OptionError(reasons[-1])


def explain_engine(spec: RunSpec) -> str:
    """How engine='auto' would train a run, and how its history compares with the reference's.

    >>> from normlab.specs import NetSpec
    >>> print(explain_engine(RunSpec(NetSpec((50, 50), dtype="float64"))).partition(":")[0])
    compiled
    """
    if not isinstance(spec, RunSpec):
        raise OptionError(f"spec is a {type(spec).__name__}; expected a RunSpec")
    missing = [engine.why_not() for engine in AUTO]
    chosen = next(engine for engine, reason in zip(AUTO, missing, strict=True) if reason is None)
    instead = next((f" ({reason})" for reason in missing if reason is not None), "")
    return f"{chosen.name}: {chosen.explain(spec)}{instead}"


def train(engine: str | Engine, spec: RunSpec, data: Dataset, model: Net | None = None) -> History:
    """A run's history from an engine, with what it was made with; BLAS works on one thread."""
    engine = pick(engine, spec)
    with machine.one_blas_thread():
        history = engine.train(spec, prepared(spec, data), model)
        if engine.name not in _made_with:
            _made_with[engine.name] = machine.made_here(engine.provenance())
    return replace(history, engine=engine.name, provenance=_made_with[engine.name])


def trained_net(spec: RunSpec, data: Dataset, engine: str = "auto") -> tuple[History, Net]:
    """A run's history and its net, which holds the best parameters on validation data."""
    model = net_for(spec, randomness.generator(spec.seed))
    return train(engine, spec, data, model), model
