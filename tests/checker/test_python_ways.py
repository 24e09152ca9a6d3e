# ruff: noqa: E501
# code of others is kept as they write it
"""Right code is right in whatever way Python lets it be written: imports, decorators, caches, encodings, names."""

import importlib.util
import json

import pytest

from normlab.checker import check
from normlab.checker.api import check_path
from normlab.checker.grading.judging import REFUSED
from normlab.checker.process import Limits
from tests.checker.planting import text_of
from tests.checker.test_attacks import needs_sandbox

RELU = "def relu_forward(x):\n    return np.maximum(0, x), x\n"
BACK = "def relu_backward(dout, cache):\n    return dout * (cache > 0)\n"
WAYS = {
    "copy": "import copy\nimport numpy as np\ndef relu_forward(x):\n    out = copy.deepcopy(x)\n    out[out < 0] = 0\n    return out, x\n",
    "pprint, unittest, doctest": f"import pprint, unittest, doctest, xml.etree.ElementTree\nimport numpy as np\n{RELU}",
    "numpy.testing": f"import numpy as np\nfrom numpy.testing import assert_allclose\n{RELU}",
    "a dataclass for a cache": "from dataclasses import dataclass\nimport numpy as np\n@dataclass\nclass Cache:\n    x: np.ndarray\n"
    "def relu_forward(x):\n    return np.maximum(0, x), Cache(x)\n"
    "def relu_backward(dout, cache):\n    return dout * (cache.x > 0)\n",
    "a namedtuple for a cache": "from collections import namedtuple\nimport numpy as np\nCache = namedtuple('Cache', 'x')\n"
    "def relu_forward(x):\n    return np.maximum(0, x), Cache(x)\ndef relu_backward(dout, "
    "cache):\n    return dout * (cache.x > 0)\n",
    "a dict for a cache": "import numpy as np\ndef relu_forward(x):\n    return np.maximum(0, x), {'x': x}\n"
    "def relu_backward(dout, cache):\n    return dout * (cache['x'] > 0)\n",
    "a class with static methods": "import numpy as np\nclass ReLU:\n    @staticmethod\n    def forward(x): return np.maximum(0, x), x\n"
    "    @staticmethod\n    def backward(dout, x): return dout * (x > 0)\nrelu_forward = "
    "ReLU.forward\nrelu_backward = ReLU.backward\n",
    "annotations for later": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nimport numpy as np\n"
    "if TYPE_CHECKING:\n    from numpy.typing import NDArray\n"
    "def relu_forward(x: NDArray) -> tuple[NDArray, NDArray]: return np.maximum(0, x), x\n",
    "cupy or numpy": f"try:\n    import cupy as np\nexcept ImportError:\n    import numpy as np\n{RELU}",
    "suppressed": f"import contextlib\nimport numpy as np\nwith contextlib.suppress(ImportError):\n    import cupy as np\n{RELU}",
    "njit or not": "import numpy as np\ntry:\n    from nowhere import njit\nexcept:\n    def njit(f): return f\n"
    f"@njit\n{RELU}",
    "numba or not": "import numpy as np\ntry:\n    from numba import njit\nexcept ImportError:\n    def njit(f): return f\n"
    "def relu_forward(x):\n    return np.maximum(0, x), x\n",
    "the course's own try": "import numpy as np\ntry:\n    from .im2col_cython import col2im_cython\nexcept ImportError:\n    col2im_cython = None\n"
    "assert col2im_cython is None\n" + RELU,
    "errstate": f"import numpy as np\n@np.errstate(divide='ignore', invalid='ignore')\n{RELU}",
    "a decorator of its own": f"import numpy as np\nfrom functools import wraps\ndef plain(f):\n    @wraps(f)\n    def g(*a): return f(*a)\n    return g\n@plain\n{RELU}",
    "a context manager": f"import numpy as np, contextlib\n@contextlib.contextmanager\ndef quiet(): yield\n@quiet()\n{RELU}",
    "partial": "import numpy as np\nfrom functools import partial\ndef _relu(slope, x): return np.maximum(slope, x), x\nrelu_forward = partial(_relu, 0)\n",
    "a cached helper": "import numpy as np\nfrom functools import lru_cache\n@lru_cache\ndef zero(): return 0\n"
    "def relu_forward(x):\n    return np.maximum(zero(), x), x\n",
    "a callable object": "import numpy as np\nclass R:\n    def __call__(self, x): return np.maximum(0, x), x\nrelu_forward = R()\n",
    "relative imports": f"from .helpers import *\nimport numpy as np\n{RELU}",
    "a stray line": f"import numpy as np\n{RELU}%timeit 1\n{BACK}!ls\n",
    "a merge marker": f"import numpy as np\n<<<<<<< HEAD\n{RELU}=======\n{BACK}>>>>>>> other\n",
    "a line of prose": f"import numpy as np\n{RELU}This is my solution:\n{BACK}",
    "a text that looks like code": f'import numpy as np\n"""\ndef relu_forward(x):\n(\n"""\n{RELU}This is\n',
    "many prints": "import numpy as np\ndef relu_forward(x):\n    for _ in range(20000): print(x)\n    return np.maximum(0, x), x\n",
    "a long double": "import numpy as np\ndef relu_forward(x):\n    return np.maximum(0, x.astype(np.longdouble)), x\n",
    "an old reshape": "import numpy as np\ndef relu_forward(x):\n    return np.reshape(np.maximum(0, x), newshape=x.shape), x\n",
    "a new reshape": "import numpy as np\ndef relu_forward(x):\n    return np.reshape(np.maximum(0, x), shape=x.shape, order='C'), x\n",
    "tabs": "import numpy as np\ndef relu_forward(x):\n\treturn np.maximum(0, x), x\n",
    "Windows": f"import numpy as np\n{RELU}".replace("\n", "\r\n"),
    "old Macs": f"import numpy as np\n{RELU}".replace("\n", "\r"),
    "a mark at the start": f"\ufeffimport numpy as np\n{RELU}",
    "a library that is not there, unused": f"import numpy as np\nimport nowhere.at.all as n\nfrom nowhere.else_ import thing\n{RELU}",
    "a base from a library that is not there": f"import numpy as np\nfrom nowhere import Module\nclass Net(Module):\n    pass\n{RELU}",
}  # fmt: skip


@pytest.fixture(params=["own", pytest.param("confined", marks=needs_sandbox)])
def judged(request, tmp_path):
    """The report on one file, as `check` makes it and as `grade` does."""

    def judge(text, name="layers.py"):
        folder = tmp_path / "work"
        folder.mkdir()
        (folder / "helpers.py").write_text("import copy\n")
        content = text if isinstance(text, bytes) else text.encode()
        (folder / name).write_bytes(content)
        if request.param == "own":
            return check(folder / name)
        confine = {"read": [str(folder)]}
        return check_path(folder / name, seed=1, limits=Limits(), confine=confine, refused=REFUSED)

    return judge


@pytest.mark.parametrize("way", WAYS)
def test_right_code_is_right(way, judged):
    report = judged(WAYS[way])
    assert report.functions.get("relu_forward") == "right", report
    assert set(report.functions.values()) == {"right"}


@pytest.mark.parametrize(
    "name",
    [
        "HW2_j.smith_layers.py",
        "layers.v2.py",
        "my layers (1).py",
        "2layers.py",
        "copy.py",
        "random.py",
    ],
)
def test_a_file_may_have_any_name(name, judged):
    assert judged(f"import numpy as np\nimport copy, random\n{RELU}", name).functions == {
        "relu_forward": "right"
    }


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_may_have_another_encoding(encoding, judged):
    report = judged(f"# José\nimport numpy as np\n{RELU}".encode(encoding))
    assert report.functions == {"relu_forward": "right"}


def test_strings_are_compared_by_identity_as_in_the_course(judged):
    source = (
        text_of("layers_staged")
        .replace("mode == 'train'", "mode is 'train'")
        .replace('== "train"', 'is "train"')
    )
    assert "is " in source
    report = judged(f"import warnings\n{source}")
    assert report.functions["batchnorm_forward"] == "right"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_torch_may_be_imported(tmp_path):
    (tmp_path / "layers.py").write_text(
        f"import torch\nimport torch.nn.functional as F\nimport numpy as np\n{RELU}"
    )
    report = check(tmp_path / "layers.py")
    assert report.functions == {"relu_forward": "right"}
    assert not report.notes


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="Numba is not installed")
def test_installed_packages_are_imported(tmp_path):
    (tmp_path / "layers.py").write_text(
        f"import scipy.special\nfrom numba import njit\nimport numpy as np\n@njit\n{RELU}"
    )
    report = check(tmp_path / "layers.py")
    assert report.functions == {"relu_forward": "right"}
    assert not report.notes


def test_a_decorator_that_is_not_there_is_said_and_accuses_nobody(judged):
    report = judged(f"import numpy as np\nfrom nowhere import fast\n@fast\n{RELU}{BACK}")
    assert report.functions["relu_forward"] == "unjudged"
    assert report.exit_code == 3
    assert "nowhere" in str(report)


def test_a_notebook_is_read(judged):
    cells = [
        {"cell_type": "markdown", "source": "# work"},
        {
            "cell_type": "code",
            "source": ["%load_ext autoreload\n", "!pip install x\n", "import numpy as np\n"],
        },
        {"cell_type": "code", "source": "%%time\nEPS = 1e-5\ndata = load_everything()\n" + RELU},
        {"cell_type": "code", "source": "while True: pass\n"},
        {"cell_type": "code", "source": BACK + "relu_backward(1, 2)\nrelu_backward?\n"},
        {"cell_type": "code", "source": "%%bash\nls\n"},
    ]
    report = judged(json.dumps({"cells": cells, "nbformat": 4}), "my work.ipynb")
    assert report.functions == {"relu_forward": "right", "relu_backward": "right"}
    assert report.exit_code == 0


def test_what_is_no_notebook_says_so(judged):
    report = judged("{", "work.ipynb")
    assert report.exit_code == 3
    assert "not a notebook" in str(report)


def test_of_two_copies_the_written_one_is_taken(tmp_path):
    for number, source in (
        (1, f"import numpy as np\n{RELU}"),
        (2, f"import numpy as np\n{RELU}{BACK}"),
    ):
        (tmp_path / f"assignment{number}" / "cs231n").mkdir(parents=True)
        (tmp_path / f"assignment{number}" / "cs231n" / "layers.py").write_text(source)
    report = check(tmp_path)
    assert report.read == ("assignment2/cs231n/layers.py",)
    assert report.passed_over == ("assignment1/cs231n/layers.py",)
    assert "not read: assignment1" in str(report)


def test_what_nobody_asks_about_is_listed(tmp_path):
    source = f"import numpy as np\n{RELU}def upsample_naive(x): pass\ndef batchnorm_forwrd(x): return x\n"
    source += "def helper(x): return x\ndef relu_backward(dout, cache): return helper(dout * (cache > 0))\n"
    (tmp_path / "layers.py").write_text(source + "def test_it(): pass\nclass LayerNorm: pass\n")
    report = check(tmp_path / "layers.py")
    assert {one.name: one.reason for one in report.not_judged} == {
        "upsample_naive": "not known",
        "batchnorm_forwrd": "not known; did you mean batchnorm_forward?",
        "LayerNorm": "not known",
    }
    assert report.exit_code == 3
    assert "did you mean batchnorm_forward?" in str(report)
