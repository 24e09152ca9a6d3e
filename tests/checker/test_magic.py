"""The cell magic: its words, and what it says about what nobody knows."""

import pytest

from normlab.checker import magic
from normlab.errors import OptionError

RELU = "import numpy as np\ndef relu_forward(x):\n    return np.maximum(0, x), x\n"


class Shell:
    """As much of IPython as the magic uses."""

    def __init__(self):
        self.user_ns = {}

    def run_cell(self, cell):
        exec(cell, self.user_ns)
        return self

    success = True

    def register_magic_function(self, function, kind, name):
        assert (kind, name) == ("cell", "check")
        self.check = function


@pytest.fixture
def check():
    shell = Shell()
    magic.register(shell)
    return shell.check


def test_options_are_no_names(check):
    shown = check("--hint 2 --seed 5", RELU + "def relu_backward(dout, cache):\n    return dout\n")
    assert shown.functions == {"relu_forward": "right", "relu_backward": "wrong"}
    assert shown.seed == 5
    text = str(shown)
    assert "hint 2" in text
    assert "hint 3" not in text
    assert "hint 3" not in shown._repr_html_()


def test_names_that_nobody_knows_are_listed(check):
    shown = check("foo relu_backward", RELU)
    assert {one.name: one.reason for one in shown.not_judged} == {
        "foo": "not known",
        "relu_backward": "there is no such function",
    }
    assert shown.exit_code == 3
    shown = check("", "def relu_forwrd(x):\n    return x\n")
    assert "did you mean relu_forward?" in str(shown)


@pytest.mark.parametrize("line", ["--hint 7", "--hint x", "--hints 2", "'"])
def test_wrong_words_are_a_sentence(line, check):
    with pytest.raises(OptionError, match=r"^%%check: (?!%%check)"):
        check(line, RELU)


def test_a_terminal_shows_the_text(check):
    lib = pytest.importorskip("IPython.lib.pretty", reason="IPython is not installed")
    assert "1 right" in lib.pretty(check("--hint 1", RELU))
