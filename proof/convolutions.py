"""How long convolutions take: the naive and the fast functions, PyTorch's, and the product of matrices beneath them.

    python -m proof.convolutions            a table, processor time of one thread, best of several runs
    python -m proof.convolutions --epoch    an epoch of ThreeLayerConvNet on so many random images of CIFAR-10's size

Times are of this process alone, so that a busy machine moves them little; ratios within one run are
what counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import threadpoolctl

from normlab import layers, machine
from normlab.nets import ThreeLayerConvNet
from normlab.solver import Solver

CASES = {
    "notebook's net: 50 x 3 x 32 x 32, 32 filters 7 x 7, pad 3": (
        (50, 3, 32, 32),
        (32, 3, 7, 7),
        1,
        3,
    ),
    "notebook's timing cell: 100 x 3 x 31 x 31, 25 filters 3 x 3, stride 2": (
        (100, 3, 31, 31),
        (25, 3, 3, 3),
        2,
        1,
    ),
    "second layer: 50 x 16 x 16 x 16, 32 filters 3 x 3, pad 1": (
        (50, 16, 16, 16),
        (32, 16, 3, 3),
        1,
        1,
    ),
    "digits: 50 x 1 x 8 x 8, 16 filters 3 x 3, pad 1": ((50, 1, 8, 8), (16, 1, 3, 3), 1, 1),
}
RUNS = 7


def best(work: Callable[[], Any], runs: int = RUNS) -> float:
    """Least processor time of this thread, in milliseconds."""
    times = []
    for _ in range(runs):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return 1e3 * min(times)


def measured(name: str) -> dict[str, float | None]:
    """Milliseconds of one case: forward and backward (all three gradients) by each way."""
    image, filters, stride, pad = CASES[name]
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=size).astype(np.float32) for size in (image, filters))
    b = np.zeros(filters[0], dtype=np.float32)
    param = {"stride": stride, "pad": pad}
    out, cache = layers.conv_forward_fast(x, w, b, param)
    dout = rng.normal(size=out.shape).astype(np.float32)
    columns = rng.normal(size=(w[0].size, out[:, 0].size)).astype(np.float32)
    flat = w.reshape(len(w), -1)
    upstream = dout.reshape(len(w), -1)
    return {
        "naive forward": best(lambda: layers.conv_forward_naive(x, w, b, param), 1),
        "naive backward": best(lambda: layers.conv_backward_naive(dout, cache), 1),
        "fast forward": best(lambda: layers.conv_forward_fast(x, w, b, param)),
        "fast backward": best(lambda: layers.conv_backward_fast(dout, cache)),
        "product forward": best(lambda: flat @ columns),
        "products backward": best(lambda: (upstream @ columns.T, flat.T @ upstream)),
        **_pytorch(x, w, b, param, dout),
    }


def _pytorch(x: Any, w: Any, b: Any, param: dict[str, int], dout: Any) -> dict[str, float | None]:
    try:
        import torch
    except ImportError:
        return {"PyTorch forward": None, "PyTorch backward": None}
    torch.set_num_threads(1)
    given = [torch.tensor(value, requires_grad=True) for value in (x, w, b)]

    def forward() -> Any:
        return torch.nn.functional.conv2d(*given, stride=param["stride"], padding=param["pad"])

    out, upstream = forward(), torch.tensor(dout)
    backward = best(lambda: out.backward(upstream, retain_graph=True))
    return {"PyTorch forward": best(forward), "PyTorch backward": backward}


def epoch(images: int) -> float:
    """Seconds of processor time that an epoch of 49,000 images takes, from so many, on one thread of BLAS."""
    rng = np.random.default_rng(0)
    X, y = 60 * rng.normal(size=(images, 3, 32, 32)), rng.integers(10, size=images)
    data = {"X_train": X, "y_train": y, "X_val": X[:100], "y_val": y[:100]}
    model = ThreeLayerConvNet(hidden_dim=500, reg=1e-3)
    solver = Solver(model, data, update_rule="adam", batch_size=50, num_epochs=1, verbose=False)
    began = time.process_time()
    solver.train()
    return (time.process_time() - began) * 49_000 / images


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m proof.convolutions", description=__doc__)
    parser.add_argument("--epoch", type=int, metavar="IMAGES", nargs="?", const=2000)
    asked = parser.parse_args()
    sets = machine.instruction_sets()
    kind = next((name for name in ("AVX512F", "AVX2") if name in sets), "neither AVX2 nor AVX-512")
    print(f"{machine.processor()}, {kind}, one thread\n")
    with threadpoolctl.threadpool_limits(1):
        if asked.epoch:
            print(
                f"an epoch of 49,000 images, from {asked.epoch}: {epoch(asked.epoch):.0f} s of "
                "processor time"
            )
            return
        for name in CASES:
            found = measured(name)
            print(name)
            for way, value in found.items():
                print(f"  {way:18} {'not installed' if value is None else f'{value:9.2f} ms'}")


if __name__ == "__main__":
    main()
