"""What the user sees of a running pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

out = Console(highlight=False)
_QUIET_SECONDS = 30.0  # a run whose output goes to a file is heard of at least so often


class Terminal:
    """Shows the pipeline's progress: a bar, or where the output is no terminal, a line now and then."""

    def say(self, text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    def part(self, text: str, jobs: int) -> None:
        del jobs
        self.say(text)

    @contextmanager
    def stage(self, title: str) -> Iterator[Callable[[float, int], object]]:
        shown = self._bar(title) if out.is_terminal else nullcontext(_Lines(title).tell)
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
    """Progress as lines: the first sign of life, then one for each tenth of the jobs or each half minute."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._clock = title, clock
        self._started = self._told = clock()
        self._tenth = 0

    def tell(self, done: float, total: int) -> None:
        now, tenth = self._clock(), int(10 * done / total)
        if tenth == self._tenth and now - self._told < _QUIET_SECONDS:
            return
        self._tenth, self._told = tenth, now
        minutes, seconds = divmod(int(now - self._started), 60)
        out.print(f"{self._title}: {int(done)} of {total} ({minutes}:{seconds:02d})", markup=False)
