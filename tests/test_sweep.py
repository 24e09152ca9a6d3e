"""The one call: the same histories whatever happens to the order, the workers or the process."""

import contextlib
import dataclasses
import functools
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

import normlab
from normlab import engines, randomness
from normlab.data.dataset import Dataset
from normlab.engines import reference
from normlab.errors import OptionError, RecordsError
from normlab.nets import FullyConnectedNet
from normlab.records import Records
from normlab.solver import Solver
from normlab.specs import DataSpec, NetSpec, RunSpec, TrainingSpec, replace
from normlab.sweep import LostRunsError, estimated_work
from normlab.sweep import train as train_on_any_engine

ROOT = Path(__file__).parent.parent

# The reference engine throughout: nothing here depends on which engine runs, and none is as quick
# to start.
train = functools.partial(train_on_any_engine, engine="reference")


def stand_in(monkeypatch, run):
    """Let `run` train in the reference engine's place."""
    engine = dataclasses.replace(engines.REFERENCE, train=run)
    monkeypatch.setitem(engines.BY_NAME, "reference", engine)


@functools.cache
def made_up_data():
    """Four classes told by which of the first four features is largest; small, for runs of some 20 ms."""
    rng = randomness.generator(0)
    parts = []
    for count in (120, 60, 20):
        X = 50 * rng.randn(count, 12)
        parts += [X, X[:, :4].argmax(axis=1)]
    return Dataset("made up", *parts, num_classes=4)


def made_up_specs(seeds=2):
    nets = [NetSpec((10, 10), name, weight_scale=0.1) for name in (None, "batchnorm", "layernorm")]
    nets += [
        NetSpec((8, 8), weight_scale=1e25),
        NetSpec((8, 8), "batchnorm", dropout=0.5, dtype="float64"),
    ]
    trainings = [
        TrainingSpec(batch_size=20, num_epochs=2),
        TrainingSpec(batch_size=5, num_epochs=1),
    ]
    data = made_up_data().spec
    return [
        RunSpec(net, training, data, s)
        for net in nets
        for training in trainings
        for s in range(seeds)
    ]


@functools.cache
def undisturbed():
    return train(made_up_specs(), made_up_data(), workers=1)


def table(path):
    """The whole results table but times, and the order in which rows happened to be written."""
    columns = (
        "key, spec, best_val_acc, best_train_acc, final_loss, diverged, engine, versions, machine"
    )
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT {columns} FROM runs ORDER BY key").fetchall()
    with Records(path, mode="r") as records:
        return rows, records.digest()


# What a run is


def test_a_run_is_the_assignments_after_its_seed():
    for spec in made_up_specs(seeds=1):
        net, training = spec.net, spec.training
        np.random.seed(spec.seed)
        model = FullyConnectedNet(
            list(net.hidden_dims),
            12,
            4,
            net.dropout,
            net.normalization,
            0.0,
            net.weight_scale,
            np.dtype(net.dtype),
        )
        settings = {"learning_rate": training.learning_rate}
        with np.errstate(all="ignore"):
            solver = Solver(
                model,
                made_up_data().as_dict(),
                update_rule="adam",
                optim_config=settings,
                batch_size=training.batch_size,
                num_epochs=training.num_epochs,
                verbose=False,
            )
            solver.train()
        history = reference.train(spec, made_up_data())
        np.testing.assert_array_equal(history.loss, solver.loss_history)
        np.testing.assert_array_equal(history.train_acc, solver.train_acc_history)
        np.testing.assert_array_equal(history.val_acc, solver.val_acc_history)
        assert history.best_val_acc == solver.best_val_acc


def test_a_run_leaves_numpys_global_generator_alone():
    np.random.seed(5)
    reference.train(made_up_specs()[-1], made_up_data())
    after = np.random.rand()
    np.random.seed(5)
    assert after == np.random.rand()


def test_divergence_is_said_by_the_history_and_by_no_warning():
    histories = dict(zip(made_up_specs(), undisturbed(), strict=True))
    for spec, history in histories.items():
        assert history.diverged == (spec.net.weight_scale == 1e25)
        assert history.diverged != np.isfinite(history.loss).all()


def test_a_history_with_nan_equals_its_copy_from_another_process():
    diverged = next(history for history in undisturbed() if history.diverged)
    assert pickle.loads(pickle.dumps(diverged)) == diverged


# Order, workers, records: none of them shows in the results


def test_histories_come_in_the_order_of_the_specs_whatever_the_workers_and_order():
    specs = made_up_specs()
    order = randomness.generator(1).permutation(len(specs))
    shuffled = train([specs[place] for place in order], made_up_data(), workers=2)
    assert shuffled == [undisturbed()[place] for place in order]


def test_equal_specs_are_trained_once(monkeypatch, tmp_path):
    stand_in(monkeypatch, functools.partial(noting_run, tmp_path / "runs"))
    one, other = made_up_specs()[:2]
    histories = train([one, other, one, replace(one)], made_up_data(), workers=1)
    assert histories == [undisturbed()[place] for place in (0, 1, 0, 0)]
    assert len((tmp_path / "runs").read_text().split()) == 2


def test_recorded_runs_are_not_trained_again(monkeypatch, tmp_path):
    specs = made_up_specs()
    with Records(tmp_path / "r.sqlite") as records:
        assert train(specs[:5], made_up_data(), records=records, workers=1) == undisturbed()[:5]
        stand_in(monkeypatch, functools.partial(noting_run, tmp_path / "runs"))
        assert train(specs[:7], made_up_data(), records=records, workers=1) == undisturbed()[:7]
        assert len(records) == 7
        assert set((tmp_path / "runs").read_text().split()) == {spec.key for spec in specs[5:7]}
        assert all(
            records.get(spec.key) == history
            for spec, history in zip(specs, undisturbed()[:7], strict=False)
        )


def test_one_spec_a_name_and_a_path_are_what_they_stand_for(tmp_path):
    data = normlab.data.load("digits")
    spec = RunSpec(NetSpec((5,)), TrainingSpec(num_epochs=1, batch_size=500), data.spec, 3)
    path = tmp_path / "runs.sqlite"
    alone = train(spec, "digits", records=path)
    assert alone == train([spec], data)[0]
    with Records(path, mode="r") as records:
        assert records.get(spec.key) == alone


def test_nothing_to_train_is_nothing():
    assert train([], made_up_data()) == []


def test_the_longest_run_comes_first(tmp_path):
    specs = made_up_specs()
    with Records(tmp_path / "r.sqlite") as records:
        train(specs, made_up_data(), records=records, workers=1)
        work = [estimated_work(spec) for spec, _ in records]
    assert work == sorted(work, reverse=True)
    assert len(set(work)) > 2


def test_progress_tells_each_run_as_it_ends(tmp_path):
    specs, events = made_up_specs(), []
    with Records(tmp_path / "r.sqlite") as records:
        train(specs[:3], made_up_data(), records=records, workers=1)
        train([*specs, *specs], made_up_data(), records=records, workers=1, progress=events.append)
    assert (events[0].total, events[0].done, events[0].reused, events[0].share) == (20, 3, 3, 0)
    assert [event.done for event in events] == list(range(3, 21))
    assert {event.spec for event in events[1:]} == set(specs[3:])
    shares = [event.share for event in events]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert all(event.seconds > 0 for event in events[1:])


def assert_pinned_run(spec, data, _model):
    blas = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
    assert {library["num_threads"] for library in blas} == {1}
    assert not data.X_train.flags.writeable
    return reference.train(spec, data)


@pytest.mark.parametrize("workers", [1, 2])
def test_blas_has_one_thread_in_every_worker_and_the_record_says_so(monkeypatch, tmp_path, workers):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")  # what a new worker would start with
    stand_in(monkeypatch, assert_pinned_run)
    with Records(tmp_path / "r.sqlite") as records:
        train(made_up_specs()[:4], made_up_data(), records=records, workers=workers)
        (made_with,) = records.provenance()
    assert {blas["threads"] for blas in made_with["machine"]["blas"]} == {1}


# The door


def never_run(_spec, _data, _model):
    raise AssertionError("this run should have been refused at the door")


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (
            {},
            {"engine": "refrence"},
            "engine='refrence' is not one of 'auto', .*did you mean 'reference'",
        ),
        ({}, {"workers": 0}, "workers=0 is not a whole number from 1"),
        ({}, {"retries": -1}, "retries=-1 is not a whole number >= 0"),
        (
            {"training": TrainingSpec(batch_size=121)},
            {},
            r"specs\[1\]: the reference engine cannot .*: batch_size=121 is more than the 120",
        ),
        (
            {"data": DataSpec("mnist", 120, 60, 12, 4)},
            {},
            r"specs\[1\] is a run on DataSpec\(name='mnist'.*but the data",
        ),
        (
            {"data": replace(made_up_data().spec, fingerprint="0")},
            {},
            r"they differ in fingerprint.*replace\(spec",
        ),
    ],
)
def test_what_could_only_fail_later_is_refused_at_the_door(monkeypatch, change, options, sentence):
    stand_in(monkeypatch, never_run)
    specs = made_up_specs()[:2]
    specs[1] = replace(specs[1], **change)
    with pytest.raises(OptionError, match=sentence):
        train(specs, made_up_data(), **{"workers": 1, **options})


def test_records_open_for_reading_are_refused_at_the_door(monkeypatch, tmp_path):
    stand_in(monkeypatch, never_run)
    with Records(tmp_path / "r.sqlite"):
        pass
    with (
        Records(tmp_path / "r.sqlite", mode="r") as records,
        pytest.raises(RecordsError, match="open them with mode='a'"),
    ):
        train(made_up_specs(), made_up_data(), records=records, workers=1)


# Lost workers. These runs end their own process as the kernel would for want of memory.


def noting_run(file, spec, data, _model):
    with open(file, "a") as notes:
        print(spec.key, file=notes, flush=True)
    return reference.train(spec, data)


def poisonous_run(file, poison, spec, data, _model):
    with open(file, "a") as notes:
        print(spec.key, file=notes, flush=True)
    if spec.key in poison:
        os.kill(os.getpid(), signal.SIGKILL)
    return reference.train(spec, data)


def once_deadly_run(file, spec, data, _model):
    with contextlib.suppress(FileExistsError):
        open(file, "x").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return reference.train(spec, data)


def test_a_lost_worker_costs_nothing_but_time(monkeypatch, tmp_path):
    stand_in(monkeypatch, functools.partial(once_deadly_run, tmp_path / "died"))
    events = []
    histories = train(made_up_specs(), made_up_data(), workers=2, progress=events.append)
    assert histories == undisturbed()
    assert events[-1].lost_workers == 1
    assert [event.done for event in events] == list(range(21))


def test_runs_that_kill_every_worker_are_set_aside_and_named(monkeypatch, tmp_path):
    specs, notes, retries = made_up_specs(), tmp_path / "runs", 1
    poison = {specs[0].key, specs[9].key}
    stand_in(monkeypatch, functools.partial(poisonous_run, notes, poison))
    with Records(tmp_path / "r.sqlite") as records:
        with pytest.raises(
            LostRunsError, match="2 of 20 runs ended their worker process"
        ) as caught:
            train(specs, made_up_data(), records=records, workers=2, retries=retries)
        assert {spec.key for spec in caught.value.specs} == poison
        assert all(key[:12] in str(caught.value) for key in poison)
        assert (
            caught.value.histories.keys()
            == set(records.keys())
            == {spec.key for spec in specs} - poison
        )
        # each once and `retries` times again alone, and before that, unless it was only waiting,
        # beside the others
        assert all(notes.read_text().split().count(key) - (1 + retries) in (0, 1) for key in poison)
        monkeypatch.undo()
        assert train(specs, made_up_data(), records=records, workers=1) == undisturbed()


def failing_run(spec, data, _model):
    if spec.seed == 1:
        raise ZeroDivisionError("a mistake of ours")
    return reference.train(spec, data)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_in_a_run_is_raised_and_what_was_finished_is_kept(
    monkeypatch, tmp_path, workers
):
    stand_in(monkeypatch, failing_run)
    with Records(tmp_path / "r.sqlite") as records:
        with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
            train(made_up_specs(), made_up_data(), records=records, workers=workers)
        monkeypatch.undo()
        assert (
            train(made_up_specs(), made_up_data(), records=records, workers=workers)
            == undisturbed()
        )


# The whole process killed or interrupted

SWEEP = """
import sys
from normlab.records import Records
from tests.test_sweep import made_up_data, made_up_specs, train
with Records(sys.argv[1]) as records:
    train(made_up_specs(seeds=int(sys.argv[3])), made_up_data(), records=records, workers=int(sys.argv[2]),
          progress=lambda event: print(event.done, flush=True))
"""


def start_sweep(path, workers, seeds):
    return subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(path), str(workers), str(seeds)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, as a terminal gives it
    )


def assert_all_gone(group, seconds=10):
    """Every process of the group has ended."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        raise AssertionError(f"processes of group {group} are still there after {seconds} seconds")


def test_killed_at_random_instants_a_sweep_ends_with_the_same_table(tmp_path):
    seeds = 8
    with Records(tmp_path / "undisturbed.sqlite") as records:
        train(made_up_specs(seeds), made_up_data(), records=records, workers=1)
    killed, kept = tmp_path / "killed.sqlite", [0]
    for kill, wait in enumerate(randomness.generator(3).uniform(0, 0.1, size=12)):
        sweep = start_sweep(killed, workers=2 if kill == 4 else 1, seeds=seeds)
        assert int(sweep.stdout.readline()) >= kept[-1]  # what was recorded before is there
        if kill == 4:
            sweep.stdout.readline()  # workers are up
        time.sleep(wait)
        sweep.kill()
        sweep.communicate(timeout=20)  # until every process that holds its output has ended
        assert_all_gone(sweep.pid)
        with Records(killed) as records:
            kept.append(len(records))
    assert kept == sorted(kept)
    assert kept[-1] > kept[1]
    assert any(0 < count < len(made_up_specs(seeds)) for count in kept)
    last = start_sweep(killed, workers=2, seeds=seeds)
    last.communicate()
    assert last.returncode == 0
    assert table(killed) == table(tmp_path / "undisturbed.sqlite")


def interrupt(sweep):
    """Ctrl-C as a terminal sends it, to the whole group, and again if nothing happens; what was said then."""
    for _ in range(5):
        os.killpg(sweep.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return sweep.communicate(timeout=4)[1]
    raise AssertionError("the sweep does not hear Ctrl-C")


@pytest.mark.parametrize(("workers", "finished"), [(1, 3), (2, 0), (2, 3)])
def test_ctrl_c_ends_the_workers_keeps_what_is_finished_and_is_quiet(tmp_path, workers, finished):
    path = tmp_path / "r.sqlite"
    sweep = start_sweep(path, workers, seeds=100)
    while int(sweep.stdout.readline()) < finished:
        pass
    time.sleep(0.3 if finished == 0 else 0)  # the workers are starting
    said = interrupt(sweep)
    assert sweep.returncode == -signal.SIGINT
    assert (
        said.count("Traceback") == 1
    )  # this process's own, from the uncaught KeyboardInterrupt; none of a worker
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert_all_gone(sweep.pid)
    with Records(path) as records:
        assert finished <= len(records) < 1000
        assert train(made_up_specs(), made_up_data(), records=records, workers=1) == undisturbed()
