"""A checkpoint gives back the very bits, or an error that says what is wrong; never something in between."""

import json
import math
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from normlab import checkpoints, randomness
from normlab.errors import OptionError, RecordsError

STATE = {
    "iteration": 40,
    "epoch": 2,
    "best_val_acc": 0.1 + 0.2,
    "settings": {"update_rule": "adam", "reg": None},
}


def tensors():
    rng = randomness.generator(0)
    return {
        "params/W1": rng.randn(3, 4).astype(np.float32),
        "optim/W1/m": rng.randn(3, 4),
        "y": np.arange(5),
    }


def same(one, other):
    return (
        one.keys() == other.keys()
        and all(
            one[name].dtype == other[name].dtype and one[name].shape == other[name].shape
            for name in one
        )
        and all(one[name].tobytes() == other[name].tobytes() for name in one)
    )


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    path = checkpoints.save(tmp_path / "net.safetensors", tensors(), STATE)
    loaded, state = checkpoints.load(path)
    assert same(loaded, tensors())
    assert state == STATE
    loaded["params/W1"] += 1  # the caller's own
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=50, deadline=None)
@given(
    array=arrays.arrays(
        dtype=st.sampled_from(
            [np.float64, np.float32, np.int64, np.uint8, np.bool_, np.dtype(">f8")]
        ),
        shape=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    turned=st.booleans(),
)
def test_any_array_of_numbers_survives(tmp_path_factory, array, turned):
    array = array.T if turned else array
    path = checkpoints.save(tmp_path_factory.mktemp("any") / "one", {"x": array}, {})
    loaded = checkpoints.load(path)[0]["x"]
    assert loaded.shape == array.shape
    assert loaded.dtype == array.dtype.newbyteorder("=")
    assert loaded.tobytes() == array.astype(loaded.dtype).tobytes()


def test_floats_that_are_not_finite_survive_in_state_and_tensors(tmp_path):
    values = {
        "nan": math.nan,
        "inf": math.inf,
        "negative": [-math.inf, -0.0],
        "numpy": np.float32(0.1),
    }
    path = checkpoints.save(tmp_path / "n", {"x": np.array([np.nan, np.inf, -0.0])}, values)
    loaded, state = checkpoints.load(path)
    assert math.isnan(state["nan"])
    assert state["inf"] == math.inf
    assert state["negative"] == [-math.inf, 0.0]
    assert math.copysign(1, state["negative"][1]) == -1
    assert state["numpy"] == float(np.float32(0.1))
    assert loaded["x"].tobytes() == np.array([np.nan, np.inf, -0.0]).tobytes()


def test_the_same_content_is_the_same_file(tmp_path):
    one = checkpoints.save(tmp_path / "one", tensors(), STATE)
    other = checkpoints.save(tmp_path / "other", dict(reversed(tensors().items())), STATE)
    assert one.read_bytes() == other.read_bytes()


def test_every_safetensors_reader_can_look_inside(tmp_path):
    path = checkpoints.save(tmp_path / "net", tensors(), STATE)
    assert same(safetensors.numpy.load_file(path), tensors())
    with safetensors.safe_open(path, framework="np") as file:
        assert json.loads(file.metadata()[checkpoints.FORMAT])["state"] == STATE


@pytest.mark.parametrize("state", [{"x": object()}, {"x": np.zeros(3)}, {"x": {1, 2}}])
def test_a_state_that_json_cannot_say_is_refused(tmp_path, state):
    with pytest.raises(OptionError, match="JSON"):
        checkpoints.save(tmp_path / "net", {}, state)
    assert not list(tmp_path.iterdir())


def test_an_array_of_objects_is_refused(tmp_path):
    with pytest.raises(OptionError, match="object"):
        checkpoints.save(tmp_path / "net", {"x": np.array([None])}, {})


# What can be wrong with a file


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(RecordsError, match=r"no checkpoint at .*absent"):
        checkpoints.load(tmp_path / "absent")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff" * 100, b"[]".rjust(10, b"\0"), bytes(64)]
)
def test_what_is_no_checkpoint_is_a_sentence(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(RecordsError, match="is not a checkpoint of normlab"):
        checkpoints.load(tmp_path / "x")


def test_a_folder_is_a_sentence(tmp_path):
    with pytest.raises(RecordsError, match="cannot be read"):
        checkpoints.load(tmp_path)


def test_anyone_elses_safetensors_is_a_sentence(tmp_path):
    (tmp_path / "x").write_bytes(safetensors.numpy.save({"x": np.zeros(3)}, {"format": "pt"}))
    with pytest.raises(RecordsError, match="is not a checkpoint of normlab"):
        checkpoints.load(tmp_path / "x")


def test_every_truncation_is_refused(tmp_path):
    content = checkpoints.save(tmp_path / "whole", tensors(), STATE).read_bytes()
    for length in range(len(content)):
        (tmp_path / "part").write_bytes(content[:length])
        with pytest.raises(RecordsError, match="part"):
            checkpoints.load(tmp_path / "part")


def test_every_flipped_bit_is_refused(tmp_path):
    content = checkpoints.save(tmp_path / "whole", tensors(), STATE).read_bytes()
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1 << (place % 8)
        (tmp_path / "altered").write_bytes(altered)
        with pytest.raises(RecordsError, match="altered"):
            checkpoints.load(tmp_path / "altered")


def test_bytes_behind_the_end_are_refused(tmp_path):
    path = checkpoints.save(tmp_path / "net", tensors(), STATE)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(RecordsError, match="damaged"):
        checkpoints.load(path)


def test_a_newer_format_says_to_update(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "VERSION", checkpoints.VERSION + 1)
    path = checkpoints.save(tmp_path / "net", tensors(), STATE)
    monkeypatch.undo()
    with pytest.raises(
        RecordsError, match=r"format version 2, and this normlab reads version 1: update"
    ):
        checkpoints.load(path)


# Saving is all or nothing


def test_a_folder_that_does_not_exist_is_a_sentence(tmp_path):
    with pytest.raises(RecordsError, match="cannot be written: No such file"):
        checkpoints.save(tmp_path / "absent" / "net", tensors(), STATE)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    path = checkpoints.save(tmp_path / "net", tensors(), STATE)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (10_000, hard)
    )  # to the writer, a disk with 10 kB left
    try:
        with pytest.raises(RecordsError, match="untouched"):
            checkpoints.save(path, {"large": np.zeros(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert same(checkpoints.load(path)[0], tensors())
    assert list(tmp_path.iterdir()) == [path]


SAVE_FOR_EVER = """
import sys
import numpy as np
from normlab import checkpoints
epoch = 0
while True:
    checkpoints.save(sys.argv[1], {"x": np.full(300_000, epoch, dtype=np.float64)}, {"epoch": epoch})
    print(epoch, flush=True)
    epoch += 1
"""


def test_killed_while_saving_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "net"
    waits = randomness.generator(5).uniform(0, 0.02, size=10)
    for wait in waits:
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, path], stdout=subprocess.PIPE
        )
        process.stdout.readline()  # one is saved
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        loaded, state = checkpoints.load(path)
        assert (loaded["x"] == state["epoch"]).all()


# The generator


def test_a_restored_generator_draws_what_was_next_with_the_cached_gaussian():
    rng = randomness.generator(231)
    rng.randn(3)  # an odd number: the fourth Gaussian is already drawn and cached
    taken = checkpoints.generator_state(rng)
    assert taken[1]["has_gauss"] == 1
    expected = rng.randn(), rng.choice(1000, 50).tolist(), rng.rand()
    other = randomness.generator(0)
    checkpoints.restore_generator(other, *taken)
    assert (other.randn(), other.choice(1000, 50).tolist(), other.rand()) == expected


def test_the_generator_survives_the_file(tmp_path):
    rng = randomness.generator(7)
    rng.randn(5)
    path = checkpoints.save(tmp_path / "rng", *checkpoints.generator_state(rng))
    other = randomness.generator(0)
    checkpoints.restore_generator(other, *checkpoints.load(path))
    assert other.randn(11).tolist() == rng.randn(11).tolist()


def test_a_checkpoint_without_generator_is_a_sentence():
    with pytest.raises(RecordsError, match="no generator's state"):
        checkpoints.restore_generator(randomness.generator(0), {}, {})


def test_another_kind_of_generator_is_refused():
    with pytest.raises(OptionError, match="not PCG64"):
        checkpoints.generator_state(np.random.RandomState(np.random.PCG64(1)))
