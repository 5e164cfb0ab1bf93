"""One run of a foreign command: its output in a log, a time limit, and an end for all that it has started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from engram.errors import ImagingError, StorageError

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 5.0
_SHOWN_LINES = 6
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_logged(
    command: Sequence[str],
    log: Path,
    folder: Path,
    *,
    seconds: float,
    stop: Event,
    patient_id: str,
    what: str = "segmenter",
) -> None:
    """Run `command` in `folder` until it ends; its output goes to `log`.

    seconds: the longest time. stop: set by the caller to end it early. what: the tool, as errors name it. No shell
    is involved. Raises ImagingError where it cannot be started, ends with another status than 0 (with the last
    lines of its log), takes too long or is stopped; StorageError where the log cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("wb")
    except OSError as error:
        raise StorageError(f"{log}: cannot be written ({error.strerror}). Free space, or mend 'output'.") from error
    with stream:
        try:
            # A session of its own: what the command starts (workers of nnU-Net) ends with it.
            process = subprocess.Popen(
                list(command), cwd=folder, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            value, mend = f"{command[0]}: {error.strerror}", "Check --command; 'engram segment' has --preflight."
            raise ImagingError(patient_id, f"{what} cannot be started", value=value, mend=mend) from error
        reason = _wait(process, seconds, stop)
    if reason is not None:
        mend = "Allow more with --time-limit, or look into the log." if "time" in reason else "Run it again."
        raise ImagingError(
            patient_id, f"{what} {reason}", file=str(log), value=f"{seconds / 60:g} min allowed", mend=mend
        )
    if process.returncode != 0:
        raise ImagingError(
            patient_id,
            f"{what} failed",
            file=str(log),
            value=f"exit status {process.returncode}; it last said: {last_lines(log)}",
            mend="Mend what it says, then run the same command again: finished patients are kept.",
        )


def last_lines(log: Path) -> str:
    """The last lines of a log that say something, in one, without colours and progress bars."""
    text = _COLOURS.sub("", log.read_text(encoding="utf-8", errors="replace")).replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_SHOWN_LINES:])[-1500:] or "(nothing)"


def _wait(process: subprocess.Popen[bytes], seconds: float, stop: Event) -> str | None:
    """None where it ended by itself, else why it was ended."""
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                return "ran out of time"
            if stop.wait(_POLL_SECONDS):
                return "was stopped"
    finally:
        _end(process)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs with all that it has started, first politely."""
    if process.poll() is not None:
        return
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            os.killpg(process.pid, how)  # the children stay in this group when their parent has gone
            process.wait(_GRACE_SECONDS)
