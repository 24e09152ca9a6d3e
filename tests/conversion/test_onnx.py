"""ONNX graphs: what ONNX's own reference makes of ours, and which are no longer ours."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from normlab.conversion import ForeignNetError, import_net
from normlab.conversion.net_parts import put_together, take_apart
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
    assert [node.op_type for node in model.graph.node] == [
        "Gemm",
        "BatchNormalization",
        "Relu",
    ] * 3 + ["Gemm"]
    settings_there = {
        each.name: helper.get_attribute_value(each) for each in model.graph.node[1].attribute
    }
    assert settings_there == {"epsilon": pytest.approx(1e-5), "momentum": pytest.approx(0.9)}
    sets = [
        to_model(take_apart(NETS[f"{norm}, float32"])).opset_import[0].version
        for norm in ("groupnorm", "rmsnorm")
    ]
    assert sets == [21, 23]


@pytest.fixture
def model():
    return to_model(take_apart(NETS["batchnorm, float32"]))


def read(model):
    return from_bytes(model.SerializeToString(), "net.onnx")


def test_a_graph_without_a_label_is_refused_with_what_to_do(model):
    del model.metadata_props[:]
    with pytest.raises(
        ForeignNetError, match=r"net\.onnx has no label of normlab.*copy its arrays"
    ):
        read(model)


def test_a_net_that_learned_elsewhere_keeps_what_it_learned(model):
    tensor("W1", np.ones((6, 12), "f4"))(model)
    assert (read(model).affines[0].W == 1).all()


def node_named(model, name):
    return next(node for node in model.graph.node if node.name == name)


def tensor_named(model, name):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def set_attribute(name, **values):
    def change(model):
        node = node_named(model, name)
        kept = [each for each in node.attribute if each.name not in values]
        del node.attribute[:]
        node.attribute.extend(
            [*kept, *(helper.make_attribute(key, value) for key, value in values.items())]
        )

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


NOT_OURS = "no longer the graph of the label's net|not a valid ONNX model"
REFUSED = {
    "tensors in another file": (
        elsewhere,
        r"'W1' of net.onnx lies in another file.*external_data=False",
    ),
    "a lying shape": (lying, "says shape|not a valid ONNX model"),
    "training mode": (set_attribute("norm1", training_mode=1), NOT_OURS),
    "another activation": (
        operator("hidden1", "Sigmoid"),
        r"the node 'hidden1' \(Sigmoid\) is not what normlab wrote",
    ),
    "no activation": (operator("hidden1", "Identity"), "'hidden1'"),
    "another eps": (set_attribute("norm1", epsilon=0.5), "'norm1'"),
    "a scaled product": (set_attribute("affine1", alpha=2.0), "'affine1'"),
    "a wrong vector": (
        tensor("gamma1", np.ones(3, "f4")),
        r"'gamma1' in net.onnx has shape \(3,\) .*\(12,\)",
    ),
    "a wrong matrix": (
        tensor("W2", np.ones((5, 18), "f4")),
        "affine layer 1 gives 12 values and affine layer 2 takes 5",
    ),
    "other types": (tensor("W2", np.ones((12, 18))), "types 'float32', 'float64'|not a valid"),
    "a branch": (branch, r"the node '' \(Relu\)|not a valid"),
    "a circle": (circle, NOT_OURS),
    "a computed bias": (computed, r"the node '' \(Relu\)"),
    "an old operator set": (old, NOT_OURS),
    "somebody's operator": (foreign, "'hidden1'"),
    "functions": (functions, "holds 1 functions; expected at most 0"),
    "one node less": (lambda model: model.graph.node.pop(), "the end after 9 nodes|not a valid"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_another_graph_is_refused_by_the_node_s_name(model, fault):
    change, sentence = REFUSED[fault]
    change(model)
    with pytest.raises(UserError, match=sentence):
        read(model)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95", os.urandom(500)])
def test_what_is_no_model_is_a_sentence(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ForeignNetError, match=r"is not an? (valid )?ONNX model|no label"):
        import_net(tmp_path / "net.onnx", "onnx")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_models_are_refused_or_read_and_nothing_else(data):
    content = bytearray(to_bytes(take_apart(NETS["groupnorm, float32"])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, 600) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UserError):
        put_together(from_bytes(bytes(content), "net.onnx"))
