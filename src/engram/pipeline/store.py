"""What may be asked of an embedding store: what lies in it, and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engram.errors import StorageError
from engram.memory.store import EmbeddingStore
from engram.pipeline.store_deletion import alone, count, delete_files, is_young

if TYPE_CHECKING:
    import pandas as pd

_GROUP = [
    "modality",
    "roi",
    "readout",
    "weights",
    "weights_digest",
    "protocol_digest",
    "protocol",
    "engine_version",
]


def list_store(folder: Path) -> pd.DataFrame:
    """One row a kind of embedding: what it is of, `files`, and `mb` (10^6 bytes, without pictures).

    Damaged files are left out. Writes nothing. Raises StorageError where the folder cannot be listed.
    """
    groups = EmbeddingStore(folder).index().groupby(_GROUP, sort=True)["bytes"]
    summary = groups.agg(["size", "sum"]).reset_index()
    summary["mb"] = summary.pop("sum") / 1e6
    return summary.rename(columns={"size": "files"})


def store_lines(folder: Path) -> list[str]:
    """`list_store` to be printed; digests are cut to eight digits, and each protocol is told in words below."""
    summary, files = list_store(folder), len(EmbeddingStore(folder).inventory().embeddings)
    if not files:
        return [f"{folder}: no embeddings here yet. Run 'engram embed' first."]
    protocols = _protocols(summary)
    shown = summary.drop(columns="protocol").rename(
        columns={"protocol_digest": "protocol", "engine_version": "engine"}
    )
    shown["weights"] += " " + shown.pop("weights_digest").str[:8]
    shown["protocol"] = shown["protocol"].str[:8]
    listed = int(summary["files"].sum())
    lines = shown.to_string(index=False, float_format="{:.1f}".format).splitlines() if listed else []
    lines += protocols
    lines.append(f"{folder}: {count(listed, 'embedding')}, {summary['mb'].sum():.1f} MB without pictures")
    if files > listed:
        lines.append(f"{count(files - listed, 'file')} could not be read: 'engram store verify' names them.")
    return lines


def _protocols(summary: pd.DataFrame) -> list[str]:
    """One line a protocol: its digest, as the table above has it, and its choices."""
    words = summary.groupby("protocol_digest", sort=True)["protocol"].max()
    return [
        f"protocol {str(key)[:8]}: {said or 'made by an earlier version, not said'}" for key, said in words.items()
    ]


@dataclass(frozen=True)
class Damaged:
    """A file that is not what it should be, and why."""

    path: Path
    why: str


@dataclass(frozen=True)
class VerifyReport:
    """What a store was found to be. unreadable: files whose state is not known; they are never deleted.

    orphans: pictures without their embedding; leftovers: what writers that were killed left behind. Both are older
    than an hour. deleted: files deleted.
    """

    sound: int
    damaged: tuple[Damaged, ...]
    unreadable: tuple[str, ...]
    orphans: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    deleted: int

    @property
    def clean(self) -> bool:
        """Whether there is nothing to delete and nothing unknown."""
        return not (self.damaged or self.unreadable or self.orphans or self.leftovers)

    @property
    def lines(self) -> list[str]:
        """The report, to be printed."""
        found = [f"Damaged: {one.path}: {one.why}" for one in self.damaged]
        found += [f"Not known: {text}" for text in self.unreadable]
        found += [f"Picture without its embedding: {path}" for path in self.orphans]
        found += [f"Left by a process that was killed: {path}" for path in self.leftovers]
        found += ["Files that cannot be read are never deleted: they may be sound."] * bool(self.unreadable)
        return [*found, f"{count(self.sound, 'embedding')} sound, {len(self.damaged)} damaged", *self._mend]

    @property
    def _mend(self) -> list[str]:
        if self.deleted:
            return [f"Deleted {count(self.deleted, 'file')}. 'engram embed' makes anew what a study needs."]
        removes = f"--delete removes {'the rest of what' if self.unreadable else 'all that'} is named above."
        if self.damaged:
            return [f"'engram embed' makes damaged embeddings anew; {removes}"]
        return [removes] if self.orphans or self.leftovers else []


def verify_store(folder: Path, *, delete: bool) -> VerifyReport:
    """Read every embedding and picture of a store, and compare it with its checksum.

    delete: remove what is damaged and what was left behind. Raises StorageError, and deletes nothing, where
    embeddings are being made meanwhile.
    """
    store = EmbeddingStore(folder)
    return alone(store, lambda: _verify(store, delete=True)) if delete else _verify(store, delete=False)


def _verify(store: EmbeddingStore, *, delete: bool) -> VerifyReport:
    found, damaged, unreadable = store.inventory(), [], []
    for key in found.embeddings:
        try:
            why = store.fault(key)
        except StorageError as error:
            unreadable.append(str(error))
            continue
        if why is not None:
            damaged.append(Damaged(store.path(key), why))
    lone = sorted(set(found.pictures) - set(found.embeddings))
    orphans = tuple(path for path in map(store.picture_path, lone) if not is_young(path))
    leftovers = tuple(path for path in found.parts if not is_young(path))
    pictures = [one.path.with_suffix(".png") for one in damaged]
    rubbish = [*(one.path for one in damaged), *pictures, *orphans, *leftovers]
    deleted = delete_files(rubbish) if delete else 0
    sound = len(found.embeddings) - len(damaged) - len(unreadable)
    return VerifyReport(sound, tuple(damaged), tuple(unreadable), orphans, leftovers, deleted)
