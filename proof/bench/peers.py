"""Who is compared: each peer's trainer, how many processes it takes, and what must be installed for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from normlab import engines
from normlab.errors import not_one_of
from normlab.machine import available_cores

__all__ = ["OURS", "PEERS", "Peer", "peers_named", "why_missing"]


@dataclass(frozen=True)
class Peer:
    """One way to train a study, to be timed."""

    name: str
    title: str
    trainer: str
    options: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    needs: str | None = None
    """The package that must be installed."""
    compiles: bool = False
    """Whether each process compiles anew what it trains; measured apart."""
    whole: bool = False
    """Whether its time is not so much a net: it always trains all of them."""
    settings: tuple[int, ...] = (1,)
    """Numbers of threads a process among which the best is taken, by trial."""


def _peers() -> list[Peer]:
    cores = available_cores()
    tried = tuple(dict.fromkeys((1, cores)))
    both = f"{cores} processes"
    return [
        Peer(
            "fast", f"normlab, {cores} workers", "normlab", {"engine": "compiled", "workers": cores}, cores, whole=True
        ),
        Peer("fast-one", "normlab, 1 worker", "normlab", {"engine": "compiled", "workers": 1}),
        Peer("book", f"the reference, {cores} workers", "normlab", {"engine": "reference", "workers": cores}, cores),
        Peer("course", "course-style NumPy, one process", "numpy", settings=tried),
        Peer("course-many", f"course-style NumPy, {both}", "numpy", processes=cores),
        Peer("torch", "PyTorch eager, default Adam, one process", "pytorch", {"fused": False}, 1, "torch",
             settings=tried),
        Peer("torch-fused", "PyTorch eager, fused Adam, one process", "pytorch", {"fused": True}, 1, "torch",
             settings=tried),
        Peer("torch-fused-many", f"PyTorch eager, fused Adam, {both}", "pytorch", {"fused": True}, cores, "torch"),
        Peer("torch-compile", "torch.compile, fused Adam, one process", "pytorch", {"fused": True, "compiled": True}, 1,
             "torch", compiles=True, settings=tried),
        Peer("torch-compile-many", f"torch.compile, fused Adam, {both}", "pytorch", {"fused": True, "compiled": True},
             cores, "torch", compiles=True),
        Peer("jax-map", "JAX jit of lax.map, one process", "jax", {"over": "map"}, 1, "jax", compiles=True, whole=True,
             settings=tried),
        Peer("jax-map-many", f"JAX jit of lax.map, {both}", "jax", {"over": "map"}, cores, "jax", compiles=True,
             whole=True),
        Peer("jax-vmap", "JAX jit of vmap, one process", "jax", {"over": "vmap"}, 1, "jax", compiles=True, whole=True,
             settings=tried),
    ]  # fmt: skip


PEERS = {peer.name: peer for peer in _peers()}
OURS = "fast"


def peers_named(names: Iterable[str] | None) -> list[Peer]:
    """The peers of these names, normlab first; all of them without names. Raises OptionError for others."""
    if names is None:
        return list(PEERS.values())
    names = list(dict.fromkeys((OURS, *names)))
    for name in names:
        if name not in PEERS:
            raise not_one_of("peer", name, PEERS)
    return [PEERS[name] for name in names]


def why_missing(peer: Peer) -> str | None:
    """Why a peer cannot be measured here; None where it can."""
    if peer.options.get("engine") == "compiled":
        return engines.COMPILED.why_not()
    if peer.needs is not None and find_spec(peer.needs) is None:
        return f"{peer.needs} is not installed: pip install 'normlab[peers]'"
    if peer.options.get("compiled") and _compiler() is None:
        return "torch.compile needs a C++ compiler, and none was found (CXX, g++, clang++)"
    return None


def _compiler() -> str | None:
    candidates = [os.environ.get("CXX"), "g++", "clang++"]
    return next((found for name in candidates if name and (found := shutil.which(name))), None)
