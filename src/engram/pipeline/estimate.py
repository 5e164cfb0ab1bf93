"""How long a long run will still take, said now and then from how fast its last fits were."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engram.jobs import Progress
from engram.pipeline.console import Console

_WAITS_SECONDS = (60.0, 300.0, 900.0)  # before the first estimate, the second, and each that follows


class Estimating:
    """A console that also tells how long a stage will still take, part by part: a fit of another part takes another
    time.

    The rate is that of the time since the last estimate: kept fits, which take no time, then spoil the first alone.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._left: _Left | None = None

    def say(self, text: str) -> None:
        """Passed on."""
        self._console.say(text)

    def part(self, text: str, jobs: int) -> None:
        """Passed on; from now on, estimates are of this part."""
        self._console.part(text, jobs)
        if self._left is not None:
            self._left.begin(jobs)

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """As the console's, with estimates."""
        with self._console.stage(title) as progress:
            left = self._left = _Left(self._console.say, self._clock)

            def tell(done: float, total: int) -> None:
                progress(done, total)
                left.tell(done, total)

            yield tell


class _Left:
    def __init__(self, say: Callable[[str], object], clock: Callable[[], float]) -> None:
        self._say, self._clock = say, clock
        self._total: int | None = None
        self._end = 0  # of the parts that are known, in jobs of the stage; 0 where none is
        self._waits = list(_WAITS_SECONDS)
        self._since: float | None = None  # the first sign of life, for workers take seconds to start
        self._done = 0.0

    def begin(self, jobs: int) -> None:
        self._end += jobs
        self._restart()

    def tell(self, done: float, total: int) -> None:
        if self._total not in (None, total):  # other work: what was begun is over
            self._end = 0
            self._restart()
        self._total = total
        if self._since is None:
            self._since, self._done = self._clock(), done
        seconds, made, end = self._clock() - self._since, done - self._done, self._end or total
        if seconds < self._waits[0] or made <= 0 or done >= end:
            return
        left = in_words((end - done) * seconds / made)
        follow = f" of this part ({total - end} fits follow it)" if end < total else ""
        self._say(
            f"{int(done)} of {total} done; about {left} left{follow}, were the rest as quick as the last ones. "
            "Networks come first in each part, and take longest."
        )
        self._since, self._done = self._clock(), done
        if len(self._waits) > 1:
            self._waits.pop(0)

    def _restart(self) -> None:
        self._waits, self._since = list(_WAITS_SECONDS), None


def in_words(seconds: float) -> str:
    """As '3 h 20 min', '12 min' or '40 s'."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
