"""Whatever a function returns is a finding about it, and the others are judged as ever."""

import itertools

import pytest

from normlab.checker import check, diagnose
from normlab.checker.api import check as check_namespace
from tests.checker.planting import namespace, text_of

SLIPS = {
    "None after it": lambda v: (*_tuple(v), None),
    "None before it": lambda v: (None, *_tuple(v)),
    "the other way round": lambda v: tuple(reversed(_tuple(v))),
    "in a list": lambda v: [v],
    "an array of objects": lambda v: _each(v, lambda a: a.astype(object)),
    "whole numbers": lambda v: _each(v, lambda a: (a * 3).astype(int)),
    "truth values": lambda v: _each(v, lambda a: a > 0),
    "complex": lambda v: _each(v, lambda a: a + 1j),
    "text": str,
    "one number": lambda _: 0.5,
    "nothing in it": lambda _: (),
    "a dict": lambda v: dict(enumerate(_tuple(v))),
    "transposed": lambda v: _each(v, lambda a: a.T),
    "empty": lambda v: _each(v, lambda a: a[:0]),
    "NaN": lambda v: _each(v, lambda a: a * float("nan")),
    "a generator": lambda v: (x for x in _tuple(v)),
    "another axis": lambda v: _each(v, lambda a: a[None]),
}
FUNCTIONS = ("relu_forward", "relu_backward", "softmax_loss", "svm_loss", "affine_backward",
             "dropout_forward",
             "dropout_backward", "batchnorm_forward", "batchnorm_backward", "layernorm_backward",
             "adam",
             "max_pool_backward_naive", "spatial_groupnorm_backward")  # fmt: skip


def _tuple(value):
    return value if isinstance(value, tuple) else (value,)


def _each(value, change):
    if isinstance(value, tuple):
        return tuple(change(item) if hasattr(item, "astype") else item for item in value)
    return change(value) if hasattr(value, "astype") else value


@pytest.mark.parametrize("slip", SLIPS)
def test_an_odd_result_is_a_finding_of_that_function(slip):
    right = namespace(text_of("layers_staged", "optim_plain"))
    for name in FUNCTIONS:
        family = name.partition("_forward")[0].partition("_backward")[0]
        names = {
            other: f for other, f in right.items() if not callable(f) or other.startswith(family)
        }
        names = {other: f for other, f in names.items() if not isinstance(f, type)}
        names[name] = lambda *args, f=right[name], change=SLIPS[slip]: change(f(*args))
        report = check_namespace(names, seed=4)
        assert report.functions[name] in ("wrong", "unimplemented"), (name, report)
        assert not [f for f in report.findings if f.verdict == "unjudged"], (name, report)


def test_a_failing_probe_is_one_row_with_a_report_to_copy(monkeypatch):
    def broken(exam):
        exam.subject.call("relu_forward", 1.0)
        raise ZeroDivisionError("ours")

    probes = [
        (broken if "relu_forward" in names else probe, names) for probe, names in diagnose.PROBES
    ]
    monkeypatch.setattr(diagnose, "PROBES", probes)
    report = check(namespace(text_of("layers_staged")), seed=8)
    assert report.functions["relu_forward"] == report.functions["relu_backward"] == "unjudged"
    assert report.functions["affine_forward"] == "right"
    assert report.exit_code == 3
    (finding,) = [f for f in report.findings if f.function == "relu_forward"]
    assert "please report: normlab" in finding.evidence
    assert "seed 8" in finding.evidence
    assert "ZeroDivisionError: ours" in finding.evidence


def test_every_slip_differs():
    assert len(SLIPS) * len(FUNCTIONS) > 200
    assert all(a != b for a, b in itertools.pairwise(SLIPS))
