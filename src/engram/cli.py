"""The entry point. It imports nothing heavy, so that an interrupt finds it in charge from the first moment."""

from __future__ import annotations

import sys


def main() -> None:
    """An error of ours is one clear text on standard error and exit status 1; an interrupt is no traceback."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    from rich.console import Console

    from engram.commands import app
    from engram.errors import EngramError

    try:
        app()
    except EngramError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
