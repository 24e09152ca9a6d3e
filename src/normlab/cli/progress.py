"""How a long job tells where it stands: a live line on a terminal, plain lines in a log, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from normlab.studies.wording import duration

if TYPE_CHECKING:
    from normlab.studies.running import Progress

__all__ = ["duration", "shown"]

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown(console: Console, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A function to give each `Progress` to, while it is shown on this console."""
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _bar(console) as tell:
            yield tell
    else:
        yield _Lines(console)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[words]}"))
    pace = _Pace()
    with Bar(*columns, console=console, transient=True, refresh_per_second=4, expand=True) as bar:
        task = bar.add_task("starting", total=1.0, words="")

        def tell(progress: Progress) -> None:
            bar.update(task, description=progress.stage, completed=progress.share, words=pace.words(progress))

        yield tell


class _Lines:
    """A line now and then: at the start, at the end, and every ten seconds between."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.pace = _Pace()
        self.last = -SECONDS_BETWEEN_LINES

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES or progress.done == progress.total:
            self.last = now
            self.console.print(f"{progress.stage}: {self.pace.words(progress)}", highlight=False, soft_wrap=True)


class _Pace:
    """Throughput and remaining time, from what this call has done since it began."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def words(self, progress: Progress) -> str:
        """`57 of 142 runs (20 from before), 1.2 runs/s, 1 min 05 s left`."""
        elapsed = time.monotonic() - self.began
        done = progress.done - progress.reused
        reused = f" ({progress.reused} from before)" if progress.reused else ""
        words = [f"{progress.done} of {progress.total} runs{reused}"]
        if done:
            words.append(f"{done / elapsed:.2g} runs/s" if done < 100 * elapsed else f"{done / elapsed:.0f} runs/s")
        if 0 < progress.share < 1:
            words.append(f"{duration(elapsed * (1 - progress.share) / progress.share)} left")
        if progress.lost_workers:
            words.append(f"{progress.lost_workers} workers lost and replaced")
        return ", ".join(words)
