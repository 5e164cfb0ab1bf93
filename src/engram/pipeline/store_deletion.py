"""How files of an embedding store are deleted: only old ones, and only while nobody embeds into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from engram.errors import StorageError
from engram.memory.store import EmbeddingStore

YOUNG_S = 3600.0  # a file younger than this may be of a run that has not written its embeddings.json yet

Report = TypeVar("Report")


def alone(store: EmbeddingStore, work: Callable[[], Report]) -> Report:
    """Work that deletes files, and the index after it. Raises StorageError, before it, where someone embeds."""
    if not store.folder.exists():
        return work()
    with store.alone():
        report = work()
    store.reindex()
    return report


def delete_files(paths: Iterable[Path]) -> int:
    """Delete those of the files that are there, and say how many. Raises StorageError."""
    present = [path for path in paths if path.exists()]
    for path in present:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be deleted ({error.strerror or error}). Mend the permissions, then run the same "
                "command again."
            ) from error
    return len(present)


def is_young(path: Path) -> bool:
    """Whether a file was written in the last hour, or its age is not known; not where it is not there."""
    try:
        return time.time() - path.stat().st_mtime < YOUNG_S
    except FileNotFoundError:
        return False
    except OSError:
        return True


def count(n: int, what: str) -> str:
    """A number of things, in words."""
    return f"{n} {what}{'' if n == 1 else 's'}"
