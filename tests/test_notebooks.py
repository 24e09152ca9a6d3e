"""Running notebooks: our own from its first cell to its last, a public-looking one under its own package name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook extra is not installed")
pytest.importorskip("nbclient", reason="the notebook extra is not installed")
pytest.importorskip("ipykernel", reason="the notebook extra is not installed")

from normlab import notebooks  # noqa: E402
from normlab.notebooks import NotebookError, run_notebook  # noqa: E402

OURS = Path(__file__).parents[1] / "notebooks" / "BatchNormalization.ipynb"


@pytest.fixture(autouse=True)
def _no_data_of_the_person_running_the_tests(monkeypatch, tmp_path):
    monkeypatch.delenv("NORMLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_notebook(path, *cells):
    """A notebook of these code cells, after a heading."""
    sources = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title"), *sources])
    nbformat.write(notebook, path)
    return path


def printed(path):
    """What each code cell of a notebook printed."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return ["".join(out.get("text", "") for out in cell.outputs) for cell in cells]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# ---------------------------------------------------------------- ours


def test_our_notebook_is_stored_as_it_ran():
    cells = code_cells(nbformat.read(OURS, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [out for cell in cells for out in cell.outputs]
    assert [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"] == []
    assert sum("image/png" in out.get("data", {}) for out in outputs) == 7
    assert not re.search(r"/(home|root|work|tmp|Users)/", "\n".join(printed(OURS)))


def test_our_notebook_runs(tmp_path):
    """All of it, with the one cell that says how much to train set to little."""
    notebook = nbformat.read(OURS, as_version=4)
    amounts = next(cell for cell in code_cells(notebook) if "EPOCHS = 10" in cell.source)
    amounts.source = "EPOCHS, WEIGHT_SCALES, SEEDS = 1, 2, 1"
    nbformat.write(notebook, tmp_path / "short.ipynb")
    out = tmp_path / "out.ipynb"
    told = []
    run = run_notebook(tmp_path / "short.ipynb", out=out, progress=lambda done, cells: told.append((done, cells)))
    assert (run.cells, run.left_out, run.out) == (len(code_cells(notebook)), (), out)
    assert told == [(done, run.cells) for done in range(run.cells + 1)]
    text = "\n".join(printed(out))
    for said in (
        "CIFAR-10 is not on this machine",
        "means [ -2.3814598  -13.18038246   1.91780462]",
        "stds  [1.01531428 1.01238373 0.97819988]",
        "reg=0: initial loss 2.26119551013409",
        "reg=3.14: initial loss 6.99653322010830",
        "the gradient of x is wrong",  # of the formula that forgets the variance
        "3. less the mean image  |           yes           |          no          |          no",
        "stds  [2.99999985 2.99999998 2.99999999 2.99999907]",
    ):
        assert said in text
    outputs = [out for cell in code_cells(nbformat.read(out, as_version=4)) for out in cell.outputs]
    assert sum("image/png" in out.get("data", {}) for out in outputs) == 7


# ---------------------------------------------------------------- public copies

PUBLIC = (
    "from google.colab import drive\ndrive.mount('/content/drive')\n%cd drive/MyDrive",
    "import time\nimport matplotlib.pyplot as plt\nfrom cs231n.classifiers.fc_net import *\n"
    "from cs231n.data_utils import get_CIFAR10_data\n"
    "from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array\n"
    "from cs231n.solver import Solver\n"
    "%matplotlib inline\n%load_ext autoreload\n%autoreload 2",
    "np.random.seed(231)\n"
    "X, y = np.random.randn(2, 15), np.random.randint(10, size=(2,))\n"
    "net = FullyConnectedNet([20, 30], input_dim=15, num_classes=10, weight_scale=5e-2, dtype=np.float64,\n"
    "                        use_batchnorm=True)\n"
    "print('Initial loss:', net.loss(X, y)[0])",
    "import cs231n.layers as layers\nfrom cs231n import optim\n"
    "print(layers.batchnorm_forward is batchnorm_forward, optim.adam.__module__)",
    "data = {'X_train': X, 'y_train': y, 'X_val': X, 'y_val': y}\n"
    "solver = Solver(net, data, num_epochs=2, batch_size=2, update_rule='adam', verbose=False)\n"
    "solver.train()\nplt.plot(solver.loss_history, 'o')\nplt.show()",
)


def test_a_public_notebook_runs_unchanged_under_its_own_package_name(tmp_path):
    path = write_notebook(tmp_path / "public.ipynb", *PUBLIC)
    before = path.read_bytes()
    command = [sys.executable, "-c", "from normlab.cli import main; main()", "notebook", "run", str(path)]
    done = subprocess.run([*command, "--as", "cs231n"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "public.ipynb: 4 code cells ran, all but 1, which set up Google Colab, in" in done.stdout
    assert path.read_bytes() == before
    said = printed(tmp_path / "public.run.ipynb")
    assert "left this cell out" in said[0]
    assert "Initial loss: 2.2611955101340" in said[2]
    assert "is today normalization='batchnorm'" in said[2]  # the old keyword is answered, where it can be read
    assert said[3] == "True normlab.optim\n"
    plot = code_cells(nbformat.read(tmp_path / "public.run.ipynb", as_version=4))[4].outputs
    assert "image/png" in plot[0].data


def test_without_the_name_the_sentence_says_how_to_give_it(tmp_path):
    path = write_notebook(tmp_path / "public.ipynb", *PUBLIC[1:])
    with pytest.raises(NotebookError, match=r"code cell 1 of 4 of public.ipynb failed.*run it with --as cs231n"):
        run_notebook(path)


def test_a_failing_cell_is_named_with_its_line_and_what_ran_is_kept(tmp_path):
    path = write_notebook(
        tmp_path / "n.ipynb", "print('before')", "def f():\n    return 1 / 0\n\nf()", "print('after')"
    )
    out = tmp_path / "out.ipynb"
    sentence = r"code cell 2 of 3 of n.ipynb failed at its line 4, `f\(\)`: ZeroDivisionError: division by zero"
    with pytest.raises(NotebookError, match=sentence + r"\. What ran until then is in .*out\.ipynb"):
        run_notebook(path, out=out)
    assert printed(out) == ["before\n", "", ""]


def test_a_package_beside_the_notebook_is_not_hidden_unless_told(tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "import cs231n.layers\nprint(cs231n.layers.__name__)")
    (tmp_path / "cs231n").mkdir()
    (tmp_path / "cs231n" / "__init__.py").touch()
    with pytest.raises(NotebookError, match="there is a package 'cs231n' already"):
        run_notebook(path, package="cs231n", out=tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()
    run_notebook(path, package="cs231n", out=tmp_path / "out.ipynb", shadow=True)
    assert printed(tmp_path / "out.ipynb") == ["cs682.layers\n"]


def test_the_data_folder_reaches_the_kernel_and_a_dying_kernel_is_reported(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    source = "import os\nprint(os.environ['NORMLAB_DATA'])"
    path = write_notebook(tmp_path / "n.ipynb", source, "os._exit(1)")
    with pytest.raises(NotebookError, match="the kernel died in code cell 2 of 2"):
        run_notebook(path, out=tmp_path / "out.ipynb", data_dir="images")
    assert printed(tmp_path / "out.ipynb")[0] == f"{tmp_path / 'images'}\n"


# ---------------------------------------------------------------- refused at the door


def test_what_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "text.ipynb").write_text("not JSON")
    (tmp_path / "list.ipynb").write_text("[1, 2]")
    (tmp_path / "other.ipynb").write_text('{"nbformat": 4, "cells": 7}')
    for name in ("text", "list", "other"):
        with pytest.raises(NotebookError, match=f"{name}.ipynb' is not a Jupyter notebook"):
            run_notebook(tmp_path / f"{name}.ipynb")
    with pytest.raises(NotebookError, match="No such file"):
        run_notebook(tmp_path / "missing.ipynb")


def test_places_that_do_not_exist_are_refused_before_anything_runs(tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "print(1)")
    with pytest.raises(NotebookError, match=r"the folder of .* does not exist or cannot be written to"):
        run_notebook(path, out=tmp_path / "nowhere" / "out.ipynb")
    with pytest.raises(NotebookError, match=r"the data folder .* does not exist"):
        run_notebook(path, data_dir=tmp_path / "nowhere")


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nbclient", None)
    with pytest.raises(NotebookError, match=r"pip install 'normlab\[notebook\]'"):
        notebooks.run_notebook("any.ipynb")
