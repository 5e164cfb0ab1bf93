"""Files that are either whole or not there: atomic writes, digests, canonical JSON."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from engram.errors import StorageError

_CHUNK_BYTES = 1 << 20


def atomic_write(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it into place.

    A reader sees the old file or the whole new one, whenever this process is killed. Raises StorageError,
    and leaves nothing behind, where the disk is full or the folder cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror or error}). "
            "Free some space or choose another folder, then run the same command again: finished work is kept."
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return path


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder of one's own inside `parent`, removed at the end; those of killed processes are removed here, too.

    Whoever is alive holds a shared lock on `parent`, which the system lifts when a process is killed: only one
    who is alone may clear away what is there. Raises StorageError where the folder cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        lock = (parent / ".lock").open("wb")
    except OSError as error:
        raise StorageError(
            f"{parent}: cannot be made or written ({error.strerror or error}). Choose another folder."
        ) from error
    with lock:
        if _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for stale in filter(Path.is_dir, parent.iterdir()):
                shutil.rmtree(stale, ignore_errors=True)
        _locked(lock, fcntl.LOCK_SH)
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            yield Path(folder)


def _locked(stream: IO[bytes], how: int) -> bool:
    """False where somebody else holds the lock, or the file system has none: then nothing is ever cleared away."""
    try:
        fcntl.flock(stream, how)
    except OSError:
        return False
    return True


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically."""
    return atomic_write(path, lambda stream: stream.write(text.encode()))


def write_json(path: Path, value: Any) -> Path:
    """Write indented JSON atomically, keys in the order given; NaN is refused."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises StorageError where the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read ({error}). Run the stage that writes it again.") from error


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no white space, floats as `repr` writes them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of the bytes of a file; raises StorageError where it cannot be read."""
    sha = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                sha.update(chunk)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return sha.hexdigest()
