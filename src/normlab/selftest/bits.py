"""The bits of results, as digests: of norm layers, of fused kernels, of whole trainings. Called in a lean process."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from normlab import layers, machine
from normlab.nets import FullyConnectedNet
from normlab.selftest import small_sweep
from normlab.solver import Solver
from normlab.specs import History, replace
from normlab.sweep import train
from normlab.typing import Array, Generator

SHAPES = ((2, 2), (5, 3), (64, 100), (257, 33), (1000, 64))


def settings() -> dict[str, Any]:
    """What the record says that bits depend on, in this process."""
    described = machine.machine()
    with machine.one_blas_thread():
        pinned = machine.machine()["blas"]
    return {
        "blas": pinned,
        "threads": [each["threads"] for each in described["blas"]],
        "simd": described["simd"],
    }


def norm_layers() -> dict[str, str]:
    """A digest for each memory layout of the inputs; all must be equal."""
    return {name: _digest(_normed(layout)) for name, layout in LAYOUTS.items()}


def fused_kernels(threads: Iterable[int]) -> dict[str, str]:
    """A digest for each number of threads; all must be equal."""
    from normlab import kernels

    def results(count: int) -> Iterable[Array]:
        for shape in (*SHAPES[1:], (600, 512)):
            for dtype in (np.float32, np.float64):
                x, dout, gamma, beta = _inputs(shape, dtype)
                for forward, backward in (
                    (kernels.batchnorm_forward, kernels.batchnorm_backward),
                    (kernels.layernorm_forward, kernels.layernorm_backward),
                ):
                    y, cache = forward(x, gamma, beta, {"mode": "train"}, threads=count)
                    yield from (y, *backward(dout, cache, threads=count))

    return {str(count): _digest(results(count)) for count in threads}


def trainings(engine: str, workers: int, order: int = 1) -> dict[str, str]:
    """A digest for each run of the small sweep, by key, trained on so many workers, backwards if `order` is -1."""
    specs = small_sweep.specs(1)[::order]
    histories = train(specs, small_sweep.data(), engine=engine, workers=workers)
    return {spec.key: _of_history(history) for spec, history in zip(specs, histories, strict=True)}


def trained_alone(engine: str) -> dict[str, str]:
    """The same, each run in a call of its own."""
    return {
        spec.key: _of_history(train([spec], small_sweep.data(), engine=engine, workers=1)[0])
        for spec in small_sweep.specs(1)
    }


def resumed() -> dict[str, str]:
    """A training of three epochs without a pause, and with one after each epoch, when a new Solver reads the file."""

    def net(rng: Generator) -> FullyConnectedNet:
        return FullyConnectedNet([16, 16], 64, 10, dropout=0.7, normalization="batchnorm", rng=rng)

    def solver(**more: Any) -> Solver:
        rng = np.random.RandomState(1)
        adam = {"update_rule": "adam", "optim_config": {"learning_rate": 1e-3}, "lr_decay": 0.9}
        return Solver(
            net(rng), data, rng=rng, num_epochs=3, batch_size=50, verbose=False, **adam, **more
        )

    def state(done: Solver) -> list[Array]:
        curves = (done.loss_history, done.train_acc_history, done.val_acc_history)
        return [
            *map(np.array, curves),
            *(done.model.params[name] for name in sorted(done.model.params)),
        ]

    data = small_sweep.data().as_dict()
    whole = solver()
    whole.train()
    digests = {"without a pause": _digest(state(whole))}
    with tempfile.TemporaryDirectory() as folder:
        solver(checkpoint_name=str(Path(folder, "net"))).train()
        for saved in sorted(Path(folder).iterdir()):
            rng = np.random.RandomState(2)  # another one: it is put into the state that was saved
            again = Solver.resume(saved, net(rng), data, rng=rng, checkpoint_name=None)
            again.train()
            digests[f"resumed from {saved.name}"] = _digest(state(again))
    return digests


def everything(engine: str) -> dict[str, Any]:
    """For a comparison between settings: what they are, the norm layers' bits and the trainings' bits."""
    found: dict[str, Any] = {
        "settings": settings(),
        "layers": norm_layers(),
        "trainings": trainings(engine, 1),
    }
    found["kernels"] = fused_kernels((1, 2, 3)) if find_spec("numba") else {}
    return found


def _of_history(history: History) -> str:
    return hashlib.sha256(replace(history, seconds=0.0, engine="").to_json().encode()).hexdigest()


def _inputs(shape: tuple[int, int], dtype: Any) -> tuple[Array, Array, Array, Array]:
    rng = np.random.RandomState(shape[0])
    x = (100 + rng.randn(*shape)).astype(dtype)
    return (
        x,
        rng.randn(*shape).astype(dtype),
        rng.randn(shape[1]).astype(dtype),
        rng.randn(shape[1]).astype(dtype),
    )


def _normed(layout: Callable[[Array], Array]) -> Iterable[Array]:
    """Outputs and gradients of every norm, over shapes and types."""
    for shape in SHAPES:
        for dtype in (np.float32, np.float64):
            x, dout, gamma, beta = _inputs(shape, dtype)
            x, dout = layout(x), layout(dout)
            y, batch = layers.batchnorm_forward(x, gamma, beta, {"mode": "train"})
            yield from (y, *layers.batchnorm_backward(dout, batch))
            y, layer = layers.layernorm_forward(x, gamma, beta, {})
            yield from (y, *layers.layernorm_backward(dout, layer))
            y, rms = layers.rmsnorm_forward(x, gamma, {})
            yield from (y, *layers.rmsnorm_backward(dout, rms))
            y, group = layers.groupnorm_forward(x, gamma, beta, 1, {})
            yield from (y, *layers.groupnorm_backward(dout, group))


def _every_other(array: Array) -> Array:
    wide = np.zeros((array.shape[0] * 2, array.shape[1] * 3), array.dtype)
    wide[::2, 1::3] = array
    return wide[::2, 1::3]


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every other": _every_other,
    "backwards": lambda array: np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1],
}


def _digest(arrays: Iterable[Array]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
