"""Embeddings on disk, under an address made of all that decides them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engram.errors import StorageError
from engram.files import atomic_write, digest
from engram.memory.store_format import Header, StoredReadOut, decode, encode, is_key, picture_digest
from engram.memory.store_index import build_index, read_index, write_index
from engram.memory.store_lock import locked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EmbeddingStore", "Inventory", "StoredReadOut", "embedding_key"]

_SHELF = re.compile(r"[0-9a-f]{2}")
_PART = re.compile(r"\.([0-9a-f]{64}\.(safetensors|png)|index\.parquet)\..+\.part")


@dataclass(frozen=True)
class Inventory:
    """The files of a store; those that Engram did not name are none of its business.

    embeddings, pictures: keys, sorted. parts: files being written, or left by a process that was killed.
    """

    embeddings: tuple[str, ...]
    pictures: tuple[str, ...]
    parts: tuple[Path, ...]


class EmbeddingStore:
    """A folder of safetensors files, one a read-out of a patient, and `index.parquet`, which is derived from them.

    Safe under several processes: files are written atomically, and equal keys hold equal numbers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the embedding of a key lies, or would lie."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def picture_path(self, key: str) -> Path:
        """Where the picture of what was read lies."""
        return self.folder / key[:2] / f"{key}.png"

    @property
    def index_path(self) -> Path:
        """Where the index lies."""
        return self.folder / "index.parquet"

    def __contains__(self, key: object) -> bool:
        """Whether there is a file of this key, whatever its state."""
        return isinstance(key, str) and is_key(key) and self.path(key).is_file()

    def save(self, key: str, readout: StoredReadOut, picture: bytes | None = None) -> Path:
        """Write a read-out, and a PNG of what was read; raises StorageError where it cannot be written, ValueError
        where it is not fit to be stored."""
        content = encode(key, readout, picture)
        if picture is not None:  # first, so that an embedding in the store has its picture
            atomic_write(self.picture_path(key), lambda stream: stream.write(picture))
        return atomic_write(self.path(key), lambda stream: stream.write(content))

    def load(self, key: str) -> StoredReadOut:
        """Read and verify a read-out; raises StorageError where it is absent, damaged or of another key."""
        try:
            return self._open(key)[0]
        except OSError as error:
            raise _unreadable(self.path(key), error) from error
        except ValueError as error:
            raise StorageError(f"{self.path(key)}: {error}. Run 'engram embed' again: it is made anew.") from error

    def sound(self, key: str) -> bool:
        """Whether a read-out and its picture are there, whole, and of this key."""
        try:
            return key in self and self.fault(key) is None
        except StorageError:
            return False

    def fault(self, key: str) -> str | None:
        """What is wrong with a read-out or its picture; None where it is sound.

        Raises StorageError where that cannot be known, for a file cannot be read.
        """
        try:
            self._check_picture(key, self._open(key)[1])
        except ValueError as error:
            return str(error)
        except OSError as error:
            raise _unreadable(self.path(key), error) from error
        return None

    def _open(self, key: str) -> tuple[StoredReadOut, Header]:
        if not is_key(key):
            raise ValueError(f"{key!r} is not an address of the store")
        return decode(self.path(key).read_bytes(), key)

    def _check_picture(self, key: str, header: Header) -> None:
        if header.picture is None:
            return
        try:
            found = picture_digest(self.picture_path(key).read_bytes())
        except FileNotFoundError as error:
            raise ValueError("its picture is missing") from error
        if found != header.picture:
            raise ValueError("its picture is damaged")

    def inventory(self) -> Inventory:
        """What lies in the store, by listing it; nothing where there is none yet. Raises StorageError."""
        files = list(self._files())
        found = {
            suffix: tuple(sorted(p.stem for p in files if p.suffix == suffix and is_key(p.stem)))
            for suffix in (".safetensors", ".png")
        }
        parts = sorted(p for p in files if _PART.fullmatch(p.name))
        return Inventory(found[".safetensors"], found[".png"], tuple(parts))

    def _files(self) -> Iterator[Path]:
        for entry in _listed(self.folder):
            if _SHELF.fullmatch(entry.name) and entry.is_dir():
                yield from (p for p in _listed(entry) if p.name.startswith((entry.name, f".{entry.name}")))
            elif _PART.fullmatch(entry.name):
                yield entry

    def index(self) -> pd.DataFrame:
        """One row a file, by key, as the store is now: what it is of, its bytes and its seal. Writes nothing."""
        frame: pd.DataFrame = self._index().to_pandas()
        return frame

    def reindex(self, *, timeout_s: float = 60.0) -> None:
        """Bring index.parquet up to date, reading only headers of new and changed files. Raises StorageError where
        it cannot be written, or another process does so for longer than timeout_s."""
        with locked(self.folder / ".lock", "writes the index of this store", timeout_s=timeout_s):
            write_index(self.index_path, self._index())

    def _index(self) -> Any:
        files = {key: self.path(key) for key in self.inventory().embeddings}
        return build_index(files, read_index(self.index_path))

    def in_use(self) -> AbstractContextManager[None]:
        """Held while embeddings are made, by any number of processes: nothing is deleted meanwhile."""
        return locked(self.folder / ".in-use", "embeds into this store", shared=True)

    def alone(self) -> AbstractContextManager[None]:
        """Held to delete files; raises StorageError at once where embeddings are being made."""
        return locked(self.folder / ".in-use", "deletes files of this store", timeout_s=0)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be listed ({error.strerror or error}). Name the folder of an embedding store "
            "that you may read."
        ) from error


def _unreadable(path: Path, error: OSError) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{path}: is not there. Run 'engram embed' again: it is made anew.")
    return StorageError(
        f"{path}: cannot be read ({error.strerror or error}). Mend the disk or the permissions, "
        "or delete it and run 'engram embed' again: it is made anew."
    )


def embedding_key(
    *,
    modality: str,
    image_digests: Mapping[str, str],
    window: tuple[float, float],
    roi: Mapping[str, Any],
    protocol_digest: str,
    weights_digest: str,
    compute: Mapping[str, Any],
    readout: Mapping[str, Any],
) -> str:
    """The address of an embedding: SHA-256 (hex) of all that decides its numbers.

    image_digests: digests of the files that make the image (PET on the CT's grid depends on both);
    roi: the region's recipe, with the digest of the file that it is made from; compute: device and batch, for the
    last digits depend on them; readout: the recipe of what is kept of the memory.
    """
    return digest(
        {
            "modality": modality,
            "images": dict(image_digests),
            "window": [float(side) + 0.0 for side in window],  # 0, 0.0 and -0.0 are one window
            "roi": dict(roi),
            "protocol": protocol_digest,
            "weights": weights_digest,
            "compute": dict(compute),
            "readout": dict(readout),
        }
    )
