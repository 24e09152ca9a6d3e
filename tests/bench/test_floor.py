"""The floor: operations and bytes against a count by hand, and against the figures of the study that is quoted."""

import pytest

from normlab import data
from normlab.specs import DataSpec, NetSpec, RunSpec, TrainingSpec
from proof.bench.floor import Work, floor_seconds, total, work_of
from proof.bench.workloads import workload

DATA = DataSpec(num_train=20, num_val=10, input_dim=4, num_classes=2)


def run(norm: str | None, size: int = 5) -> RunSpec:
    return RunSpec(NetSpec((3,), norm), TrainingSpec(batch_size=size, num_epochs=2), DATA)


def test_a_plain_net_of_three_units_counted_by_hand() -> None:
    # 4 inputs, 3 units, 2 classes: 12 + 6 weights, 3 + 2 biases
    forward = 2 * 5 * 12 + 2 * 5 * 6
    weight_gradients = forward
    input_gradient = 2 * 5 * 6  # of the second layer alone
    relu = 2 * 5 * 3
    adam = 13 * 23
    steps = 2 * 4
    assert work_of(run(None)) == Work(
        training=steps * (forward + weight_gradients + input_gradient + relu + adam),
        evaluation=3 * 30 * 2 * 18,  # after the first step and two epochs, on 20 + 10 images
        bytes=steps * 24 * 23,
    )


def test_batch_norm_adds_its_passes_and_its_parameters() -> None:
    plain, normalized = work_of(run(None)), work_of(run("batchnorm"))
    steps = 8
    assert normalized.training - plain.training == steps * (21 * 5 * 3 + 13 * 6)
    assert normalized.evaluation - plain.evaluation == 3 * 30 * 5 * 3
    assert normalized.bytes - plain.bytes == steps * 24 * 6


def test_one_step_an_epoch_is_measured_after_each_step_once() -> None:
    assert work_of(run(None, size=20)).evaluation == 2 * 30 * 2 * 18


def test_training_images_beyond_a_thousand_are_not_evaluated() -> None:
    many = RunSpec(
        NetSpec((3,)), TrainingSpec(batch_size=5, num_epochs=2), DataSpec("d", 5000, 10, 4, 2)
    )
    assert work_of(many).evaluation == 3 * 1010 * 2 * 18


def test_the_initialization_study_takes_what_its_formula_says() -> None:
    """7.6 Gflop to train a net of the study on CIFAR-10, and 7.4 to evaluate it."""
    specs = workload("initialization").runs(DataSpec("cifar10", 1000, 1000, 3072))
    assert len(specs) == 40
    work = total(specs)
    assert work.training / 40 == pytest.approx(7.6e9, rel=0.01)
    assert work.evaluation / 40 == pytest.approx(7.4e9, rel=0.01)


def test_accuracies_are_counted_as_often_as_they_are_measured() -> None:
    """The count of evaluations is the Solver's own."""
    from normlab.engines import reference

    digits = data.load("digits", num_training=40, num_validation=20)
    for size in (10, 40):
        spec = RunSpec(NetSpec((3,)), TrainingSpec(batch_size=size, num_epochs=2), digits.spec)
        measured = len(reference.train(spec, digits).val_acc)
        weights = 64 * 3 + 3 * 10
        assert work_of(spec).evaluation == measured * 60 * 2 * weights


@pytest.mark.parametrize(("flops", "bandwidth", "seconds"), [(1e9, 1e9, 3.0), (1e9, 1e8, 5.0)])
def test_the_floor_is_the_larger_of_arithmetic_and_memory(
    flops: float, bandwidth: float, seconds: float
) -> None:
    assert floor_seconds(Work(2e9, 1e9, 5e8), flops, bandwidth) == seconds
    assert floor_seconds(Work(2e9, 1e9, 5e8), 1e9, 1e9, evaluation=False) == 2.0
