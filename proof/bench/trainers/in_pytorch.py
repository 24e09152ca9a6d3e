"""PyTorch's way: a Sequential, autograd and its own Adam, as most people write a training loop.

Accuracies are measured on all images at once, in test mode, without gradients. PyTorch's running
variance is the unbiased one and starts at 1, which only test mode sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from normlab.data.dataset import Dataset
from normlab.specs import RunSpec
from proof.bench.trainers import guest
from proof.bench.trainers.draws import EPS, MOMENTUM, Draws, Outcome, draws, images, outcome

torch: Any = guest("torch")


class PytorchTrainer:
    """Eager, or with the net's forward and backward pass compiled; Adam as it comes, or fused."""

    def __init__(self, *, fused: bool, compiled: bool = False) -> None:
        self.fused, self.compiled = fused, compiled
        self.nets: dict[
            Any, tuple[Any, Any]
        ] = {}  # compiled nets by their shape, to be trained again from new weights

    def prepare(self, specs: Sequence[RunSpec], data: Dataset) -> None:
        self.specs = list(specs)
        self.X_train, self.y_train, self.X_val, self.y_val = (
            torch.from_numpy(array) for array in images(data)
        )
        self.draws = [draws(spec) for spec in specs]
        self.batches = [torch.from_numpy(drawn.batches) for drawn in self.draws]

    def compile(self, nets: Sequence[int]) -> None:
        """Three steps of a net of each shape: what torch.compile then compiles."""
        for net in nets if self.compiled else ():
            if _shape(self.specs[net]) not in self.nets:
                self._train(net, steps=3)

    def train(self, nets: Sequence[int]) -> list[Outcome]:
        return [outcome(*self._train(net)) for net in nets]

    def _train(self, number: int, steps: int | None = None) -> tuple[list[float], list[float]]:
        """Losses and validation accuracies of a run."""
        drawn, learning_rate = self.draws[number], self.specs[number].training.learning_rate
        net, forward = self._net(self.specs[number], drawn)
        adam = torch.optim.Adam(
            net.parameters(), lr=learning_rate, fused=True if self.fused else None
        )
        losses: list[float] = []
        val_accs: list[float] = []
        for batch, measured in zip(
            self.batches[number][:steps], drawn.measured, strict=steps is None
        ):
            net.train()
            loss = torch.nn.functional.cross_entropy(
                forward(self.X_train[batch]), self.y_train[batch]
            )
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
            if measured:
                net.eval()
                _accuracy(net, self.X_train, self.y_train)
                val_accs.append(_accuracy(net, self.X_val, self.y_val))
        return losses, val_accs

    def _net(self, spec: RunSpec, drawn: Draws) -> tuple[Any, Any]:
        """A net with a run's first weights, and what computes its scores in training."""
        if not self.compiled:
            net = _sequential(spec)
            forward = net
        else:
            if _shape(spec) not in self.nets:
                fresh = _sequential(spec)
                self.nets[_shape(spec)] = fresh, torch.compile(fresh)
            net, forward = self.nets[_shape(spec)]
        linear = [layer for layer in net if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            for layer, weights in zip(linear, drawn.weights, strict=True):
                layer.weight.copy_(torch.from_numpy(weights).T)
                layer.bias.zero_()
            for layer in net:
                if isinstance(layer, (torch.nn.BatchNorm1d, torch.nn.LayerNorm)):
                    layer.reset_parameters()
        return net, forward


def _shape(spec: RunSpec) -> Any:
    return spec.net.hidden_dims, spec.net.normalization, spec.training.batch_size


def _sequential(spec: RunSpec) -> Any:
    layers: list[Any] = []
    dims = [spec.data.input_dim, *spec.net.hidden_dims]
    for fan_in, fan_out in pairwise(dims):
        layers.append(torch.nn.Linear(fan_in, fan_out))
        match spec.net.normalization:
            case "batchnorm":
                layers.append(torch.nn.BatchNorm1d(fan_out, eps=EPS, momentum=1 - MOMENTUM))
            case "layernorm":
                layers.append(torch.nn.LayerNorm(fan_out, eps=EPS))
        layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers, torch.nn.Linear(dims[-1], spec.data.num_classes))


def _accuracy(net: Any, X: Any, y: Any) -> float:
    with torch.no_grad():
        return float((net(X).argmax(dim=1) == y).float().mean())
