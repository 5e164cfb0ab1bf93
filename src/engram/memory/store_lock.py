"""Advisory locks on files: they hold between processes, and vanish with the process that held them."""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engram.errors import StorageError

_POLL_S = 0.05


@contextmanager
def locked(path: Path, doing: str, *, shared: bool = False, timeout_s: float = 60.0) -> Iterator[None]:
    """Hold the lock of a file, which is made where there is none.

    doing: what its holder does ("embeds into this store"), for those who wait in vain. shared: with any number of
    others that share it. Raises StorageError, naming the holder, after timeout_s; and where there can be no lock.
    """
    handle = _open(path)
    try:
        _acquire(handle, path, shared, timeout_s)
        _sign(handle, path, doing)
        yield
    finally:
        os.close(handle)  # lets go of the lock


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _no_lock(path, error) from error


def _acquire(handle: int, path: Path, shared: bool, timeout_s: float) -> None:
    wanted = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return fcntl.flock(handle, wanted)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StorageError(
                    f"{path.parent}: {_holder(handle)}. Wait until it has ended, or end it, then run the same "
                    "command again."
                ) from None
        except OSError as error:
            raise _no_lock(path, error) from error
        time.sleep(_POLL_S)


def _sign(handle: int, path: Path, doing: str) -> None:
    text = f"process {os.getpid()} on {platform.node()} {doing}".encode()
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text, 0)
    except OSError as error:
        raise _no_lock(path, error) from error


def _holder(handle: int) -> str:
    # A holder signs a moment after it has the lock.
    return os.pread(handle, 1000, 0).decode(errors="replace") or "another process uses this store"


def _no_lock(path: Path, error: OSError) -> StorageError:
    is_file = isinstance(error, FileExistsError | NotADirectoryError)
    why = f"{path.parent} is a file" if is_file else error.strerror or error
    return StorageError(
        f"{path}: cannot be locked ({why}). Choose a folder of your own, on a file system with "
        "space and locks, then run the same command again."
    )
