"""What a report says, and to whom: text, JSON, HTML, a notebook's cell, the command line."""

import html.parser
import json
import types

import pytest
from typer.testing import CliRunner

import normlab
from normlab.checker import check, explain
from normlab.checker.findings import Finding, Report
from normlab.checker.magic import defined, only
from normlab.checker.mistakes import CATALOGUE
from normlab.checker.show_html import page
from normlab.checker.show_text import as_text
from normlab.cli.app import app
from normlab.errors import UserError
from tests.checker.planting import namespace, text_of

WRONG = """import numpy as np
def relu_forward(x):
    return abs(x), x
def relu_backward(dout, x):
    return dout * (x > 0)
"""


@pytest.fixture
def wrong_file(write):
    return write(layers=WRONG) / "layers.py"


def test_the_text_names_the_function_the_fault_and_the_place(wrong_file):
    text = as_text(check(wrong_file))
    assert "✗ relu_forward: wrong   (layers.py:3)" in text
    assert "off by" in text
    assert "your line:   3 | return abs(x), x" in text
    assert "how sure:    certain" in text
    assert "absolute value" not in text
    assert "✓ right: relu_backward" in text
    assert "hint 1:" not in text


@pytest.mark.parametrize("level", [1, 2, 3])
def test_hints_come_in_levels(wrong_file, level):
    text = as_text(check(wrong_file), level)
    assert [f"hint {n}:" in text for n in (1, 2, 3)] == [n <= level for n in (1, 2, 3)]


def test_a_headline_starts_with_a_capital_but_a_formula_keeps_its_letters():
    assert Finding("f", "wrong", sentence="eps is missing").headline == "Eps is missing"
    assert Finding("f", "wrong", sentence="γ is missing").headline == "γ is missing"


def test_every_fault_has_its_words_and_three_hints_without_code():
    words = {
        name: name
        for name in (
            "over",
            "other",
            "n",
            "d",
            "a",
            "b",
            "c",
            "what",
            "kind",
            "function",
            "on",
            "message",
            "axis",
        )
    }
    for topic, entries in CATALOGUE.items():
        for key, fault in entries.items():
            told = fault.filled(words)
            assert told.sentence, (topic, key)
            assert "<" not in told.sentence.replace("x < 0", "")
            if key == "right":
                continue
            assert len(told.hints) == 3, (topic, key)
            assert not any(
                code in hint
                for hint in (told.where, told.tried, told.asked, told.sentence)
                for code in ("np.sum", "keepdims=", "axis=0)", "return d", " = np")
            )


def test_json_has_the_documented_fields(wrong_file):
    values = json.loads(check(wrong_file, seed=7).to_json())
    assert set(values) == {
        "schema",
        "subject",
        "functions",
        "findings",
        "notes",
        "read",
        "passed_over",
        "not_judged",
        "limits",
        "seed",
        "seconds",
    }
    assert values["schema"] == 1
    assert values["seed"] == 7
    assert values["functions"] == {"relu_forward": "wrong", "relu_backward": "right"}
    fields = {
        "function", "verdict", "fault", "sentence", "derivation", "evidence", "cell", "severity",
        "hints", "named",
        "file", "line", "follows", "symptom", "sure", "text",
    }  # fmt: skip
    assert all(set(finding) == fields for finding in values["findings"])
    assert values["findings"][0]["fault"] == "relu_forward.absolute_value"


def test_the_same_seed_asks_the_same_questions(wrong_file):
    first, second = (check(wrong_file, seed=3) for _ in range(2))
    assert first.findings == second.findings
    assert check(wrong_file).seed != check(wrong_file).seed


class Balanced(html.parser.HTMLParser):
    """Follows open and closed tags."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        del attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_escapes_what_it_shows():
    hostile = Finding(
        "f<script>",
        "wrong",
        "f.x",
        "a <b> & 'c'",
        "x < y",
        "<i>",
        "none",
        "fault",
        ("h<1", "h2", "h3"),
    )
    text = page(Report("<subject>", (hostile,)))
    assert "<script>" not in text
    assert "&lt;subject&gt;" in text
    reader = Balanced()
    reader.feed(text)
    assert reader.open == []
    assert text.count("<details>") == 3


def test_a_module_or_a_namespace_is_checked_as_it_is():
    module = types.ModuleType("mine")
    vars(module).update(namespace(WRONG))
    assert check(module).functions["relu_forward"] == "wrong"
    assert normlab.check(namespace(text_of("layers_einsum")))._repr_html_().count("✗") == 0


def test_a_check_leaves_the_notebooks_random_numbers_alone():
    import numpy as np

    np.random.seed(3)
    expected = np.random.RandomState(3).rand()
    check(namespace(text_of("layers_staged")))
    assert np.random.rand() == expected


class Shell:
    """As much of IPython as the magic needs."""

    def __init__(self):
        self.user_ns, self.magics = {}, {}

    def run_cell(self, cell):
        exec(cell, self.user_ns)
        return types.SimpleNamespace(success=True)

    def register_magic_function(self, function, kind, name):
        self.magics[kind, name] = function


def test_the_cell_magic_runs_the_cell_and_judges_what_it_defines():
    from normlab.checker import load_ipython_extension

    shell = Shell()
    load_ipython_extension(shell)
    report = shell.magics["cell", "check"]("", WRONG)
    assert report.functions == {"relu_forward": "wrong", "relu_backward": "right"}
    report = shell.magics["cell", "check"](
        "", "def relu_forward(x):\n    return np.maximum(x, 0), x\n"
    )
    assert report.functions == {"relu_forward": "right"}
    assert shell.magics["cell", "check"]("relu_backward", "y = 1\n").functions == {
        "relu_backward": "right"
    }
    assert defined(WRONG) == ["relu_forward", "relu_backward"]
    assert only(report, []).functions == {}


@pytest.mark.parametrize(
    "name",
    ["batchnorm_backward", "batchnorm_backward_alt", "layernorm_backward", "adam", "TwoLayerNet"],
)
def test_a_derivation_is_explained(name):
    text = explain(name)
    assert text.startswith(f"{name}: ")
    assert "  1. " in text


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'batchnorm_forward'"):
        explain("batchnorm_forwards")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_line_prints_and_ends_with_the_verdict(wrong_file, assignment, tmp_path):
    done = run("check", wrong_file, "--hint", 2, "--html", tmp_path / "page.html")
    assert done.exit_code == 1
    assert "hint 2:" in done.output
    assert "Takes the absolute value" not in (tmp_path / "page.html").read_text()[:100]
    assert "<details>" in (tmp_path / "page.html").read_text()
    assert run("check", assignment).exit_code == 0
    assert (
        json.loads(run("check", wrong_file, "--json").output)["functions"]["relu_forward"]
        == "wrong"
    )
    assert run("check", wrong_file, "--hint", 4).exit_code == 2
    assert "mean(dx̂·x̂)" in run("explain", "batchnorm_backward").output
