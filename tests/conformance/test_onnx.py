"""ONNX's own conformance suite, by the reference and the fused kernels; what is skipped is named."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="ONNX, whose suite this is, is not installed")
if not onnx.__version__.startswith("1.23."):
    pytest.skip(
        f"the cases are those of onnx 1.23; this is {onnx.__version__}", allow_module_level=True
    )

from normlab.errors import OptionError  # noqa: E402
from proof.conformance import onnx_backend, onnx_suite, onnx_training  # noqa: E402

SKIPPED = Path(__file__).parents[2] / "docs" / "conformance-skipped.md"

RUN = {
    "node": {
        "LayerNormalization": 19,
        "RMSNormalization": 19,
        "LpNormalization": 6,
        "BatchNormalization": 4,
        "GroupNormalization": 2,
        "InstanceNormalization": 2,
        "LRN": 2,
        "MeanVarianceNormalization": 1,
        "SoftmaxCrossEntropyLoss": 34,
        "NegativeLogLikelihoodLoss": 18,
        "Dropout": 12,
        "Gemm": 11,
        "Relu": 1,
        "Momentum": 3,
        "Adam": 2,
        "Adagrad": 2,
    },
    "simple": {"Relu": 1},
    "pytorch-converted": {"BatchNormalization": 5, "Gemm": 1, "Relu": 1},
    "pytorch-operator": {"Gemm": 1, "Constant Gemm": 1, "InstanceNormalization": 1},
}

# one row alone: the kernels take batches of at least two rows, and hand others to the reference
NOT_BY_THE_KERNELS = {
    "test_layer_normalization_2d_axis0",
    "test_layer_normalization_2d_axis_negative_2",
    "test_layer_normalization_3d_axis0_epsilon",
    "test_layer_normalization_3d_axis_negative_3_epsilon",
    "test_layer_normalization_4d_axis0",
    "test_layer_normalization_4d_axis_negative_4",
}


@pytest.fixture(scope="module")
def by_the_book():
    return onnx_suite.run(
        onnx_backend.ByTheBook, [case.name for case in onnx_suite.cases() if case.skipped is None]
    )


def test_exactly_these_cases_are_run():
    run = Counter(
        (case.kind, " ".join(case.operators)) for case in onnx_suite.cases() if case.skipped is None
    )
    assert run == {
        (kind, names): count for kind, counts in RUN.items() for names, count in counts.items()
    }
    assert sum(RUN["node"][norm] for norm in onnx_suite.NORMS) == 55


def test_every_case_that_is_run_passes(by_the_book):
    assert {name: told for name, told in by_the_book.items() if told} == {}
    assert len(by_the_book) == sum(count for counts in RUN.values() for count in counts.values())


def test_the_kernels_pass_what_they_compute_and_refuse_the_rest_by_name():
    pytest.importorskip("numba", reason="the kernels need Numba")
    fused = {"BatchNormalization", "LayerNormalization"}
    names = [
        case.name
        for case in onnx_suite.cases()
        if case.skipped is None and set(case.operators) <= fused
    ]
    outcomes = onnx_suite.run(onnx_backend.ByTheKernels, names)
    assert len(outcomes) == 19 + 4 + 5
    told = {name: text for name, text in outcomes.items() if text}
    assert set(told) == NOT_BY_THE_KERNELS
    assert all(text.endswith(onnx_backend.HANDED_OVER) for text in told.values())


def test_the_published_list_of_skipped_cases_is_exact():
    published = SKIPPED.read_text(encoding="utf-8")
    assert published.partition("\n## ")[2] == onnx_suite.skipped_table().removeprefix("## ")


def test_every_case_is_either_run_or_listed_as_skipped_once():
    published = SKIPPED.read_text(encoding="utf-8")
    listed = Counter(f"test_{name}" for name in _names(published))
    everything = Counter(case.name for case in onnx_suite.cases())
    run = Counter(case.name for case in onnx_suite.cases() if case.skipped is None)
    assert listed + run == everything


def _names(page: str) -> list[str]:
    """The case names of each list item: what follows its colon."""
    items = re.findall(
        r"^- [^\n]*?\(\d+\):(.*?)(?=\n- |\n\n|\Z)", page, flags=re.DOTALL | re.MULTILINE
    )
    return [name for item in items for name in item.split()]


@pytest.mark.parametrize("operator", sorted(onnx_backend.BY_THE_BOOK))
def test_a_wrong_operator_is_noticed(operator, monkeypatch):
    """The suite can fail: an operator whose outputs are off by a hundredth passes none of its cases."""
    right = onnx_backend.BY_THE_BOOK[operator]

    def off(attributes, inputs):
        return tuple(
            out if out.dtype == bool else (out * 1.01 + 0.001).astype(out.dtype)
            for out in right(attributes, inputs)
        )

    names = [
        case.name
        for case in onnx_suite.cases()
        if case.kind == "node" and case.operators == (operator,)
    ]
    monkeypatch.setitem(onnx_backend.BY_THE_BOOK, operator, off)
    outcomes = onnx_suite.run(onnx_backend.ByTheBook, names)
    assert all(outcomes.values())
    assert len(outcomes) == RUN["node"][operator]


def test_an_unknown_operator_is_refused_by_name():
    node = onnx.helper.make_node("Softmax", ["x"], ["y"])
    info = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2, 3]) for name in "xy"
    ]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", info[:1], info[1:]))
    with pytest.raises(
        OptionError, match="ByTheBook has no operator 'Softmax'; it knows 'Adagrad', 'Adam'"
    ):
        onnx_backend.ByTheBook.prepare(model)


def test_dropout_draws_what_onnx_draws():
    """ONNX keeps where u >= ratio: the mirrored draws of the reference's u < 1 - ratio must be the same units."""
    u = np.random.RandomState(3).rand(40, 50)
    _, mask = onnx_training.dropout(
        {"seed": 3}, [np.ones((40, 50), np.float32), np.float32(0.3).reshape(()), np.array(True)]
    )
    assert (mask == (u >= np.float32(0.3))).all()
