"""ONNX graphs: what ONNX's own reference makes of ours, and other people's graphs, read or refused by the node."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.conversion import ForeignNetError, Told, import_net
from normlab.conversion.parts import put_together, take_apart
from normlab.errors import UserError

from .conftest import NETS

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

from onnx import helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from normlab.conversion.onnx import from_bytes, to_bytes, to_model  # noqa: E402


def test_onnx_s_reference_gives_the_same_scores(net, X):
    if net.dtype == np.float64 and net.normalization in ("layernorm", "rmsnorm"):
        pytest.skip("ONNX's reference takes the statistics of layer and RMS norm in float32 only")
    model = to_model(take_apart(net))
    onnx.checker.check_model(model, full_check=True)
    (y,) = ReferenceEvaluator(model).run(None, {"x": X.astype(net.dtype)})
    expected = net.loss(X)
    assert y.dtype == net.dtype
    # float32 arithmetic there; for float64, eps is still a float32
    tolerance = 1e-5 if net.dtype == np.float32 else 1e-9
    np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_the_graph_is_the_chain_it_should_be(batchnorm_net):
    model = to_model(take_apart(batchnorm_net))
    assert [node.op_type for node in model.graph.node] == ["Gemm", "BatchNormalization", "Relu"] * 3 + ["Gemm"]
    settings_there = {each.name: helper.get_attribute_value(each) for each in model.graph.node[1].attribute}
    assert settings_there == {"epsilon": pytest.approx(1e-5), "momentum": pytest.approx(0.9)}
    sets = [to_model(take_apart(NETS[f"{norm}, float32"])).opset_import[0].version for norm in ("groupnorm", "rmsnorm")]
    assert sets == [21, 23]


@pytest.fixture
def model():
    """Batch norm's graph, without the label."""
    model = to_model(take_apart(NETS["batchnorm, float32"]))
    del model.metadata_props[:]
    return model


def read(model, **told):
    return from_bytes(model.SerializeToString(), "net.onnx", Told(**told))


def test_a_graph_without_a_label_says_nearly_all_itself(model, batchnorm_net, X):
    parts, notes = read(model, dropout=0.25)
    assert notes == []
    assert (parts.norms[0].eps, parts.norms[0].momentum, parts.keep) == (1e-5, 0.9, 0.75)
    np.testing.assert_allclose(put_together(parts).loss(X), batchnorm_net.loss(X), rtol=0, atol=1e-5)


def node_named(model, name):
    return next(node for node in model.graph.node if node.name == name)


def tensor_named(model, name):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def turned(model):
    """Weights the other way round, as PyTorch exports them."""
    W = tensor_named(model, "W1")
    W.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(W).T), "W1"))
    node_named(model, "affine1").attribute.append(helper.make_attribute("transB", 1))


def in_two_steps(model):
    """MatMul and Add in place of Gemm, with the bias first."""
    at = list(model.graph.node).index(node_named(model, "affine2"))
    del model.graph.node[at]
    model.graph.node.insert(at, helper.make_node("MatMul", ["hidden1", "W2"], ["product"]))
    model.graph.node.insert(at + 1, helper.make_node("Add", ["b2", "product"], ["affine2"]))


def by_other_names(model):
    """A tensor through Identity and one as a Constant node, and a Dropout, Flatten and Identity that do nothing."""
    node_named(model, "norm1").input[3] = "mean"
    model.graph.node.insert(0, helper.make_node("Identity", ["running_mean1"], ["mean"]))
    bias = tensor_named(model, "b1")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["constant"], value=bias))
    node_named(model, "affine1").input[2] = "constant"
    node_named(model, "affine1").input[0] = "flat"
    model.graph.node.insert(2, helper.make_node("Flatten", ["x"], ["flat"]))
    node_named(model, "affine2").input[0] = "same"
    at = list(model.graph.node).index(node_named(model, "affine2"))
    model.graph.node.insert(at, helper.make_node("Dropout", ["hidden1"], ["dropped"]))
    model.graph.node.insert(at + 1, helper.make_node("Identity", ["dropped"], ["same"]))


@pytest.mark.parametrize("change", [turned, in_two_steps, by_other_names])
def test_the_same_net_written_otherwise_is_the_same_net(model, change):
    expected, _ = read(model)
    change(model)
    found, _ = read(model)
    for one, other in zip((*expected.affines, *expected.norms), (*found.affines, *found.norms), strict=True):
        assert [np.asarray(value).tobytes() for value in one] == [np.asarray(value).tobytes() for value in other]


def set_attribute(name, **values):
    def change(model):
        node = node_named(model, name)
        kept = [each for each in node.attribute if each.name not in values]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(key, value) for key, value in values.items())])

    return change


def operator(name, op_type):
    def change(model):
        node = node_named(model, name)
        node.op_type = op_type
        del node.attribute[:]

    return change


def tensor(name, array):
    return lambda model: tensor_named(model, name).CopyFrom(numpy_helper.from_array(array, name))


def elsewhere(model):
    external = tensor_named(model, "W1")
    external.ClearField("raw_data")
    external.data_location = onnx.TensorProto.EXTERNAL
    external.external_data.add(key="location", value="../../../etc/passwd")


def lying(model):
    del tensor_named(model, "b1").dims[:]
    tensor_named(model, "b1").dims.extend([2**40, 2**20])


def branch(model):
    model.graph.node.append(helper.make_node("Relu", ["hidden1"], ["aside"]))


def circle(model):
    node_named(model, "hidden1").input[0] = "hidden2"


def computed(model):
    model.graph.node.insert(0, helper.make_node("Relu", ["b1"], ["b1positive"]))
    node_named(model, "affine1").input[2] = "b1positive"


def old(model):
    model.opset_import[0].version = 7


def foreign(model):
    model.opset_import.append(helper.make_opsetid("com.somebody", 1))
    node_named(model, "hidden1").domain = "com.somebody"


def functions(model):
    sets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", ["a"], ["a"], [], sets))


REFUSED = {
    "tensors in another file": (elsewhere, "'W1' in net.onnx lies in another file"),
    "a lying shape": (lying, "says shape|not a valid ONNX model"),
    "training mode": (set_attribute("norm1", training_mode=1), "training mode|not a valid ONNX model"),
    "another activation": (operator("hidden1", "Sigmoid"), "'hidden1' is Sigmoid; normlab's nets have Gemm"),
    "no activation": (operator("hidden1", "Identity"), "found Affine 'affine2', expected a ReLU"),
    "a scaled product": (set_attribute("affine1", alpha=2.0), "Gemm 'affine1' has alpha=2.0; expected 1.0"),
    "a wrong vector": (tensor("gamma1", np.ones(3, "f4")), r"'gamma1', of 'norm1', has shape \(3,\); expected \(12,\)"),
    "a wrong matrix": (
        tensor("W2", np.ones((5, 18), "f4")),
        "affine layer 1 gives 12 values and affine layer 2 takes 5",
    ),
    "other types": (tensor("W2", np.ones((12, 18))), "types 'float32', 'float64'|not a valid"),
    "a branch": (branch, "'hidden1' goes to 2 nodes; expected a chain"),
    "a circle": (circle, "goes to 0 nodes|goes to 2 nodes|not a valid"),
    "a computed bias": (computed, "'b1positive', of 'affine1', is computed in the graph"),
    "an old operator set": (old, "operator set 7, in which BatchNormalization|not a valid"),
    "somebody's operator": (foreign, "of the domain 'com.somebody'"),
    "functions": (functions, "holds 1 functions; expected at most 0"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_another_graph_is_refused_by_the_node_s_name(model, fault):
    change, sentence = REFUSED[fault]
    change(model)
    with pytest.raises(UserError, match=sentence):
        read(model)


def test_layer_norm_over_another_axis_is_refused():
    model = to_model(take_apart(NETS["layernorm, float32"]))
    set_attribute("norm1", axis=0)(model)
    with pytest.raises(ForeignNetError, match="'norm1' has axis=0; expected -1"):
        read(model)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95", os.urandom(500)])
def test_what_is_no_model_is_a_sentence(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ForeignNetError, match=r"is not an? (valid )?ONNX model"):
        import_net(tmp_path / "net.onnx", "onnx")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_models_are_refused_or_read_and_nothing_else(data):
    content = bytearray(to_bytes(take_apart(NETS["groupnorm, float32"])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, 600) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UserError):
        put_together(from_bytes(bytes(content), "net.onnx", Told())[0])
