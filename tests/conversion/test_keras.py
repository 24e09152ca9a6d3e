"""Keras's files: the paths its loader reads, files without a label, and HDF5 that lies.

Each opening of an HDF5 file is a process of its own, so there are few here.
"""

from __future__ import annotations

import io

import numpy as np
import pytest

from normlab.conversion import ForeignNetError
from normlab.conversion.net_parts import put_together, take_apart
from proof.round_trips import same_net

from .conftest import NETS

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

from normlab.conversion.keras import from_bytes, snippet, to_bytes  # noqa: E402


def changed(change, name="batchnorm, float32"):
    """The net's file after a change of its HDF5."""
    content = io.BytesIO(to_bytes(take_apart(NETS[name])))
    with h5py.File(content, "r+") as file:
        change(file)
    return content.getvalue()


def test_the_file_has_the_paths_and_shapes_that_keras_reads(batchnorm_net):
    shapes = {}
    with h5py.File(io.BytesIO(to_bytes(take_apart(batchnorm_net)))) as file:
        file["layers"].visititems(
            lambda path, item: shapes.update({path: getattr(item, "shape", None)})
        )
        mean = file["layers/batch_normalization_1/vars/2"][:]
    expected = {}
    for number, (fan_in, width) in enumerate(((6, 12), (12, 18), (18, 12), (12, 4))):
        suffix = f"_{number}" if number else ""
        expected |= {f"dense{suffix}/vars/0": (fan_in, width), f"dense{suffix}/vars/1": (width,)}
        if number < 3:
            expected |= {
                f"batch_normalization{suffix}/vars/{variable}": (width,) for variable in range(4)
            }
    assert {path: shape for path, shape in shapes.items() if shape is not None} == expected
    assert np.array_equal(mean, batchnorm_net.bn_params[1]["running_mean"].astype("f4"))


def test_the_snippet_says_eps_momentum_and_the_chance_to_drop(batchnorm_net):
    text = snippet(take_apart(batchnorm_net), "net.weights.h5")
    assert "keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-05)," in text
    assert "keras.layers.Dropout(0.25)," in text
    assert "float64" not in text
    assert 'set_dtype_policy("float64")' in snippet(
        take_apart(NETS["groupnorm, float64"]), "net.weights.h5"
    )
    compile(text, "snippet", "exec")


def test_a_file_without_a_label_is_refused_with_what_to_do():
    def without(file):  # as Keras itself writes it
        del file["normlab-net"]

    with pytest.raises(
        ForeignNetError, match=r"no label of normlab.*Keras's save_weights drops the label"
    ):
        from_bytes(changed(without), "net.weights.h5")


def test_a_keras_archive_is_refused():
    with pytest.raises(ForeignNetError, match="is not an HDF5 file"):
        from_bytes(b"PK\x03\x04", "net.keras")


def test_the_label_may_be_copied_into_what_was_trained_on(batchnorm_net):
    def trained_on(file):
        file["layers/batch_normalization/vars/2"][0] += 1
        file["layers/dense/vars/0"][0, 0] = 7

    parts = from_bytes(changed(trained_on), "net.weights.h5")
    changes = parts.norms[0].running_mean != batchnorm_net.bn_params[0]["running_mean"]
    assert changes.tolist() == [True] + [False] * 11
    assert parts.affines[0].W[0, 0] == 7


def chunked(file):
    kernel = file["layers/dense/vars/0"][:]
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", data=kernel, compression="gzip")


def bomb(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars"].create_dataset("0", shape=(2**20, 2**12), dtype="f4")


def replaced(path, value):
    def change(file):
        del file[path]
        if value is not None:
            file[path] = value

    return change


REFUSED = {
    "a link out": (
        replaced("layers/dense/vars/0", h5py.ExternalLink("/etc/passwd", "x")),
        "a link to somewhere else",
    ),
    "a soft link": (
        replaced("layers/dense/vars/0", h5py.SoftLink("/layers/dense_1/vars/0")),
        "a link to somewhere else",
    ),
    "compressed": (chunked, "stored in pieces, compressed or in another file"),
    "a bomb": (bomb, r"says shape \(1048576, 4096\)"),
    "text": (replaced("layers/dense/vars/0", "kernel"), "expected numbers"),
    "a layer inside": (
        lambda file: file.move("layers/dense", "layers/model/layers/dense"),
        "lacks 'layers/dense/",
    ),
    "another layer": (
        lambda file: file.move("layers/dense", "layers/conv2d"),
        "lacks 'layers/dense/vars/0'",
    ),
    "one more": (
        lambda file: file.__setitem__("optimizer/vars/0", np.zeros(3, "f4")),
        "holds 'optimizer/vars/0'",
    ),
    "a missing kernel": (replaced("layers/dense_1/vars/0", None), "does not have|speaks of"),
    "a wrong width": (
        replaced("layers/dense_1/vars/1", np.zeros(5, "f4")),
        r"dense_1/vars/1' .* shape \(5,\)",
    ),
    "a norm less": (
        replaced("layers/batch_normalization", None),
        "lacks 'layers/batch_normalization/vars/0'",
    ),
    "no variance": (
        replaced("layers/batch_normalization/vars/3", None),
        "lacks .*normalization/vars/3'",
    ),
    "no net": (replaced("layers", None), "lacks 'layers/dense/vars/0'"),
    "a label that is none": (replaced("normlab-net", np.zeros(9, "u1")), "is damaged"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_another_file_is_refused_by_the_layer_s_name(fault):
    change, sentence = REFUSED[fault]
    with pytest.raises(ForeignNetError, match=sentence):
        from_bytes(changed(change), "net.weights.h5")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(2000)])
def test_what_is_no_hdf5_file_is_a_sentence(content):
    with pytest.raises(ForeignNetError, match=r"not an HDF5 file|HDF5 cannot read it"):
        from_bytes(content, "net.weights.h5")


def test_a_file_with_its_label_comes_back_whole(batchnorm_net):
    parts = from_bytes(changed(lambda _: None), "net.weights.h5")
    assert same_net(put_together(parts), batchnorm_net)
