"""Mutated files crash no reader, earlier finds stay refused, and a reader that crashes, hangs or dies is caught."""

from __future__ import annotations

import json
import random
import sys

import numpy as np
import pytest

from normlab import checkpoints
from normlab.errors import OptionError, RecordsError
from normlab.nets import FullyConnectedNet
from normlab.selftest import small_sweep
from normlab.solver import Solver
from normlab.specs import History, NetSpec, RunSpec
from proof import fuzzing
from proof.forking import CAN_FORK, NO_FORK
from proof.fuzzing import TARGETS, Target

forking = pytest.mark.skipif(not CAN_FORK, reason=NO_FORK)


@forking
def test_a_few_hundred_mutated_files_crash_no_reader():
    for name, found in fuzzing.fuzzed(fuzzing.targets(), seconds=60, most=150, seed=3):
        assert found["crashes"] == [], name
        assert found["inputs"] == 150


def test_mutations_are_the_same_for_a_seed_and_differ_from_the_files():
    seeds = [b"one file of some bytes", b"and another"]
    made = [fuzzing.mutated(random.Random(seed), seeds, (b"word",)) for seed in range(200)]
    assert made == [fuzzing.mutated(random.Random(seed), seeds, (b"word",)) for seed in range(200)]
    assert sum(content not in seeds for content in made) > 150


def crash(content: bytes) -> None:
    if content != b"whole":
        raise ZeroDivisionError("a mistake of ours")


def die(content: bytes) -> None:
    if content != b"whole":
        sys.exit(3)


def swell(content: bytes, kept: list[bytes] = []) -> None:  # noqa: B006  (it keeps what it is given, as a leak does)
    if content != b"whole":
        kept.append(b"x" * 20_000_000)


def hang(content: bytes) -> None:
    while content != b"whole":
        pass


@forking
@pytest.mark.parametrize(
    ("reader", "kind"),
    [
        (crash, "ZeroDivisionError"),
        (die, "SystemExit"),
        (swell, "memory grew"),
        (hang, "TooLongError"),
    ],
)
def test_a_reader_that_fails_is_caught(monkeypatch, reader, kind):
    if reader is swell and not sys.platform.startswith("linux"):
        pytest.skip("memory is measured as Linux tells it")
    monkeypatch.setitem(TARGETS, "planted", Target(reader, lambda: [b"whole"], (b"word",)))
    monkeypatch.setattr(fuzzing, "SECONDS", 1)
    found = fuzzing.fuzz_in_a_child("planted", 20.0, 70 if reader is swell else 5, 0)
    assert kind in found["crashes"][0]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "null",
            "[]",
            "3",
            '{"net":',
            "[" * 100_000,
            '{"net":{}}',
            '{"net":{"hidden_dims":3}}',
            '{"net":null}',
        ),
        '{"net":{"hidden_dims":[20]},"training":{"learning_rate":1e999}}',
        '{"net":{"hidden_dims":[20]},"data":{"num_train":NaN}}',
        '{"net":{"hidden_dims":[1e999]}}',
        '{"net":{"hidden_dims":[20],"reg":"much"}}',
        '{"net":{"hidden_dims":['
        + "1" * 400
        + '],"normalization":"groupnorm","num_groups":4}}',  # busy for ever
    ],
)
def test_a_text_that_is_no_spec_is_an_option_error(text):
    with pytest.raises(OptionError):
        RunSpec.from_json(text)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"loss":["{}nan"]}', '{"loss":3}', "[" * 100_000]
)
def test_a_text_that_is_no_history_is_an_option_error(text):
    with pytest.raises(OptionError):
        History.from_json(text)


def test_whole_texts_are_still_read():
    spec = RunSpec(NetSpec((20,)))
    history = History((1.0, float("inf")), (0.5,), (0.5,), 0.5, True)
    assert RunSpec.from_json(spec.to_json()) == spec
    assert History.from_json(history.to_json()) == history


def test_a_checkpoint_of_someone_who_knows_the_format_is_a_sentence(tmp_path):
    """The hash is right, and what a Solver needs is not there: found by fuzzing with the hash put right each time."""
    path, data = tmp_path / "net", small_sweep.data().as_dict()

    def net():
        return FullyConnectedNet([4], 64, 10, seed=0)

    solver = Solver(net(), data, rng=np.random.RandomState(0), num_epochs=1, verbose=False)
    solver.train()
    tensors, state = checkpoints.load(solver.save(path))
    for name in ("epoch", "iteration", "optim", "rng", "best_val_acc"):
        checkpoints.save(path, tensors, {key: value for key, value in state.items() if key != name})
        with pytest.raises(RecordsError, match="not one that a Solver saved"):
            Solver.resume(path, net(), data, rng=np.random.RandomState(0))
    checkpoints.save(
        path, {key: value for key, value in tensors.items() if key != "loss_history"}, state
    )
    with pytest.raises(RecordsError, match="loss_history"):
        Solver.resume(path, net(), data, rng=np.random.RandomState(0))


def test_notebooks_found_by_fuzzing_are_refused(tmp_path):
    pytest.importorskip("nbformat", reason="nbformat is not installed")
    from normlab import notebooks

    third = {
        "worksheets": [{"cells": []}],
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": {},
    }
    for text in (json.dumps(third), '{"cells":' + "[" * 100_000):
        (tmp_path / "n.ipynb").write_text(text)
        with pytest.raises(notebooks.NotebookError, match="is not a Jupyter notebook"):
            notebooks.read_notebook(tmp_path / "n.ipynb")
