"""How a long job tells where it stands: a live line on a terminal, plain lines in a log, or nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from normlab.studies.wording import duration

if TYPE_CHECKING:
    from normlab.studies.running import Progress

__all__ = ["Pace", "Show", "duration", "shown"]

SECONDS_BETWEEN_LINES = 10.0


class Show(Protocol):
    """Shows what is being done, in words, and the share that is done: 0 to 1, None if unknown."""

    def __call__(self, stage: str, words: str, share: float | None) -> None: ...


@contextmanager
def shown(console: Console, quiet: bool = False, at_once: bool = False) -> Iterator[Show]:
    """A function to call as the job goes on, while it is shown on this console.

    In a log the first line comes after ten seconds, or `at_once`.
    """
    if quiet:
        yield lambda *_: None
    elif console.is_terminal:
        with _bar(console) as show:
            yield show
    else:
        yield _Lines(console, at_once)


@contextmanager
def _bar(console: Console) -> Iterator[Show]:
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    stage_column, words_column = (
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[words]}", markup=False),
    )
    columns = (stage_column, BarColumn(bar_width=None), words_column)
    with Bar(*columns, console=console, transient=True, refresh_per_second=4, expand=True) as bar:
        task = bar.add_task("starting", total=None, words="")

        def show(stage: str, words: str, share: float | None) -> None:
            total = None if share is None else 1.0
            bar.update(task, description=stage, total=total, completed=share or 0.0, words=words)

        yield show


class _Lines:
    """A line every ten seconds, and one at the end where there was one before."""

    def __init__(self, console: Console, at_once: bool) -> None:
        self.console = console
        self.began = -SECONDS_BETWEEN_LINES if at_once else time.monotonic()
        self.last = self.began

    def __call__(self, stage: str, words: str, share: float | None) -> None:
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES or (share == 1 and self.last > self.began):
            self.last = now
            self.console.print(f"{stage}: {words}", highlight=False, soft_wrap=True, markup=False)


class Pace:
    """Throughput and remaining time of training, from what this call has done since it began."""

    def __init__(self, show: Show) -> None:
        self.show = show
        self.began = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Show where the runs stand."""
        share = 1.0 if progress.done == progress.total else min(progress.share, 0.999)
        self.show(progress.stage, self.words(progress), share)

    def words(self, progress: Progress) -> str:
        """`57 of 142 runs (20 from before), 1.2 runs/s, 1 min 05 s left`."""
        elapsed = time.monotonic() - self.began
        done = progress.done - progress.reused
        reused = f" ({progress.reused} from before)" if progress.reused else ""
        words = [f"{progress.done} of {progress.total} runs{reused}"]
        if done:
            quick = done >= 100 * elapsed
            words.append(f"{done / elapsed:.{0 if quick else 2}{'f' if quick else 'g'}} runs/s")
        if 0 < progress.share < 1:
            left = duration(elapsed * (1 - progress.share) / progress.share)
            words.append(f"{left} left")
        if progress.lost_workers:
            words.append(f"{progress.lost_workers} workers lost and replaced")
        return ", ".join(words)
