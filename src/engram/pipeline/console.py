"""What the pipeline tells while it works. The command line shows it; a script may stay silent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from engram.jobs import Progress


class Console(Protocol):
    """Where stages report to."""

    def say(self, text: str) -> None:
        """One line for the user."""

    def part(self, text: str, jobs: int) -> None:
        """A part of the stage begins: what it is, and how many of the stage's jobs it has."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """A stage with a bar: call what is yielded with (jobs done, shares of jobs included; jobs in all)."""


class Silent:
    """A console that says nothing."""

    def say(self, text: str) -> None:
        """Drop the line."""

    def part(self, text: str, jobs: int) -> None:
        """Drop the line."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """Drop the progress."""
        del title
        yield lambda _done, _total: None
