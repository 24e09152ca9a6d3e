"""Cold start: what the first run after installation takes more than the next.

With a ready-made library there is nothing to compile; where the package brings none, one is made.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from normlab.data import load
from normlab.machine import available_cores
from normlab.request_server import NoAnswerError
from normlab.specs import NetSpec, RunSpec, TrainingSpec
from proof.bench.processes import clean_environment, measuring
from proof.bench.spread import spread

__all__ = ["cold_start"]

CACHE = "NORMLAB_CACHE"


def cold_start(
    rounds: int, studies: str, seeds: int, tell: Callable[[str], object]
) -> dict[str, Any]:
    """`normlab reproduce` with an empty compile cache and again with the full one; and the compilation alone."""
    words = ["reproduce", "--studies", studies, "--seeds", str(seeds)]
    cold, warm, compiling, loading = [], [], [], []
    for _ in range(rounds):
        with TemporaryDirectory() as folder:
            cold.append(_seconds(words, Path(folder), "cold"))
            warm.append(_seconds(words, Path(folder), "warm"))
            tell(f"normlab {' '.join(words)}: {cold[-1]:.1f} s cold, {warm[-1]:.1f} s warm")
        with TemporaryDirectory() as folder:
            compiling.append(_first_run(Path(folder)))
            loading.append(_first_run(Path(folder)))
            tell(
                f"the first run: {compiling[-1]:.1f} s more than the next, from the cache "
                f"{loading[-1]:.2f} s more"
            )
    extra = [first - second for first, second in zip(cold, warm, strict=True)]
    return {
        "command": f"normlab {' '.join(words)}",
        "cold": cold,
        "warm": warm,
        "extra": extra,
        "extra_seconds": spread(extra).median,
        "compiling": compiling,
        "loading": loading,
        "what": f"normlab {' '.join(words)}; compilation alone {spread(compiling).median:.1f} s",
    }


def _seconds(words: list[str], folder: Path, name: str) -> float:
    """How long a command takes with its compile cache in the folder."""
    command = [sys.executable, "-m", "normlab.cli", *words, "--quiet", "--out", str(folder / name)]
    environment = clean_environment(available_cores()) | {CACHE: str(folder / "cache")}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise NoAnswerError(
            f"`normlab {' '.join(words)}` ended with {done.returncode}: {said[-1] if said else ''}"
        )
    return time.perf_counter() - began


def _first_run(folder: Path) -> float:
    """How much longer the first short run of a process takes than its second."""
    data = load("digits")
    net = NetSpec((20, 20), "batchnorm")
    specs = [
        RunSpec(net, TrainingSpec(num_epochs=1), data.spec, seed).to_json() for seed in range(2)
    ]
    with measuring(
        "normlab", {"engine": "compiled", "workers": 1}, environment={CACHE: str(folder)}
    ) as child:
        child.ask("prepare", specs=specs, data="digits", data_dir=None)
        times = []
        for net_number in range(2):
            child.send("train", nets=[net_number])
            times.append(child.receive()["seconds"])
    return float(times[0] - times[1])
