"""Nets to other libraries and back: the same bits on return, the same outputs there, and nothing believed blindly."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from normlab import randomness
from normlab.conversion import export_net, import_net
from normlab.conversion.files import LIBRARIES
from normlab.conversion.net_parts import put_together, take_apart
from normlab.errors import UserError
from normlab.layers import batchnorm_forward
from normlab.nets import FullyConnectedNet
from normlab.selftest.measured import Measured
from normlab.typing import Array
from proof.elsewhere import inputs, missing, outputs_there, run_elsewhere, trained_nets

# Largest difference over largest output that rounding explains: some units in the last place, over
# four layers.
BOUNDS = {"float32": 2e-6, "float64": 1e-12}
# ONNX stores eps as a float32, which moves a float64 net's outputs by up to 1.3e-8 * eps / (var +
# eps).
ONNX_FLOAT64 = 1e-10
PACKAGES = {"torch": "", "onnx": "onnx", "keras": "h5py"}

# PyTorch's own batch norm over the batches in a file, its running variance started at 0 as here.
TORCHS_OWN = """
import sys
import numpy as np, torch

batches = torch.from_numpy(np.load(sys.argv[1]))
layer = torch.nn.BatchNorm1d(batches.shape[-1], dtype=torch.float64)
layer.running_var.zero_()
for batch in batches:
    layer(batch)
np.save(sys.argv[2], layer.running_var.numpy())
"""


def rows(full: bool) -> Iterator[Measured]:
    """The rows of this part; the full size also runs Keras, which takes long to start."""
    nets = trained_nets()
    for library in LIBRARIES:
        yield _round_trips(library, nets)
    for library in LIBRARIES:
        if full or library != "keras":
            yield _outputs(library, nets)
    yield _running_variance()
    for library in LIBRARIES:
        yield _cut_short(library, 200 if full else 40)


def same_net(one: FullyConnectedNet, other: FullyConnectedNet) -> bool:
    """Whether two nets have the same bits: parameters, running statistics and settings."""

    def described(net: FullyConnectedNet) -> list[object]:
        parts = take_apart(net)
        arrays = [array for affine in parts.affines for array in affine]
        for norm in parts.norms:
            arrays += [*norm.parameters, *(each for each in norm if isinstance(each, np.ndarray))]
        settings = [(norm.eps, norm.momentum, norm.batches) for norm in parts.norms]
        whole = (parts.normalization, parts.num_groups, parts.keep, parts.reg)
        return [[(array.dtype, array.shape, array.tobytes()) for array in arrays], settings, whole]

    return described(one) == described(other)


def _round_trips(library: str, nets: dict[str, FullyConnectedNet]) -> Measured:
    promise = f"a net comes back from {LIBRARIES[library].TITLE}'s file with the same bits"
    bound = "0 differ"

    def measure(folder: Path) -> Measured:
        path = folder / f"net{LIBRARIES[library].SUFFIX}"
        differing = []
        for name, net in nets.items():
            export_net(net, path, library)
            if not same_net(net, import_net(path, library)):
                differing.append(name)
        return Measured(
            "conversion",
            promise,
            bound,
            f"{len(differing)} differ",
            not differing,
            len(nets),
            note="; ".join(differing),
        )

    return _in_a_folder(library, promise, bound, measure, PACKAGES[library])


def _outputs(library: str, nets: dict[str, FullyConnectedNet]) -> Measured:
    promise = f"outputs in {LIBRARIES[library].TITLE} are those here, to rounding"
    wide = ONNX_FLOAT64 if library == "onnx" else BOUNDS["float64"]
    bound = f"{BOUNDS['float32']:g} (float32), {wide:g} (float64) of max|y|"
    # Keras 3.15 computes every norm in float32, whatever the layer's type
    narrow = {name for name, net in nets.items() if library == "keras" and net.normalization}
    if absent := missing(library):
        return Measured("conversion", promise, bound, "", None, 0, note=f"not installed: {absent}")

    def measure(folder: Path) -> Measured:
        X = inputs(randomness.generator(7), 200)
        found = outputs_there(library, nets, X, folder)
        errors = {name: relative_difference(found[name], net.loss(X)) for name, net in nets.items()}
        types = {
            name: "float32" if name in narrow else str(net.dtype) for name, net in nets.items()
        }
        largest = {
            dtype: max(error for name, error in errors.items() if types[name] == dtype)
            for dtype in BOUNDS
        }
        holds = largest["float32"] <= BOUNDS["float32"] and largest["float64"] <= wide
        measured = ", ".join(f"{error:.1e} ({dtype})" for dtype, error in largest.items())
        note = f"worst: {max(errors, key=lambda name: errors[name])}"
        note += (
            "; norms of float64 nets count as float32, in which Keras computes them"
            if narrow
            else ""
        )
        return Measured("conversion", promise, bound, measured, holds, len(nets), note=note)

    return _in_a_folder(library, promise, bound, measure)


def relative_difference(found: Array, expected: Array) -> float:
    """Largest difference over the largest expected value; infinite where types or shapes differ."""
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _running_variance() -> Measured:
    promise = "unbiased_for gives the running variance that PyTorch collects from the same batches"
    bound = "1e-14 of max"
    if absent := missing("torch"):
        return Measured("conversion", promise, bound, "", None, 0, note=f"not installed: {absent}")

    def measure(folder: Path) -> Measured:
        from normlab.conversion.conventions import unbiased

        batches = randomness.generator(8).randn(40, 10, 5) * 2 + 3
        np.save(folder / "batches.npy", batches)
        bn_param = {"mode": "train"}
        for batch in batches:
            batchnorm_forward(batch, np.ones(5), np.zeros(5), bn_param)
        run_elsewhere(TORCHS_OWN, str(folder / "batches.npy"), str(folder / "var.npy"))
        theirs = np.load(folder / "var.npy")
        error = relative_difference(unbiased(np.asarray(bn_param["running_var"]), 10), theirs)
        return Measured("conversion", promise, bound, f"{error:.1e}", error <= 1e-14, len(batches))

    return _in_a_folder("torch", promise, bound, measure)


def _cut_short(library: str, times: int) -> Measured:
    """A file cut off anywhere. HDF5 is opened in a process a file, so that its share of the files is smaller.

    An ONNX file has no length of its own: cut between the graph and the metadata it is still a
    whole model.
    """
    promise = f"{LIBRARIES[library].TITLE}'s file cut short anywhere is refused in a sentence, or the whole net"
    times = times // 10 if library == "keras" else times
    bound = f"{times} of {times}"

    def measure(_: Path) -> Measured:
        module = LIBRARIES[library]
        net = FullyConnectedNet(
            [5], input_dim=3, num_classes=2, normalization="batchnorm", rng=randomness.generator(0)
        )
        content = module.to_bytes(take_apart(net))
        right = 0
        for number in range(times):
            part = content[: len(content) * number // times]
            try:
                right += same_net(net, put_together(module.from_bytes(part, f"net{module.SUFFIX}")))
            except UserError:
                right += 1
        return Measured("conversion", promise, bound, f"{right} of {times}", right == times, times)

    return _in_a_folder(library, promise, bound, measure, PACKAGES[library])


def _in_a_folder(
    library: str, promise: str, bound: str, measure: Callable[[Path], Measured], package: str = ""
) -> Measured:
    """What `measure` finds in a new folder; where the library's own package is missing or fails, a row that says so."""
    from importlib.util import find_spec

    if package and find_spec(package) is None:
        return Measured("conversion", promise, bound, "", None, 0, note=f"not installed: {package}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            return measure(Path(folder))
        except RuntimeError as error:
            return Measured(
                "conversion", promise, bound, f"{library} failed", False, 0, note=str(error)
            )
