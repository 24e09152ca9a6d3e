"""Keras's files: the paths its loader reads, other people's files and archives, and HDF5 that lies.

Each opening of an HDF5 file is a process of its own, so there are few here.
"""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from normlab.conversion import ForeignNetError, Told
from normlab.conversion.parts import put_together, take_apart
from normlab.selftest.conversion import same_net

from .conftest import NETS

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

from normlab.conversion.keras import from_bytes, snippet, to_bytes  # noqa: E402
from normlab.conversion.keras_archive import read_archive  # noqa: E402


def changed(change, name="batchnorm, float32", label=False):
    """The net's file after a change of its HDF5."""
    content = io.BytesIO(to_bytes(take_apart(NETS[name])))
    with h5py.File(content, "r+") as file:
        if not label:
            del file["normlab-net"]
        change(file)
    return content.getvalue()


def test_the_file_has_the_paths_and_shapes_that_keras_reads(batchnorm_net):
    shapes = {}
    with h5py.File(io.BytesIO(to_bytes(take_apart(batchnorm_net)))) as file:
        file["layers"].visititems(lambda path, item: shapes.update({path: getattr(item, "shape", None)}))
        mean = file["layers/batch_normalization_1/vars/2"][:]
    expected = {}
    for number, (fan_in, width) in enumerate(((6, 12), (12, 18), (18, 12), (12, 4))):
        suffix = f"_{number}" if number else ""
        expected |= {f"dense{suffix}/vars/0": (fan_in, width), f"dense{suffix}/vars/1": (width,)}
        if number < 3:
            expected |= {f"batch_normalization{suffix}/vars/{variable}": (width,) for variable in range(4)}
    assert {path: shape for path, shape in shapes.items() if shape is not None} == expected
    assert np.array_equal(mean, batchnorm_net.bn_params[1]["running_mean"].astype("f4"))


def test_the_snippet_says_eps_momentum_and_the_chance_to_drop(batchnorm_net):
    text = snippet(take_apart(batchnorm_net), "net.weights.h5")
    assert "keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-05)," in text
    assert "keras.layers.Dropout(0.25)," in text
    assert "float64" not in text
    assert 'set_dtype_policy("float64")' in snippet(take_apart(NETS["groupnorm, float64"]), "net.weights.h5")
    compile(text, "snippet", "exec")


def test_without_a_label_keras_s_defaults_are_assumed_and_named():
    def opted(file):  # what Keras adds and nobody needs here
        file["optimizer/vars/0"] = np.zeros(3)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, "u4")

    parts, notes = from_bytes(changed(opted), "net.weights.h5", Told())
    assert (parts.norms[0].eps, parts.norms[0].momentum) == (1e-3, 0.99)
    assert [note[:9] for note in notes] == ["ReLU afte", "eps=0.001", "momentum="]


@pytest.mark.parametrize(("norm", "eps"), [("layernorm", 1e-3), ("rmsnorm", 1e-6)])
def test_each_norm_s_default_is_keras_s_own(norm, eps):
    parts, _ = from_bytes(changed(lambda _: None, f"{norm}, float32"), "net.weights.h5", Told())
    assert [layer.eps for layer in parts.norms] == [eps] * 3


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
    "a link out": (replaced("layers/dense/vars/0", h5py.ExternalLink("/etc/passwd", "x")), "a link to somewhere else"),
    "a soft link": (
        replaced("layers/dense/vars/0", h5py.SoftLink("/layers/dense_1/vars/0")),
        "a link to somewhere else",
    ),
    "compressed": (chunked, "stored in pieces, compressed or in another file"),
    "a bomb": (bomb, r"says shape \(1048576, 4096\)"),
    "text": (replaced("layers/dense/vars/0", "kernel"), "expected numbers"),
    "a layer inside": (lambda file: file.move("layers/dense", "layers/model/layers/dense"), "a layer inside another"),
    "another layer": (lambda file: file.move("layers/dense", "layers/conv2d"), "'conv2d' has weights and is none"),
    "a missing kernel": (replaced("layers/dense_1/vars/0", None), "dense_1/vars/0 is missing"),
    "a wrong width": (replaced("layers/dense_1/vars/1", np.zeros(5, "f4")), r"dense_1/vars/1 has shape \(5,\)"),
    "a norm less": (replaced("layers/batch_normalization", None), "2 norms for 3 hidden layers"),
    "no variance": (replaced("layers/batch_normalization/vars/3", None), "has 3 variables; expected 4"),
    "no net": (replaced("layers", None), "holds no Dense layer"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_another_file_is_refused_by_the_layer_s_name(fault):
    change, sentence = REFUSED[fault]
    with pytest.raises(ForeignNetError, match=sentence):
        from_bytes(changed(change), "net.weights.h5", Told())


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(2000)])
def test_what_is_no_hdf5_file_is_a_sentence(content):
    with pytest.raises(ForeignNetError, match=r"not an HDF5 file|HDF5 cannot read it"):
        from_bytes(content, "net.weights.h5", Told())


# .keras archives


def entry(class_name, name, registered_name=None, **config):
    return {"class_name": class_name, "config": {"name": name, **config}, "registered_name": registered_name}


def row(**changes):
    """The layers of NETS['groupnorm, float32'] as Keras describes them."""
    layers = [entry("InputLayer", "input_layer")]
    for number in range(3):
        layers += [
            entry("Dense", f"d{number}", units=1, activation="linear"),
            entry("GroupNormalization", f"g{number}", groups=2, epsilon=0.25, axis=-1, center=True, scale=True),
            entry("ReLU", f"r{number}", max_value=None, negative_slope=0.0, threshold=0.0),
            entry("Dropout", f"o{number}", rate=0.1),
        ]
    layers.append(entry("Dense", "last", units=1, activation="linear"))
    for each in layers:
        if each["config"]["name"] in changes:
            change = changes[each["config"]["name"]]
            each["config"] |= change
            each["class_name"] = change.get("class_name", each["class_name"])
            each["registered_name"] = change.get("registered_name")
    return layers


def archive(layers, weights=b"", class_name="Sequential", **members):
    target = io.BytesIO()
    config = json.dumps({"class_name": class_name, "config": {"layers": layers}})
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in ({"config.json": config, "model.weights.h5": weights} | members).items():
            file.writestr(name, content)
    return target.getvalue()


def test_an_archive_says_all_that_a_weights_file_does_not(X):
    content = archive(row(last={"activation": "softmax"}), changed(lambda _: None, "groupnorm, float32"))
    parts, notes = from_bytes(content, "net.keras", Told())
    assert notes == ["the softmax at the end is left out: normlab's scores are the numbers before it"]
    assert (parts.norms[0].eps, parts.num_groups, parts.keep) == (0.25, 2, 0.9)
    net = put_together(take_apart(NETS["groupnorm, float32"]))
    for param in net.bn_params:
        param["eps"] = 0.25
    assert put_together(parts).loss(X).tobytes() == net.loss(X).tobytes()


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (row(r1={"class_name": "Lambda", "function": "os.system"}), "'r1' is a Lambda; expected Dense"),
        (row(d1={"activation": "tanh"}), "'d1' has the activation 'tanh'"),
        (row(d1={"activation": "softmax"}), "'d1' has the activation 'softmax'"),
        (row(d1={"activation": "relu"}), "found Relu 'd1', expected a norm"),
        (row(r1={"max_value": 6.0}), "ReLU 'r1' has a slope, a threshold or a highest value"),
        (row(g1={"axis": 0}), "'g1' has axis=0; expected -1"),
        (row(g1={"center": False}), "'g1' has center=False; expected True"),
        (row(g1={"groups": 3}), r"different numbers of groups, \[2, 3\]"),
        (row(g1={"class_name": "LayerNormalization"}), "found Norm 'g1', expected the same kind of norm"),
        (row(o1={"rate": 0.5}), "different chances"),
        (row(d1={"registered_name": "mine>Dense"}), "code of somebody's own, 'mine>Dense'"),
        (row()[:-1], "expected an affine layer at the end"),
        ([], "holds no affine layer"),
        ([3], "architecture in net.keras is damaged"),
    ],
)
def test_another_architecture_is_refused_by_the_layer_s_name(layers, sentence):
    with pytest.raises(ForeignNetError, match=sentence):
        read_archive(archive(layers), "net.keras")


def test_an_archive_of_something_else_is_a_sentence():
    with pytest.raises(ForeignNetError, match=r"the model is a Functional; expected a Sequential"):
        read_archive(archive(row(), class_name="Functional"), "net.keras")
    with pytest.raises(ForeignNetError, match=r"is not a .keras file"):
        read_archive(b"PK\x03\x04 and no more", "net.keras")
    with pytest.raises(ForeignNetError, match="larger than 16,777,216 bytes"):
        read_archive(archive(row(), **{"config.json": b" " * 2**25}), "net.keras")
    with pytest.raises(ForeignNetError, match=r"the weights in net.keras are not those of the architecture in it"):
        from_bytes(archive(row(), changed(lambda _: None)), "net.keras", Told())


def test_a_file_with_its_label_comes_back_whole(batchnorm_net):
    parts, notes = from_bytes(changed(lambda _: None, label=True), "net.weights.h5", Told())
    assert same_net(put_together(parts), batchnorm_net)
    assert notes == []
