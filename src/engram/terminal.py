"""What the user sees of a running pipeline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

out = Console(highlight=False)
_QUIET_SECONDS = 29.0  # a run whose output goes to a file is heard of each half minute
_BEAT_SECONDS = 1.0


class Terminal:
    """Shows the pipeline's progress: a bar, or where the output is no terminal, a line now and then."""

    def say(self, text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    def part(self, text: str, jobs: int) -> None:
        del jobs
        self.say(text)

    @contextmanager
    def stage(self, title: str) -> Iterator[Callable[[float, int], object]]:
        shown = self._bar(title) if out.is_terminal else _Lines(title).beating()
        try:
            with shown as tell:
                yield tell
        except KeyboardInterrupt:
            out.print("Stopped. Finished work is kept: the same command goes on from here.")
            raise

    @contextmanager
    def _bar(self, title: str) -> Iterator[Callable[[float, int], object]]:
        columns = (
            TextColumn("{task.description:<18}"), BarColumn(), TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=out) as bar:
            task = bar.add_task(title, total=None, count="")
            try:
                yield lambda done, total: bar.update(
                    task, completed=done, total=total, count=f"{int(done)}/{total}"
                )
            except BaseException:
                bar.update(task, visible=False)  # a bar that stops halfway says nothing more
                raise


class _Lines:
    """Progress as lines: one for each tenth of the jobs, and one each half minute whatever happens."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._clock = title, clock
        self._started = self._told = clock()
        self._tenth = 0
        self._count = "at work"
        self._lock = threading.Lock()

    @contextmanager
    def beating(self) -> Iterator[Callable[[float, int], object]]:
        """`tell`; meanwhile, a line is printed in time where a job says nothing for long."""
        over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(over,), daemon=True)
        beat.start()
        try:
            yield self.tell
        finally:
            over.set()
            beat.join()

    def tell(self, done: float, total: int) -> None:
        with self._lock:
            tenth = int(10 * done / total)
            self._count = f"{int(done)} of {total}"
            self._print(self._clock(), always=tenth != self._tenth)
            self._tenth = tenth

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(_BEAT_SECONDS):
            with self._lock:
                self._print(self._clock(), always=False)

    def _print(self, now: float, *, always: bool) -> None:
        if not always and now - self._told < _QUIET_SECONDS:
            return
        self._told = now
        minutes, seconds = divmod(int(now - self._started), 60)
        out.print(f"{self._title}: {self._count} ({minutes}:{seconds:02d})", markup=False)
