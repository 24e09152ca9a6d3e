"""Training through the assignment's door against an independently written trainer, loss by loss.

The settings are the notebook's depth study: five hidden layers of 100, Adam at 1e-3, weight scale
2e-2, batches of 50, 10 epochs on 1,000 images of CIFAR-10 (made-up ones of its shape where the real
ones are absent).

Both sides compute in float64 and add up in another order, so a step leaves them apart by some
1e-16, which 200 steps of Adam carry to 5e-13 on the real images. A formula that differs shows: with
eps=1.1e-5 instead of 1e-5 the first loss is off by 4e-7, the last ones by 0.4.
"""

import numpy as np
import pytest

from cs682.classifiers.fc_net import FullyConnectedNet
from cs682.data_utils import get_CIFAR10_data
from cs682.solver import Solver
from tests.cs682.plain_trainer import PlainTrainer

HIDDEN, EPOCHS, BATCH, LR, SCALE = [100] * 5, 10, 50, 1e-3, 2e-2


@pytest.fixture(scope="module")
def data(real_cifar10):
    if real_cifar10 is not None:
        return get_CIFAR10_data(1000, 1000, 0, data_dir=real_cifar10)
    # like photographs, a few hidden causes spread over all pixels: something there is to learn, not
    # only to memorize
    random = np.random.default_rng(0)
    causes = random.standard_normal((2000, 20))
    X = 15 * (causes @ random.standard_normal((20, 3072))).reshape(2000, 3, 32, 32)
    y = (causes @ random.standard_normal((20, 10)) + 3 * random.standard_normal((2000, 10))).argmax(
        axis=1
    )
    return {"X_train": X[:1000], "y_train": y[:1000], "X_val": X[1000:], "y_val": y[1000:]}


@pytest.mark.parametrize("normalization", ["batchnorm", "layernorm", None])
def test_every_loss_agrees_to_nine_digits(data, normalization):
    plain = PlainTrainer(
        data,
        HIDDEN,
        normalization,
        seed=231,
        weight_scale=SCALE,
        lr=LR,
        batch_size=BATCH,
        epochs=EPOCHS,
    ).train()

    np.random.seed(231)
    net = FullyConnectedNet(
        HIDDEN, weight_scale=SCALE, normalization=normalization, dtype=np.float64
    )
    solver = Solver(
        net,
        data,
        num_epochs=EPOCHS,
        batch_size=BATCH,
        update_rule="adam",
        optim_config={"learning_rate": LR},
        verbose=False,
    )
    solver.train()

    assert len(solver.loss_history) == 200
    np.testing.assert_allclose(solver.loss_history, plain.losses, rtol=1e-9, atol=0)
    assert solver.train_acc_history == plain.train_accuracies
    assert solver.val_acc_history == plain.val_accuracies
