"""Every name and signature that the assignment's notebooks rely on, at its old address."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import cs682

SIGNATURES = {
    "layers": {
        "affine_forward": "(x, w, b)",
        "affine_backward": "(dout, cache)",
        "relu_forward": "(x)",
        "relu_backward": "(dout, cache)",
        "batchnorm_forward": "(x, gamma, beta, bn_param)",
        "batchnorm_backward": "(dout, cache)",
        "batchnorm_backward_alt": "(dout, cache)",
        "layernorm_forward": "(x, gamma, beta, ln_param)",
        "layernorm_backward": "(dout, cache)",
        "dropout_forward": "(x, dropout_param)",
        "dropout_backward": "(dout, cache)",
        "svm_loss": "(x, y)",
        "softmax_loss": "(x, y)",
    },
    "layer_utils": {"affine_relu_forward": "(x, w, b)", "affine_relu_backward": "(dout, cache)"},
    "classifiers.fc_net": {
        "TwoLayerNet": "(input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=0.001, reg=0.0)",
        "FullyConnectedNet": (
            "(hidden_dims, input_dim=3072, num_classes=10, dropout=1, normalization=None, reg=0.0, "
            "weight_scale=0.01, dtype=np.float32, seed=None)"
        ),
    },
    "solver": {"Solver": "(model, data, **kwargs)"},
    "optim": dict.fromkeys(("sgd", "sgd_momentum", "rmsprop", "adam"), "(w, dw, config=None)"),
    "gradient_check": {
        "eval_numerical_gradient": "(f, x, verbose=True, h=1e-05)",
        "eval_numerical_gradient_array": "(f, x, df, h=1e-05)",
        "eval_numerical_gradient_blobs": "(f, inputs, output, h=1e-05)",
        "eval_numerical_gradient_net": "(net, inputs, output, h=1e-05)",
        "grad_check_sparse": "(f, x, analytic_grad, num_checks=10, h=1e-05)",
    },
    "data_utils": {
        "load_CIFAR_batch": "(filename)",
        "load_CIFAR10": "(ROOT)",
        "get_CIFAR10_data": "(num_training=49000, num_validation=1000, num_test=1000, subtract_mean=True)",
    },
}
CASES = [
    (module, name, text) for module, names in SIGNATURES.items() for name, text in names.items()
]
MODULES = [info.name for info in pkgutil.walk_packages(cs682.__path__, "cs682.")]


def the_assignments_part(function):
    """Its signature without annotations and without what normlab adds by keyword only."""
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
            default = "=np.float32" if parameter.default is np.float32 else default
            stars = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
            parameters.append(f"{stars}{parameter.name}{default}")
    return f"({', '.join(parameters)})"


@pytest.mark.parametrize(("module", "name", "text"), CASES)
def test_the_signature_is_the_assignments(module, name, text):
    given = the_assignments_part(getattr(importlib.import_module(f"cs682.{module}"), name))
    # what a relu keeps may be called anything, and what a notebook passes by keyword may not
    assert given == text


@pytest.mark.parametrize(("module", "name", "_"), CASES)
def test_the_object_is_normlabs_own(module, name, _):
    found = getattr(importlib.import_module(f"cs682.{module}"), name)
    assert found is getattr(importlib.import_module(found.__module__), name)
    assert found.__module__.startswith("normlab.")


@pytest.mark.parametrize("name", MODULES)
def test_a_star_import_brings_exactly_the_list(name):
    module = importlib.import_module(name)
    brought: dict[str, object] = {}
    exec(f"from {name} import *", brought)
    brought.pop("__builtins__")
    assert sorted(brought) == sorted(module.__all__)


def test_fc_net_brings_everything_the_notebook_uses():
    brought: dict[str, object] = {}
    exec("from cs682.classifiers.fc_net import *", brought)
    wanted = [
        *SIGNATURES["layers"],
        *SIGNATURES["layer_utils"],
        *SIGNATURES["classifiers.fc_net"],
        "np",
    ]
    assert [name for name in wanted if name not in brought] == []
    assert brought["np"] is np


@pytest.mark.parametrize("name", ["cs682", *MODULES])
def test_an_address_holds_no_logic(name):
    tree = ast.parse(Path(importlib.import_module(name).__file__).read_text())
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    assert isinstance(tree.body[0], ast.Expr)  # the docstring
    assert [ast.unparse(node) for node in tree.body[1:] if not isinstance(node, kinds)] == []
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    assert len(assigned) == 1
    assert ast.unparse(assigned[0]).startswith("__all__")


def test_the_solver_offers_what_notebooks_read():
    from cs682.classifiers.fc_net import TwoLayerNet
    from cs682.solver import Solver

    X, y = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 2
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    keywords = {
        "update_rule": "sgd",
        "optim_config": {"learning_rate": 1e-2},
        "lr_decay": 0.9,
        "batch_size": 5,
        "num_epochs": 2,
        "print_every": 100,
        "verbose": False,
        "num_train_samples": 10,
        "num_val_samples": 10,
        "checkpoint_name": None,
    }
    solver = Solver(TwoLayerNet(3, 4, 2), data, **keywords)
    solver.train()
    assert (
        len(solver.loss_history),
        len(solver.train_acc_history),
        len(solver.val_acc_history),
    ) == (8, 3, 3)
    assert solver.best_val_acc == max(solver.val_acc_history)
    assert set(solver.best_params) == {"W1", "b1", "W2", "b2"}
    assert (
        the_assignments_part(Solver.check_accuracy)
        == "(self, X, y, num_samples=None, batch_size=100)"
    )
    assert 0 <= solver.check_accuracy(X, y, num_samples=7, batch_size=3) <= 1
