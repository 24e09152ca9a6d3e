"""Another package name for the assignment: the same objects, and other years' keywords with a warning."""

import copy
import importlib
import inspect
import pkgutil
import subprocess
import sys
import warnings

import numpy as np
import pytest

import cs682
from normlab import nets
from normlab.compat import alias, unalias
from normlab.errors import OptionError

MODULES = [
    info.name.removeprefix("cs682.") for info in pkgutil.walk_packages(cs682.__path__, "cs682.")
]


@pytest.fixture
def cs231n():
    alias("cs231n")
    yield
    unalias("cs231n")


@pytest.fixture
def OldNet(cs231n):  # noqa: ARG001
    return importlib.import_module("cs231n.classifiers.fc_net").FullyConnectedNet


@pytest.mark.usefixtures("cs231n")
@pytest.mark.parametrize("module", MODULES)
def test_every_public_object_is_the_same(module):
    new, old = (
        importlib.import_module(f"cs231n.{module}"),
        importlib.import_module(f"cs682.{module}"),
    )
    assert new.__all__ == old.__all__
    differing = [name for name in old.__all__ if getattr(new, name) is not getattr(old, name)]
    assert differing == (["FullyConnectedNet"] if module.endswith("fc_net") else [])


@pytest.mark.usefixtures("cs231n")
def test_the_usual_ways_to_import():
    brought: dict[str, object] = {}
    exec(
        "import cs231n\nimport cs231n.layers as L\nfrom cs231n import optim\nfrom "
        "cs231n.classifiers import fc_net\nimport cs231n.classifiers.fc_net as f\nfrom "
        "cs231n.classifiers.fc_net import *\nfrom cs231n.gradient_check import "
        "eval_numerical_gradient, eval_numerical_gradient_array\n",
        brought,
    )
    assert brought["L"] is importlib.import_module("cs682.layers")
    assert brought["optim"] is importlib.import_module("cs682.optim")
    assert brought["fc_net"] is brought["f"] is brought["cs231n"].classifiers.fc_net
    assert brought["np"] is np
    assert brought["FullyConnectedNet"] is brought["f"].FullyConnectedNet
    # and the original is as it was
    assert cs682.classifiers.fc_net.FullyConnectedNet is nets.FullyConnectedNet
    assert importlib.import_module("cs682.layers").__spec__.name == "cs682.layers"


@pytest.mark.usefixtures("cs231n")
def test_a_module_that_does_not_exist():
    with pytest.raises(ModuleNotFoundError, match=r"cs231n\.rnn_layers"):
        importlib.import_module("cs231n.rnn_layers")


def test_alias_is_idempotent_and_can_be_undone():
    assert importlib.util.find_spec("cs231n") is None
    alias("cs231n")
    before = importlib.import_module("cs231n")
    alias("cs231n")
    assert importlib.import_module("cs231n") is before
    assert importlib.util.find_spec("cs231n") is not None
    unalias("cs231n")
    assert importlib.util.find_spec("cs231n") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("cs231n.layers")
    with pytest.raises(OptionError, match="'cs231n' is no alias"):
        unalias("cs231n")


@pytest.mark.usefixtures("cs231n")
def test_two_aliases_share_the_modules():
    alias("mlclass")
    try:
        assert importlib.import_module("mlclass.layers") is importlib.import_module("cs231n.layers")
    finally:
        unalias("mlclass")
    assert importlib.import_module("cs231n.layers") is importlib.import_module("cs682.layers")


@pytest.mark.parametrize("name", ["cs682", "normlab", "not a name", "cs231n.layers", ""])
def test_names_that_cannot_be_aliases(name):
    with pytest.raises(OptionError, match="cannot be another name of cs682"):
        alias(name)


def test_an_existing_package_is_not_hidden_unless_told(tmp_path, monkeypatch):
    (tmp_path / "mysolution").mkdir()
    (tmp_path / "mysolution" / "__init__.py").write_text("mine = True\n")
    (tmp_path / "mysolution" / "layers.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        OptionError, match=r"there is a package 'mysolution' already, in .*mysolution.*--shadow"
    ):
        alias("mysolution")
    mine = importlib.import_module("mysolution.layers")
    assert mine.mine
    with pytest.raises(OptionError, match="imported from"):
        alias("mysolution")
    alias("mysolution", shadow=True)
    assert importlib.import_module("mysolution.layers") is importlib.import_module("cs682.layers")
    unalias("mysolution")
    assert importlib.import_module("mysolution.layers") is mine
    for name in ("mysolution", "mysolution.layers"):
        del sys.modules[name]


def test_a_folder_of_data_hides_nothing(tmp_path, monkeypatch):
    (tmp_path / "cs231n" / "datasets").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    alias("cs231n")
    unalias("cs231n")
    (tmp_path / "cs231n" / "layers.py").touch()
    with pytest.raises(OptionError, match="there is a package 'cs231n' already"):
        alias("cs231n")


# ---------------------------------------------------------------- other years


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            {"use_batchnorm": True},
            {"normalization": "batchnorm"},
            "is today normalization='batchnorm'",
        ),
        ({"use_batchnorm": False}, {}, "is today normalization=None"),
        (
            {"normalization": True},
            {"normalization": "batchnorm"},
            "is today normalization='batchnorm'",
        ),
        ({"dropout": 0}, {}, "dropout=0 for no dropout is today dropout=1"),
        ({"dropout_keep_ratio": 0.25}, {"dropout": 0.25}, "dropout_keep_ratio= is today dropout="),
    ],
)
def test_old_keywords_give_todays_net_and_a_warning(OldNet, old, new, sentence):
    np.random.seed(231)
    with pytest.warns(DeprecationWarning, match=sentence) as caught:
        given = OldNet([7], 5, seed=3, **old)
    assert [warning.filename for warning in caught] == [__file__]  # the line that has to change
    np.random.seed(231)
    wanted = nets.FullyConnectedNet([7], 5, seed=3, **new)
    assert isinstance(given, nets.FullyConnectedNet)
    assert list(given.params) == list(wanted.params)
    X, y = np.ones((4, 5)), np.arange(4)
    assert given.loss(X, y)[0] == wanted.loss(X, y)[0]


def test_old_keywords_by_position(OldNet):
    with pytest.warns(
        DeprecationWarning, match="normalization='batchnorm'; dropout=0 for no dropout"
    ):
        net = OldNet([7], 5, 10, 0, True, 0.5)
    assert (net.normalization, net.use_dropout, net.reg) == ("batchnorm", False, 0.5)


def test_a_drop_probability_of_an_old_year_is_pointed_out(OldNet):
    with pytest.warns(
        DeprecationWarning, match="if it should be that of dropping one, write dropout=0.75"
    ):
        net = OldNet([7], 5, dropout=0.25, use_batchnorm=False)
    assert net.dropout_param["p"] == 0.25


def test_todays_words_need_no_warning(OldNet):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = OldNet([7], 5, normalization="layernorm", dropout=0.5)
    assert net.normalization == "layernorm"
    assert inspect.signature(OldNet) == inspect.signature(nets.FullyConnectedNet)
    assert type(copy.deepcopy(net)) is OldNet


def test_old_and_new_words_together_are_refused(OldNet):
    with pytest.raises(
        OptionError, match="got both use_batchnorm=True and normalization='layernorm'"
    ):
        OldNet([7], 5, use_batchnorm=True, normalization="layernorm")
    with pytest.raises(OptionError, match="got both dropout_keep_ratio"):
        OldNet([7], 5, dropout_keep_ratio=0.5, dropout=0.5)
    with pytest.raises(TypeError, match="'input_dim' by position and by keyword"):
        OldNet([7], 5, input_dim=5)
    with pytest.raises(TypeError, match="9 arguments by position, not 10"):
        OldNet([7], 5, 10, 1, None, 0.0, 1e-2, np.float32, None, 4)


def test_the_alias_alone_understands_old_words():
    with pytest.raises(TypeError, match="use_batchnorm"):
        nets.FullyConnectedNet([7], 5, use_batchnorm=True)


def test_in_a_fresh_interpreter():
    code = (
        "from normlab.compat import alias; alias('cs231n'); from cs231n.solver import Solver; "
        "import normlab.solver; assert Solver is normlab.solver.Solver"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
