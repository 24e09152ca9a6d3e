"""normlab itself: `train`, as anyone calls it, weights and minibatches drawn within."""

from __future__ import annotations

from collections.abc import Sequence

from normlab.data.dataset import Dataset
from normlab.specs import RunSpec
from normlab.sweep import train
from proof.bench.trainers.draws import Outcome


class NormlabTrainer:
    """`train(specs, data, engine=…, workers=…)`."""

    def __init__(self, engine: str, workers: int) -> None:
        self.engine, self.workers = engine, workers
        self.specs: list[RunSpec] = []
        self.data: Dataset

    def prepare(self, specs: Sequence[RunSpec], data: Dataset) -> None:
        self.specs, self.data = list(specs), data

    def compile(self, nets: Sequence[int]) -> None:
        """Nothing: what Numba compiles is kept on disk from the first use on. The cold start is measured apart."""

    def train(self, nets: Sequence[int]) -> list[Outcome]:
        specs = [self.specs[net] for net in nets]
        histories = train(specs, self.data, engine=self.engine, workers=self.workers)
        return [Outcome(h.loss[0], h.final_loss, h.best_val_acc, len(h.val_acc)) for h in histories]
