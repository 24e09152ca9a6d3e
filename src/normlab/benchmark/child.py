"""A process that measures one thing, in an environment of its own: `python -m normlab.benchmark.child NAME OPTIONS`.

It reads a request a line from standard input and writes a reply a line: JSON, and nothing else, so whatever a library
prints goes to standard error. It ends when its input ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from normlab.benchmark.trainers.draws import Trainer
from normlab.specs import RunSpec


def make(name: str, options: dict[str, Any]) -> Trainer:
    """The trainer of that name; its library is loaded here and nowhere else."""
    match name:
        case "normlab":
            from normlab.benchmark.trainers.in_normlab import NormlabTrainer

            return NormlabTrainer(**options)
        case "numpy":
            from normlab.benchmark.trainers.in_numpy import NumpyTrainer

            return NumpyTrainer(**options)
        case "pytorch":
            from normlab.benchmark.trainers.in_pytorch import PytorchTrainer

            return PytorchTrainer(**options)
        case "jax":
            from normlab.benchmark.trainers.in_jax import JaxTrainer

            return JaxTrainer(**options)
    raise ValueError(f"there is no trainer {name!r}")


class Training:
    """What a child does that trains."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.trainer = make(name, options)

    def prepare(self, specs: list[str], data: str, data_dir: str | None) -> None:
        from normlab.data import load

        self.trainer.prepare([RunSpec.from_json(text) for text in specs], load(data, data_dir))

    def compile(self, nets: list[int]) -> None:
        self.trainer.compile(nets)

    def train(self, nets: list[int]) -> list[Any]:
        return list(self.trainer.train(nets))


def performer(name: str, options: dict[str, Any]) -> Any:
    """The object whose methods are the requests."""
    match name:
        case "peaks":
            from normlab.benchmark.peaks import Peaks

            return Peaks(**options)
        case "kernels-normlab":
            from normlab.benchmark.kernels.ours import OurKernels

            return OurKernels(**options)
        case "kernels-pytorch":
            from normlab.benchmark.kernels.pytorch import PytorchKernels

            return PytorchKernels(**options)
        case "sweeps":
            from normlab.benchmark.memory import Sweeps

            return Sweeps(**options)
    return Training(name, options)


def main() -> None:
    name, options = sys.argv[1], json.loads(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not an answer

    def answer(work: Callable[[], Any]) -> None:
        try:
            began = time.perf_counter()
            reply = {"result": work(), "seconds": time.perf_counter() - began}
        except Exception as error:
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()

    doer: Any = None

    def begin() -> None:
        nonlocal doer
        doer = performer(name, options)

    answer(begin)
    for line in sys.stdin:
        request = json.loads(line)
        answer(lambda request=request: getattr(doer, request.pop("do"))(**request))  # type: ignore[misc]


if __name__ == "__main__":
    main()
