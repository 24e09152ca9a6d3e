"""The assignment's convolutional net: its draws, its loss, its gradients, and what its notebook prints of it."""

import numpy as np
import pytest

from normlab.errors import ShapeError
from normlab.gradcheck import eval_numerical_gradient
from normlab.nets import ThreeLayerConvNet
from normlab.randomness import generator
from normlab.solver import Solver


def test_first_loss_is_that_of_guessing_and_grows_with_the_penalty():
    """Tiny weights: every class is as likely, so the loss is log 10; a penalty adds to it."""
    rng = np.random.RandomState(231)
    model = ThreeLayerConvNet(rng=rng)
    X, y = rng.randn(50, 3, 32, 32), rng.randint(10, size=50)
    loss, _ = model.loss(X, y)
    assert abs(loss - np.log(10)) < 1e-3
    model.reg = 0.5
    weights = sum((model.params[f"W{n}"].astype(float) ** 2).sum() for n in (1, 2, 3))
    assert model.loss(X, y)[0] - loss == pytest.approx(0.25 * weights, rel=1e-5)


def test_weights_are_drawn_as_the_assignment_draws_them():
    np.random.seed(3)
    model = ThreeLayerConvNet((2, 4, 6), 5, 3, 7, 4, weight_scale=0.1, dtype=np.float64)
    np.random.seed(3)
    assert (model.params["W1"] == 0.1 * np.random.randn(5, 2, 3, 3)).all()
    assert (model.params["W2"] == 0.1 * np.random.randn(5 * 2 * 3, 7)).all()
    assert (model.params["W3"] == 0.1 * np.random.randn(7, 4)).all()


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_gradients_are_slopes(reg):
    rng = generator(231)
    model = ThreeLayerConvNet((3, 6, 4), 3, 3, 7, 5, 0.3, reg, np.float64, rng=rng)
    X, y = rng.randn(2, 3, 6, 4), np.array([1, 4])
    _, grads = model.loss(X, y)
    for name in model.params:
        numeric = eval_numerical_gradient(
            lambda _: model.loss(X, y)[0], model.params[name], verbose=False, h=1e-6
        )
        np.testing.assert_allclose(grads[name], numeric, atol=1e-7, err_msg=name)


def test_a_few_images_are_learned_by_heart(tmp_path):
    rng = generator(0)
    X, y = rng.randn(20, 1, 8, 8), np.arange(20) % 10
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    model = ThreeLayerConvNet((1, 8, 8), 8, 3, 50, weight_scale=1e-1, rng=rng)
    solver = Solver(
        model, data, update_rule="adam", optim_config={"learning_rate": 5e-3}, batch_size=10,
        num_epochs=25, verbose=False, rng=rng,
    )  # fmt: skip
    solver.train()
    assert solver.best_val_acc == 1

    solver.record_histories_as_npz(tmp_path / "histories")
    with np.load(tmp_path / "histories.npz") as kept:
        assert kept["train_losses"].tolist() == solver.loss_history
        assert kept["train_accs"].tolist() == solver.train_acc_history
        assert kept["val_accs"].tolist() == solver.val_acc_history


def test_images_that_do_not_fit_are_refused_in_a_sentence():
    with pytest.raises(ShapeError, match="even height and width"):
        ThreeLayerConvNet((3, 5, 4))
    with pytest.raises(ShapeError, match="an odd filter size"):
        ThreeLayerConvNet((3, 4, 4), filter_size=2)
    with pytest.raises(ShapeError, match="build the net with input_dim=\\(1, 8, 8\\)"):
        ThreeLayerConvNet((3, 8, 8), filter_size=3).loss(np.zeros((1, 1, 8, 8)))
