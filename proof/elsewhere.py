"""Nets as other libraries run them: each exported net's own snippet, executed in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from normlab import randomness
from normlab.conversion.files import LIBRARIES, export_net
from normlab.layers.norms import BY_NAME
from normlab.nets import FullyConnectedNet
from normlab.typing import Array

NEEDS = {"torch": ("torch",), "onnx": ("onnx", "onnxruntime"), "keras": ("h5py", "keras")}
BACKENDS = (
    "jax",
    "torch",
    "tensorflow",
)  # PyTorch's multiplies in float32, whatever the layers' type
SECONDS = 300
FEATURES, CLASSES = 6, 4

# How a library's `net` is asked for the scores of an array.
CALLS = {
    "torch": "net(torch.from_numpy(x)).detach().numpy()",
    "onnx": "net(x)",
    "keras": "keras.ops.convert_to_numpy(net(x, training=False))",
}
CHILD = """
import json, sys
import numpy as np

for job in json.load(open(sys.argv[1])):
    if "keras" in job["code"]:
        import keras
        keras.config.set_dtype_policy("float32")
    names = {"x": np.load(job["x"])}
    exec(job["code"], names)
    np.save(job["y"], eval(job["call"], names))
"""


def missing(library: str) -> str:
    """The packages that running nets in a library takes and that are not installed, or nothing."""
    lacking = [name for name in NEEDS[library] if find_spec(name) is None]
    if library == "keras" and not any(find_spec(name) for name in BACKENDS):
        lacking.append("a backend of Keras")
    return ", ".join(lacking)


def trained_nets(
    dtypes: Sequence[str] = ("float32", "float64"), keep: float = 0.75
) -> dict[str, FullyConnectedNet]:
    """A net of each type, and of each norm that other libraries have, after some training steps.

    The mean of its inputs is not 0.
    """
    nets: dict[str, FullyConnectedNet] = {}
    for normalization in (None, *(norm.name for norm in BY_NAME.values() if norm.foreign)):
        for dtype in dtypes:
            rng = randomness.generator(len(nets))
            net = FullyConnectedNet(
                [12, 18, 12],
                input_dim=FEATURES,
                num_classes=CLASSES,
                dropout=keep,
                normalization=normalization,
                weight_scale=0.5,
                reg=0.1,
                dtype=np.dtype(dtype),
                num_groups=2 if normalization == "groupnorm" else None,
                rng=rng,
            )
            for _ in range(30):
                _, grads = net.loss(inputs(rng, 20), rng.randint(CLASSES, size=20))
                net.params = {
                    name: (value - 0.1 * grads[name]).astype(dtype)
                    for name, value in net.params.items()
                }
            nets[f"{normalization}, {dtype}"] = net
    return nets


def inputs(rng: np.random.RandomState, count: int) -> Array:
    """Rows to train on or to ask for."""
    return rng.randn(count, FEATURES) * 3 + 1


def outputs_there(
    library: str, nets: dict[str, FullyConnectedNet], X: Array, folder: Path
) -> dict[str, Array]:
    """Each net's scores of X, computed by the library from the exported file. Raises RuntimeError where it fails."""
    jobs = []
    for number, net in enumerate(nets.values()):
        np.save(folder / f"x{number}.npy", X.astype(net.dtype))
        code = export_net(net, folder / f"net{number}{LIBRARIES[library].SUFFIX}", library)
        paths = {name: str(folder / f"{name}{number}.npy") for name in ("x", "y")}
        jobs.append({"code": code, "call": CALLS[library], **paths})
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run_elsewhere(CHILD, str(folder / "jobs.json"))
    return {name: np.load(job["y"]) for name, job in zip(nets, jobs, strict=True)}


def run_elsewhere(code: str, *arguments: str) -> str:
    """Run Python in a process of its own and return what it printed. Raises RuntimeError where it fails."""
    backend = next((name for name in BACKENDS if find_spec(name)), "numpy")
    environment = {"KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"} | os.environ
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout
