"""Running notebooks: our own from its first cell to its last, a public-looking one under its own package name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook extra is not installed")
pytest.importorskip("nbclient", reason="the notebook extra is not installed")
pytest.importorskip("ipykernel", reason="the notebook extra is not installed")

from normlab import errors, notebooks  # noqa: E402
from normlab.notebooks import NotebookError, run_notebook  # noqa: E402

OURS = Path(__file__).parents[1] / "notebooks" / "BatchNormalization.ipynb"


@pytest.fixture(autouse=True)
def _no_data_of_the_person_running_the_tests(monkeypatch, tmp_path):
    monkeypatch.delenv("NORMLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_notebook(path, *cells):
    """A notebook of these code cells, after a heading."""
    sources = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A title"), *sources]
    )
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
    assert [
        out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"
    ] == []
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
    run = run_notebook(
        tmp_path / "short.ipynb", out=out, progress=lambda done, cells: told.append((done, cells))
    )
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
    "np.random.seed(231)\nX, y = np.random.randn(2, 15), np.random.randint(10, size=(2,))\nnet = "
    "FullyConnectedNet([20, 30], input_dim=15, num_classes=10, weight_scale=5e-2, "
    "dtype=np.float64,\n                        use_batchnorm=True)\nprint('Initial loss:', "
    "net.loss(X, y)[0])",
    "import cs231n.layers as layers\nfrom cs231n import optim\n"
    "print(layers.batchnorm_forward is batchnorm_forward, optim.adam.__module__)",
    "data = {'X_train': X, 'y_train': y, 'X_val': X, 'y_val': y}\n"
    "solver = Solver(net, data, num_epochs=2, batch_size=2, update_rule='adam', verbose=False)\n"
    "solver.train()\nplt.plot(solver.loss_history, 'o')\nplt.show()",
)


def test_a_public_notebook_runs_unchanged_under_its_own_package_name(tmp_path):
    path = write_notebook(tmp_path / "public.ipynb", *PUBLIC)
    before = path.read_bytes()
    done = notebook_run(path)  # which finds out by itself what the package is called
    assert (done.returncode, done.stderr) == (0, "")
    assert "cs231n was normlab's own code" in done.stdout
    assert "public.ipynb: 4 code cells ran, all but 1, which set up Google Colab, in" in done.stdout
    assert path.read_bytes() == before
    said = printed(tmp_path / "public.run.ipynb")
    assert "left this cell out" in said[0]
    assert "Initial loss: 2.2611955101340" in said[2]
    assert (
        "is today normalization='batchnorm'" in said[2]
    )  # the old keyword is answered, where it can be read
    assert said[3] == "True normlab.optim\n"
    plot = code_cells(nbformat.read(tmp_path / "public.run.ipynb", as_version=4))[4].outputs
    assert "image/png" in plot[0].data


def notebook_run(*arguments):
    command = [sys.executable, "-m", "normlab.cli", "notebook", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_another_name_than_the_imports_say_is_refused_with_a_hint(tmp_path):
    path = write_notebook(tmp_path / "public.ipynb", *PUBLIC[1:])
    with pytest.raises(
        NotebookError, match=r"No module named 'cs231n' .*run it with --as NAME, not cs999"
    ):
        run_notebook(path, package="cs999")


# ---------------------------------------------------------------- other years

OF_PYTHON_2 = (
    "import numpy as np\nfrom cs231n.layers import *\nimport cPickle as pickle",
    "x = np.arange(10)\nprint 'half:', x[5/2], 5/2, 5/2., x / 2\nn = 7\nn /= 2\nprint n,\nprint "
    "'again'",
    "for key, value in {'a': 1}.iteritems():\n    print key, value, xrange(3)[1]\n%matplotlib "
    "inline\nprint 'end'",
)


def test_python_2_means_what_it_meant(tmp_path):
    path = write_notebook(tmp_path / "old.ipynb", *OF_PYTHON_2)
    out = tmp_path / "out.ipynb"
    run_notebook(path, out=out)
    assert printed(out)[1:] == ["half: 2 2 2.5 [0 0 1 1 2 2 3 3 4 4]\n3 again\n", "a 1 1\nend\n"]
    sources = [cell.source for cell in code_cells(nbformat.read(out, as_version=4))]
    assert sources == list(OF_PYTHON_2)  # the notebook stays as it was written


def test_python_3_is_left_alone_and_so_is_a_division_that_was_asked_for(tmp_path):
    today = write_notebook(
        tmp_path / "new.ipynb", "print(5 / 2, 'print 1')", "import cs231n.layers"
    )
    run_notebook(today, out=tmp_path / "out.ipynb")
    assert printed(tmp_path / "out.ipynb")[0] == "2.5 print 1\n"
    asked = write_notebook(
        tmp_path / "both.ipynb",
        "from __future__ import print_function, division",
        "exec('x = 1')\nprint(5 / 2)",
    )
    notebook = nbformat.read(asked, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "python2", "display_name": "Python 2"}
    nbformat.write(notebook, asked)
    run_notebook(asked, out=tmp_path / "out.ipynb")
    assert printed(tmp_path / "out.ipynb")[1] == "2.5\n"


def test_pictures_that_are_missing_are_drawn_and_scipy_misc_is_there_again(tmp_path):
    path = write_notebook(
        tmp_path / "n.ipynb",
        "from scipy.misc import imread, imresize\n"
        "kitten, puppy = imread('images/kitten.jpg'), imread('puppy.jpg')\n"
        "wide = kitten.shape[1] - kitten.shape[0]\n"
        "print(wide > 0, imresize(puppy, (20, 10)).shape, imresize(puppy, 50).shape)\n"
        "import imageio\nprint((imageio.imread('kitten.jpg') == kitten).all())\n"
        "imread('dog.jpg')",
    )
    with pytest.raises(NotebookError, match=r"dog\.jpg"):  # no picture stands for just anything
        run_notebook(path, out=tmp_path / "out.ipynb")
    (text,) = printed(tmp_path / "out.ipynb")
    assert "images/kitten.jpg is not here; a drawn picture stands for it." in text
    assert "True (20, 10, 3) (150, 150, 3)\n" in text
    assert text.endswith("True\n")


def test_failing_cells_are_passed_where_that_is_wanted(tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "1 / 0", "print('on')", "undefined")
    run = run_notebook(path, out=tmp_path / "out.ipynb", go_on=True)
    assert run.cells == 1
    assert [sentence.split(" failed")[0] for sentence in run.failed] == [
        "code cell 1 of 3 of n.ipynb",
        "code cell 3 of 3 of n.ipynb",
    ]
    assert printed(tmp_path / "out.ipynb") == ["", "on\n", ""]


def test_text_is_one_piece_however_it_was_sent(tmp_path):
    path = write_notebook(
        tmp_path / "n.ipynb",
        "import sys, time\nfor i in range(3):\n    print(i); sys.stdout.flush(); time.sleep(0.3)",
    )
    contents = []
    for _ in range(2):
        run_notebook(path, out=tmp_path / "out.ipynb")
        contents.append((tmp_path / "out.ipynb").read_bytes())
    assert contents[0] == contents[1]
    (cell,) = code_cells(nbformat.read(tmp_path / "out.ipynb", as_version=4))
    assert [output.text for output in cell.outputs] == ["0\n1\n2\n"]


def test_a_folder_of_notebooks_runs_each_and_says_which_failed(tmp_path):
    (tmp_path / "all").mkdir()
    write_notebook(tmp_path / "all" / "a.ipynb", "print(1)")
    write_notebook(tmp_path / "all" / "b.ipynb", "1 / 0")
    write_notebook(tmp_path / "all" / "c.ipynb", "print(3)")
    done = notebook_run(tmp_path / "all")
    assert done.returncode == 1
    assert done.stdout.count("1 code cells ran") == 2
    assert "code cell 1 of 1 of b.ipynb failed" in done.stderr
    assert printed(tmp_path / "all" / "c.run.ipynb") == ["3\n"]
    assert "has no notebook" in notebook_run(tmp_path / "all" / "..").stderr


def test_a_folder_that_the_notebook_names_and_that_is_missing_is_found_in_data_dir(tmp_path):
    path = write_notebook(
        tmp_path / "n.ipynb",
        "from cs231n.data_utils import "
        "load_CIFAR10\nload_CIFAR10('cs231n/datasets/cifar-10-batches-py')",
    )
    (tmp_path / "data").mkdir()
    with pytest.raises(NotebookError, match=r"cifar10 was not found.* in .*data"):
        run_notebook(path, data_dir=tmp_path / "data", out=tmp_path / "out.ipynb")
    assert (
        "'cs231n/datasets/cifar-10-batches-py' does not exist" in printed(tmp_path / "out.ipynb")[0]
    )


def test_a_failing_cell_is_named_with_its_line_and_what_ran_is_kept(tmp_path):
    path = write_notebook(
        tmp_path / "n.ipynb",
        "print('before')",
        "def f():\n    return 1 / 0\n\nf()",
        "print('after')",
    )
    out = tmp_path / "out.ipynb"
    sentence = r"code cell 2 of 3 of n.ipynb failed at its line 4, `f\(\)`: ZeroDivisionError: division by zero"
    with pytest.raises(
        NotebookError, match=sentence + r"\. What ran until then is in .*out\.ipynb"
    ):
        run_notebook(path, out=out)
    assert printed(out) == ["before\n", "", ""]


def test_a_package_beside_the_notebook_is_not_hidden_unless_told(tmp_path):
    path = write_notebook(
        tmp_path / "n.ipynb", "import cs231n.layers\nprint(cs231n.layers.__name__)"
    )
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


@pytest.mark.parametrize("name", ["cs231n", "cs682"])
def test_the_closing_line_says_whose_code_ran(tmp_path, name):
    """A student's own package beside the notebook is what its imports find, unless it is hidden."""
    path = write_notebook(
        tmp_path / "n.ipynb", f"from {name}.layers import affine_forward\nprint(affine_forward)"
    )
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "layers.py").write_text("affine_forward = 'the student'")
    done = notebook_run(path)
    assert done.returncode == 0, done.stderr
    assert f"The code that ran is that of {name} in {tmp_path / name}, not normlab's" in done.stdout
    assert printed(tmp_path / "n.run.ipynb") == ["the student\n"]
    done = notebook_run(path, "--shadow")
    assert "<function affine_forward" in printed(tmp_path / "n.run.ipynb")[0]
    assert "The code that ran" not in done.stdout


# ---------------------------------------------------------------- refused before anything runs


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
    with pytest.raises(
        NotebookError, match=r"the folder of .* does not exist or cannot be written to"
    ):
        run_notebook(path, out=tmp_path / "nowhere" / "out.ipynb")
    with pytest.raises(NotebookError, match=r"the data folder .* does not exist"):
        run_notebook(path, data_dir=tmp_path / "nowhere")


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == "nbclient" else object())
    with pytest.raises(errors.MissingPackageError, match=r"pip install 'normlab\[notebook\]'"):
        notebooks.run_notebook("any.ipynb")
