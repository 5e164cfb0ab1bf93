"""What of an embedding store no given run refers to: found always, deleted where asked, never on a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engram.errors import CohortError, StorageError
from engram.files import read_json
from engram.memory.store import EmbeddingStore
from engram.memory.store_format import is_key
from engram.pipeline.store_deletion import alone, count, delete_files, is_young


@dataclass(frozen=True)
class GcReport:
    """What no given run refers to.

    kept: embeddings that a run refers to; young: those of no given run that are younger than an hour; garbage:
    keys; leftovers: what killed writers left behind; mb: 10^6 bytes of all garbage; deleted: files deleted.
    """

    kept: int
    young: int
    garbage: tuple[str, ...]
    leftovers: tuple[Path, ...]
    mb: float
    deleted: int

    @property
    def lines(self) -> list[str]:
        """The report, to be printed."""
        lines = [f"{count(self.kept, 'embedding')} kept: the given studies refer to them"]
        if self.young:
            lines.append(f"{self.young} kept: younger than an hour, so a run that goes on may need them")
        rest = f" and {count(len(self.leftovers), 'unfinished file')}" if self.leftovers else ""
        lines.append(f"{count(len(self.garbage), 'embedding')}{rest} of no given study, {self.mb:.1f} MB")
        if self.deleted:
            return [*lines, f"Deleted {count(self.deleted, 'file')}."]
        if self.garbage or self.leftovers:
            lines.append(
                "Nothing was deleted. Name every study that shares this store, and finish those whose "
                "'engram embed' was stopped: what they made is among it. Then add --delete."
            )
        return lines


def collect_garbage(folder: Path, keep: Sequence[Path], *, delete: bool) -> GcReport:
    """Find, and with `delete` remove, what no given run refers to.

    keep: embeddings.json of every run that uses the store. Raises CohortError, and deletes nothing, where none is
    given, or one cannot be read or knows nothing of this store; StorageError where embeddings are being made.
    """
    store = EmbeddingStore(folder)
    return (
        alone(store, lambda: _collect(store, keep, delete=True)) if delete else _collect(store, keep, delete=False)
    )


def _collect(store: EmbeddingStore, keep: Sequence[Path], *, delete: bool) -> GcReport:
    found = store.inventory()
    there = {*found.embeddings, *found.pictures}
    nobodys = sorted(there - _referred(store, keep, there))
    garbage = tuple(key for key in nobodys if not any(map(is_young, _files(store, key))))
    leftovers = tuple(path for path in found.parts if not is_young(path))
    rubbish = [*(path for key in garbage for path in _files(store, key)), *leftovers]
    mb = sum(map(_bytes, rubbish)) / 1e6
    deleted = delete_files(rubbish) if delete else 0
    young = len(nobodys) - len(garbage)
    return GcReport(len(there) - len(nobodys), young, garbage, leftovers, mb, deleted)


def _files(store: EmbeddingStore, key: str) -> tuple[Path, Path]:
    # In this order: an embedding whose picture is gone is damaged, a picture alone is only in the way.
    return store.path(key), store.picture_path(key)


def _referred(store: EmbeddingStore, keep: Sequence[Path], there: set[str]) -> set[str]:
    if not keep:
        raise CohortError(
            f"{store.folder}: no study is given, so all of it would be garbage. Name every study that uses it."
        )
    referred: set[str] = set()
    for path in keep:
        keys = _keys_of(path)
        if there and not keys & there:
            raise CohortError(
                f"{path}: refers to none of the {len(there)} embeddings in {store.folder}. Run 'engram embed' for "
                "this study, or leave it out if it has another store."
            )
        referred |= keys
    return referred


def _keys_of(path: Path) -> set[str]:
    """The keys that an embeddings.json refers to, of all patients."""
    try:
        patients = read_json(path)["keys"].values()
        keys = {key for patient in patients for key in patient.values()}
    except StorageError as error:
        raise _no_run(path, "it cannot be read") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_run(path, "it is damaged or of another version") from error
    if not all(map(is_key, keys)):
        raise _no_run(path, "its keys are not addresses of the store")
    return keys


def _no_run(path: Path, why: str) -> CohortError:
    return CohortError(
        f"{path}: it is not known what this study refers to ({why}), so nothing is deleted. Run 'engram embed' for "
        "it, or leave it out if its embeddings may go."
    )


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
