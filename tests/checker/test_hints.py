"""Hints give the answer away in steps: how it fails, which path, which term, the formula."""

import pytest

from normlab.checker import check
from normlab.checker.mistakes.record import headline
from normlab.checker.quoting import quoted
from normlab.checker.show_html import page
from normlab.checker.show_text import as_text
from tests.checker.planting import namespace


@pytest.fixture
def report(write):
    planted = """import numpy as np
def batchnorm_forward(x, gamma, beta, bn_param):
    eps = bn_param.get("eps", 1e-5)
    mu, var = x.mean(0), x.var(0)
    xhat = (x - mu) / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, gamma, var, eps)
def batchnorm_backward(dout, cache):
    xhat, gamma, var, eps = cache
    dxhat = dout * gamma
    dmu = 0
    dx = (dxhat - xhat * (dxhat * xhat).mean(0)) / np.sqrt(var + eps) + dmu
    return dx, (dout * xhat).sum(0), dout.sum(0)
"""
    return check(write(layers=planted) / "layers.py", seed=1)


def test_without_a_hint_it_says_how_it_fails_and_where_and_not_why(report):
    text = as_text(report)
    assert "batchnorm_backward: wrong   (layers.py:10)" in text
    assert "your line:   10 | dmu = 0" in text
    assert "dx is off by" in text
    assert "how sure:    certain" in text
    for word in ("the mean is missing", "path through", "coefficients", "mean(dx̂)"):
        assert word not in text


@pytest.mark.parametrize(
    ("level", "there", "not_yet"),
    [
        (1, "Look at the path through the mean", "The path through the mean is missing"),
        (2, "The path through the mean is missing", "− s·mean(dx̂)"),
        (3, "− s·mean(dx̂)", "!"),
    ],
)
def test_each_hint_says_more(report, level, there, not_yet):
    text = " ".join(as_text(report, level).split())
    assert there in text
    assert not_yet not in text


def test_a_page_keeps_hints_folded_up_to_the_cap(report):
    assert page(report, 1).count("<details>") == len(report.wrong)
    assert "path through the mean is missing" not in page(report, 1)
    assert "path through the mean is missing" in page(report, 2)


def test_names_of_code_stay_as_they_are_written():
    assert headline("dx is zero") == "dx is zero"
    assert headline("t never moves") == "t never moves"
    assert headline("running_var: replaced") == "running_var: replaced"
    assert headline("the scores pass through ReLU") == "The scores pass through ReLU"


def test_a_line_outside_of_the_folder_is_never_quoted(tmp_path, report):
    secret = tmp_path / "elsewhere" / "secret.py"
    secret.parent.mkdir()
    secret.write_text("one\ntwo\n")
    (tmp_path / "inside").mkdir()
    finding = report.wrong[0].__class__("f", "wrong", file=str(secret), line=1)
    assert quoted(finding, (), tmp_path / "inside").text == ""
    assert quoted(finding, (), tmp_path / "elsewhere").text == "one"
    link = tmp_path / "inside" / "link.py"
    link.symlink_to(secret)
    assert (
        quoted(
            finding.__class__("f", "wrong", file=str(link), line=1), (), tmp_path / "inside"
        ).text
        == ""
    )


def test_without_jinja2_the_page_is_the_text(report, monkeypatch):
    from normlab.checker import show_html

    monkeypatch.setattr(show_html, "_templates", lambda: None)
    assert "<pre>" in page(report)
    assert "dx is off by" in page(report)


def test_a_cell_of_a_notebook_is_reported_without_a_file():
    assert check(namespace("def relu_forward(x):\n    return x, x\n")).wrong[0].text == ""
