# code of others is kept as they write it
"""Any year's files load with no edit, and what is broken does not take the rest with it."""

import sys

import pytest

from normlab.checker import check
from normlab.checker.here import check_here
from normlab.checker.names import LAYERS, NETS, RULES
from normlab.errors import UserError
from tests.checker.planting import text_of


def test_a_whole_folder_is_right(assignment):
    report = check(assignment)
    assert set(report.functions.values()) == {"right"}
    assert {"TwoLayerNet", "FullyConnectedNet", *RULES} <= set(report.functions)
    assert report.exit_code == 0
    assert any("fast_layers is not there" in note for note in report.notes)


@pytest.mark.parametrize(
    "where", ["cs231n", "cs231n/layers.py", "cs231n/classifiers/fc_net.py", "cs231n/optim.py"]
)
def test_any_part_of_it_may_be_named(assignment, where):
    report = check(assignment / where)
    assert set(report.functions.values()) == {"right"}


def test_files_may_lie_flat_and_import_a_package_that_is_not_there(write):
    folder = write(
        layers=text_of("layers_course"),
        optim=text_of("optim_later"),
        fc_net="from cs682.layers import *\nfrom cs682.layer_utils import *\nimport matplotlib.nowhere\n"
        + text_of("nets_lists"),
    )
    report = check(folder)
    assert set(report.functions.values()) == {"right"}
    assert {"FullyConnectedNet", "adam", "layernorm_forward"} & set(report.functions) == {
        "FullyConnectedNet",
        "adam",
    }


def test_a_person_s_own_cs682_is_asked_and_not_this_project_s(write):
    folder = write(
        cs682__layers="def relu_forward(x):\n    return abs(x), x\n",
        cs682__layer_utils="from cs682.layers import *\n",
    )
    report = check(folder)
    assert report.functions == {"relu_forward": "wrong"}


def test_python_2_runs_and_is_told_so(write):
    folder = write(
        layers="import numpy as np\nprint 'loading', 3\nfrom itertools import izip\n"
        "def relu_forward(x):\n\tout = np.maximum(0, x)\n\tfor i in xrange(2):\n\t\tprint "
        "i\n\treturn out, x\ndef relu_backward(dout, cache):\n\ttry:\n\t\tn = "
        "np.product(cache.shape)\n\texcept ValueError, e:\n\t\tprint e\n\tfor k, v in {'a': "
        "1}.iteritems(): pass\n\treturn dout * (cache > 0)\n"
    )
    report = check(folder / "layers.py")
    assert report.functions == {"relu_forward": "right", "relu_backward": "right"}
    told = " ".join(report.notes)
    assert "print statement" in told
    assert "np.product" in told
    assert "iteritems" in told


def test_one_function_that_does_not_parse_leaves_the_others(write):
    folder = write(
        layers="import numpy as np\ndef relu_forward(x):\n    return np.maximum(0, x), x\n\n"
        "def relu_backward(dout, cache):\n    return dout * (cache > 0\n\ndef softmax_loss(x, "
        "y):\n    pass\n"
    )
    report = check(folder / "layers.py")
    assert report.functions == {
        "relu_forward": "right",
        "relu_backward": "wrong",
        "softmax_loss": "unimplemented",
    }
    (broken,) = report.wrong
    assert broken.fault == "relu_backward.syntax"
    assert broken.line == 6


def test_a_statement_that_fails_leaves_the_rest(write):
    folder = write(
        layers="x = 1 / 0\nimport sys\nsys.exit(3)\ndef relu_forward(x):\n    return (x > 0) * x, x\n"
    )
    report = check(folder / "layers.py")
    assert report.functions == {"relu_forward": "right"}
    assert any("ZeroDivisionError" in note for note in report.notes)


def test_a_starter_is_unwritten_and_not_wrong(write):
    folder = write(
        layers="import numpy as np\ndef relu_forward(x):\n    out = None\n    pass\n    return out, x\n"
        "def batchnorm_backward(dout, cache):\n    dx, dgamma, dbeta = None, None, None\n    "
        "return dx, dgamma, dbeta\ndef batchnorm_forward(x, gamma, beta, bn_param):\n    out, "
        "cache = None, None\n    return out, cache\ndef dropout_forward(x, dropout_param):\n    "
        "out, mask = None, None\n    out = out.astype(x.dtype, copy=False)\n    return out, "
        "mask\ndef softmax_loss(x, y):\n    raise NotImplementedError\nclass TwoLayerNet:\n    "
        "def __init__(self, input_dim=3, hidden_dim=2, num_classes=2, weight_scale=1, reg=0):\n   "
        "     self.params = {}\n    def loss(self, X, y=None):\n        return None\n",
    )
    report = check(folder / "layers.py")
    assert set(report.functions.values()) == {"unimplemented"}
    assert report.exit_code == 3


def test_half_a_batch_norm_is_judged_by_its_half(write):
    source = text_of("layers_staged").replace(
        "xhat = (x - running_mean) / np.sqrt(running_var + eps)\n        out = gamma * xhat + beta",
        "pass",
    )
    report = check(write(layers=source) / "layers.py")
    assert report.functions["batchnorm_forward"] == "unimplemented"
    assert report.functions["batchnorm_backward"] == "right"
    (finding,) = [
        f
        for f in report.findings
        if f.function == "batchnorm_forward" and f.verdict == "unimplemented"
    ]
    assert "test mode" in finding.sentence


def test_a_division_of_python_2_is_named(write):
    source = text_of("layers_staged").replace("1 + (H - h) // s", "1 + (H - h) / s")
    report = check(write(layers=source) / "layers.py")
    assert "max_pool_forward_naive.integer_division" in {f.fault for f in report.wrong}


def test_what_cannot_be_checked_is_an_error_that_says_so(tmp_path):
    with pytest.raises(UserError, match="no file or folder"):
        check(tmp_path / "nowhere.py")
    with pytest.raises(UserError, match="cannot be checked"):
        check(3)


def test_a_file_without_the_assignment_is_no_success(write):
    report = check(write(notes="pi = 3\n") / "notes.py")
    assert report.functions == {}
    assert report.exit_code == 3


def test_every_name_is_asked_about_by_some_probe():
    from normlab.checker.diagnose import PROBES

    asked = {name for _, names in PROBES for name in names}
    assert asked == set(LAYERS + RULES + NETS)


def test_a_file_written_anew_is_read_anew(tmp_path):
    """In one process, which forgets the modules, as in a browser: no text is remembered."""
    modules, finders = set(sys.modules), list(sys.meta_path)
    file = tmp_path / "layers.py"
    right = "def relu_forward(x):\n    return x * (x > 0), x\n"
    for source, verdict in ((right, "right"), (right.replace(">", "<"), "wrong"), (right, "right")):
        file.write_text(source)
        assert check_here(file, seed=0).functions == {"relu_forward": verdict}
        sys.meta_path[:] = finders
        for name in set(sys.modules) - modules:
            del sys.modules[name]
