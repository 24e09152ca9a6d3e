"""The bits of some forty short histories, frozen: the same by every library and by JIT.

A change that moves them moves `library.VERSION` too, says so in the changelog, and writes the file
anew: `python -m tests.engines.test_digests`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from normlab import engines
from normlab.engines import library
from normlab.specs import NetSpec, RunSpec, TrainingSpec

from .conftest import made_up
from .test_options import NETS, TRAININGS

FILE = Path(__file__).with_name("digests.json")
RULES = ("sgd", "sgd_momentum", "rmsprop", "adam")


def histories():
    """(name, spec, data) of each history."""
    data = made_up()
    nets = {f"net: {name}": ({"hidden_dims": (24, 24, 24)} | NETS[name], {}) for name in NETS}
    trainings = {
        f"training: {name}": (
            {"hidden_dims": (20, 12), "normalization": "batchnorm"},
            TRAININGS[name],
        )
        for name in TRAININGS
    }
    rules = {
        f"rule: {rule}": ({"hidden_dims": (20,), "normalization": "layernorm", "reg": 0.1},
                          {"update_rule": rule, "learning_rate": 3e-4})
        for rule in RULES
    }  # fmt: skip
    shapes = {
        f"shape: {dims}, batches of {batch}": (
            {"hidden_dims": dims, "normalization": norm}, {"batch_size": batch, "update_rule": "adam"},
        )
        for dims, batch, norm in (
            ((), 20, None), ((1,), 1, None), ((3, 1, 2), 7, "rmsnorm"), ((50,) * 7, 50, "batchnorm"),
            ((64, 65, 130), 120, "layernorm"), ((9, 250), 64, "batchnorm"),
        )
    }  # fmt: skip
    for name, (net, training) in (nets | trainings | rules | shapes).items():
        settings = {"batch_size": 20, "num_epochs": 2, "update_rule": "sgd"} | training
        spec = RunSpec(
            NetSpec(**{"weight_scale": 0.1} | net), TrainingSpec(**settings), data.spec, 3
        )
        yield name, spec, data
    wide = made_up(num_train=1100, features=500, classes=12)  # accuracy on a sample; many terms
    training = TrainingSpec(batch_size=200, num_epochs=1, learning_rate=1e-4)
    yield (
        "data: more terms",
        RunSpec(NetSpec((40,), "batchnorm", weight_scale=0.1), training, wide.spec),
        wide,
    )


def digest(spec, data):
    """Of all losses and accuracies, and of the weights that are left."""
    history, net = engines.trained_net(spec, data, "compiled")
    found = hashlib.sha256()
    for field in ("loss", "train_acc", "val_acc", "val_loss", "test_acc"):
        found.update(np.array(getattr(history, field), dtype="<f8").tobytes())
    for name in sorted(net.params):
        found.update(np.ascontiguousarray(net.params[name], dtype="<f4").tobytes())
    return found.hexdigest()[:16]


def digests():
    return {name: digest(spec, data) for name, spec, data in histories()}


def differing(functions, monkeypatch):
    """The histories whose bits are not the frozen ones, by these functions."""
    if functions is not None:
        monkeypatch.setattr(library, "functions", lambda: functions)
    frozen = json.loads(FILE.read_text())
    assert frozen["version"] == library.VERSION
    found = digests()
    assert found.keys() == frozen["digests"].keys()
    return [name for name, value in found.items() if frozen["digests"][name] != value]


@pytest.fixture(autouse=True)
def _is_here():
    if engines.COMPILED.why_not() is not None:
        pytest.skip(engines.COMPILED.why_not())


def test_there_are_some_forty_and_each_has_bits_of_its_own():
    frozen = json.loads(FILE.read_text())["digests"]
    assert len(frozen) >= 40
    assert len(set(frozen.values())) == len(frozen)


def test_the_bits_are_the_frozen_ones_by_this_machine_s_library(monkeypatch):
    assert differing(None, monkeypatch) == []


def test_they_are_by_jit(monkeypatch):
    pytest.importorskip("numba", reason="Numba is not installed")
    from normlab.engines import interface

    assert differing(interface.compile_here(), monkeypatch) == []


X86 = pytest.mark.skipif(
    library.instruction_set() not in ("x86-64-v3", "x86-64-v4"), reason="not one of x86-64's"
)


@X86
def test_they_are_by_tiles_for_wider_registers_in_those_there_are(tmp_path, monkeypatch):
    """x86-64-v4's code, made by the compiler for v3, which splits its vectors in two; and without a
    linker, by the compiler's own loader."""
    pytest.importorskip("numba", reason="Numba is not installed")
    path = library.make("x86-64-v4", tmp_path, "--cpu", "x86-64-v3", "--object")
    functions = library._load(path, "x86-64-v4", "made by a test")
    assert path.suffix == ".o"
    assert differing(functions, monkeypatch) == []


@pytest.mark.skipif(
    library.instruction_set() != "x86-64-v4", reason="this processor has no AVX-512"
)
def test_they_are_by_a_narrower_library_than_the_processor_s(tmp_path, monkeypatch):
    pytest.importorskip("numba", reason="Numba is not installed")
    functions = library._load(library.make("x86-64-v3", tmp_path), "x86-64-v3", "made by a test")
    assert differing(functions, monkeypatch) == []


def test_a_changed_bit_would_be_seen(monkeypatch):
    functions = library.functions()

    def nudged(table):
        functions.train_steps(table)
        raise_last_loss(table)

    def raise_last_loss(table):
        import ctypes

        from normlab.engines.layout import Net, Scratch, State
        from normlab.engines.table import slots

        # seven arrays come before the losses in Steps
        at = slots(Net, State, Scratch) + 14
        address, size = (ctypes.c_int64 * 2).from_address(table + 8 * at)
        last = ctypes.c_double.from_address(address + 8 * (size - 1))
        last.value = float(np.nextafter(last.value, np.inf))

    with contextlib.suppress(AssertionError):
        assert differing(functions._replace(train_steps=nudged), monkeypatch) == []
        pytest.fail("no digest noticed")


if __name__ == "__main__":
    FILE.write_text(json.dumps({"version": library.VERSION, "digests": digests()}, indent=1) + "\n")
