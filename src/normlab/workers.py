"""Many tasks over worker processes, any of which may be killed at any time.

joblib's pool gives up when one worker dies, and with it goes what the others were doing. Here the
tasks that were under way are then tried alone, one at a time, so that a task that ends its worker
is known for it and takes no other along; then the pool goes on with the rest.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from normlab.handover import handed_over, taken
from normlab.machine import one_blas_thread

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass
class Losses(Generic[Task]):
    """What lost workers have cost: how often one was lost, and the tasks set aside."""

    workers: int = 0
    tasks: list[Task] = field(default_factory=list)


def finished_tasks(
    function: Callable[[Task, Any], Result],
    tasks: Sequence[Task],
    shared: Any,
    *,
    workers: int,
    retries: int,
    losses: Losses[Task],
) -> Generator[tuple[Task, Result], None, None]:
    """Yield (task, function(task, shared)) as each task ends; they are started in the given order.

    One worker is this process itself. More are processes of their own: the arrays in `shared` reach
    them as read-only maps of a single copy, and BLAS works on one thread in each. A task that was
    under way, or waiting, when a worker was lost is tried alone; one that ends its worker then, and
    in `retries` further attempts, is set aside in `losses`. An exception in a task ends everything
    and is raised here. Closing the iterator ends the workers at once.
    """
    # a daemonic process may have no children: it does the work itself
    if workers == 1 or multiprocessing.current_process().daemon:
        for task in tasks:
            yield task, _pinned(function, task, shared)
        return
    pending = dict(enumerate(tasks))
    attempts: Counter[int] = Counter()  # those made alone, that ended with a lost worker
    suspects: list[int] = []
    with handed_over(shared) as given, _no_idle_workers():
        while pending:
            alone = suspects[:1]
            started: list[int] = []
            calls = _pool(
                function, [(n, pending[n]) for n in alone or pending], started, given, workers
            )
            try:
                with contextlib.closing(calls):
                    for number, result in calls:
                        yield pending.pop(number), result
            except BrokenProcessPool:
                losses.workers += 1
                under_way = [number for number in started if number in pending]
                if not under_way:
                    raise  # no task is to blame: worker processes do not live here at all
                attempts.update(alone)
                if not alone:
                    suspects = under_way
                elif attempts[alone[0]] > retries:
                    losses.tasks.append(pending.pop(alone[0]))
            suspects = [number for number in suspects if number in pending]


def _pool(
    function: Callable[[Task, Any], Result],
    tasks: list[tuple[int, Task]],
    started: list[int],
    given: Any,
    workers: int,
) -> Generator[tuple[int, Result], None, None]:
    """Yield (number, result) of each numbered task; `started` notes those handed to workers.

    Each worker has one task under way and one waiting.
    """
    import joblib  # on first use: it takes a fifth of a second, and one worker needs none of it

    def calls() -> Iterator[Any]:
        for number, task in tasks:
            started.append(number)
            yield joblib.delayed(_numbered)(number, function, task, given)

    # loky replaces a worker whose memory has grown, and says so; nothing is lost by it, and nobody
    # need worry
    warnings.filterwarnings(
        "ignore", message="A worker stopped while some jobs", category=UserWarning
    )
    parallel = joblib.Parallel(
        n_jobs=workers,
        backend="loky",  # fresh processes: forking after BLAS has run may hang
        return_as="generator_unordered",
        # each worker has one task waiting: none idles, few are under way when a worker is lost, and
        # we know which
        pre_dispatch=2 * workers,
        batch_size=1,
        max_nbytes=None,  # large arrays are handed over already
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    with _deaf_to_interrupts():
        results = parallel(calls())
    try:
        for numbered in results:  # noqa: UP028  # `yield from` would let joblib's warning below escape
            yield numbered
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # joblib warns that tasks are cut off, which is what closing means
            results.close()


@contextlib.contextmanager
def _no_idle_workers() -> Iterator[None]:
    """At the end, no worker waits for another task where that would keep somebody waiting.

    joblib keeps its workers for five minutes, for the next call. A program that asked another
    process or thread to train (a pool of its own, a server) would wait for them at its end.
    """
    try:
        yield
    finally:
        main = threading.current_thread() is threading.main_thread()
        if multiprocessing.parent_process() is not None or not main:
            from joblib.externals.loky import get_reusable_executor

            executor = get_reusable_executor(max_workers=1, reuse=True)
            # joblib's own executor also removes its folder in memory
            getattr(executor, "terminate", executor.shutdown)(kill_workers=True)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started within do not hear Ctrl-C: this process will end them.

    A Ctrl-C in just these hundredths of a second is lost: what is ignored here is ignored there,
    and a handler is not inherited.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _numbered(
    number: int, function: Callable[[Task, Any], Result], task: Task, given: Any
) -> tuple[int, Result]:
    return number, _pinned(function, task, taken(given))


def _end_with(parent: int) -> None:
    """From now on this worker process ends when its parent is gone, even killed without a word.

    joblib's workers would wait five minutes for another task, or for ever if the kill came at the
    wrong instant, and keep their copy of the data for as long. Windows does not say which processes
    are gone; there they do wait.
    """
    if os.name == "nt":
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)  # nobody is left to hear an exception

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def _pinned(function: Callable[[Task, Any], Result], task: Task, shared: Any) -> Result:
    with one_blas_thread():
        return function(task, shared)
