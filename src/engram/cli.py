"""The entry point. It imports nothing heavy, so that an interrupt finds it in charge from the first moment."""

from __future__ import annotations

import signal
import sys
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The system, or whoever runs the queue, asks us to end: the same as Ctrl-C, with a status of its own."""


def main() -> None:
    """An error of ours is one clear text on standard error and exit status 1; an interrupt is no traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _run()
    except KeyboardInterrupt as interrupt:
        sys.exit(_status(interrupt))
    except SystemExit as ended:  # of the command line, which turns an interrupt into its exit status
        sys.exit(_status(ended.__cause__ or ended.__context__, ended.code))


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _status(why: BaseException | None, otherwise: str | int | None = 130) -> str | int | None:
    while why is not None:
        if isinstance(why, Terminated):
            return 143
        why = why.__cause__ or why.__context__
    return otherwise


def _run() -> None:
    from rich.console import Console

    from engram.commands import app
    from engram.errors import EngramError

    try:
        app()
    except EngramError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
