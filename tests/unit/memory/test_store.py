"""Embeddings on disk: whole, or known not to be; under an address that changes with all that decides them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engram.files
from engram.errors import StorageError
from engram.memory import store_index
from engram.memory.store import EmbeddingStore, StoredReadOut, embedding_key

KEY = "ab" + "0" * 62
OTHER = "ab" + "1" * 62
PICTURE = b"\x89PNG of what was read"
ABOUT = {
    "modality": "PET",
    "roi": "spine",
    "readout": "final",
    "weights": "MedSAM2",
    "weights_digest": "1" * 64,
    "protocol_digest": "2" * 64,
    "engine_version": 2,
    "slices": 9,
}


def a_readout(seed: int = 0, **about: Any) -> StoredReadOut:
    rng = np.random.default_rng(seed)
    arrays = {
        "memory": rng.standard_normal((2, 8, 4, 4)).astype(np.float32),
        "slices": np.arange(9, dtype=np.int32),
        "areas": rng.standard_normal(9),
        "drawn": rng.integers(0, 2, (3, 5), dtype=np.uint8),
        "volume_ml": np.float64(3.5).reshape(()),
    }
    return StoredReadOut(arrays, {**ABOUT, **about})


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "store")


def everything(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_saved_is_read_back_bit_for_bit(store: EmbeddingStore) -> None:
    saved = a_readout()
    assert KEY not in store
    assert not store.sound(KEY)
    store.save(KEY, saved)
    assert KEY in store
    assert store.sound(KEY)
    loaded = store.load(KEY)
    assert loaded.about == saved.about
    assert loaded.arrays.keys() == saved.arrays.keys()
    for name, array in saved.arrays.items():
        assert loaded.arrays[name].dtype == array.dtype
        assert loaded.arrays[name].shape == array.shape
        assert loaded.arrays[name].tobytes() == array.tobytes()
        assert loaded.arrays[name].flags.writeable


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    one = a_readout()
    other = StoredReadOut(
        {name: one.arrays[name] for name in reversed(one.arrays)},
        {name: one.about[name] for name in reversed(one.about)},
    )
    other.arrays["memory"] = np.asfortranarray(one.arrays["memory"]).astype(">f4")
    EmbeddingStore(tmp_path / "a").save(KEY, one, PICTURE)
    EmbeddingStore(tmp_path / "b").save(KEY, other, PICTURE)
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def _flip(content: bytes, position: int, bit: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :]


def test_no_flipped_bit_is_overlooked(store: EmbeddingStore) -> None:
    path = store.save(KEY, StoredReadOut({"vector": np.ones(4, dtype=np.float32)}, ABOUT))
    content = path.read_bytes()
    overlooked = []
    for position in range(len(content)):
        path.write_bytes(_flip(content, position, position % 8))
        if store.sound(KEY):
            overlooked.append(position)
    assert overlooked == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a value": lambda content: _flip(content, len(content) - 3, 0),
    "cut short": lambda content: content[:-5],
    "cut in the header": lambda content: content[:40],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
    "of another version": lambda content: content.replace(b"engram", b"margne", 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_with_its_mend(store: EmbeddingStore, damage: str) -> None:
    path = store.save(KEY, a_readout())
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(StorageError, match=rf"{path}: it is damaged.*Run 'engram embed' again: it is made anew\."):
        store.load(KEY)
    assert KEY in store
    assert not store.sound(KEY)
    store.save(KEY, a_readout())
    assert store.sound(KEY)


def test_a_file_under_anothers_key_is_refused(store: EmbeddingStore) -> None:
    shutil.copy(store.save(KEY, a_readout()), store.path(OTHER))
    with pytest.raises(StorageError, match=rf"{OTHER}\.safetensors: it is the embedding of another address, {KEY}"):
        store.load(OTHER)
    assert store.sound(KEY)
    assert list(store.index()["key"]) == [KEY]


def test_what_is_not_there_is_named(store: EmbeddingStore) -> None:
    with pytest.raises(StorageError, match=r"is not there\. Run 'engram embed' again"):
        store.load(KEY)
    with pytest.raises(StorageError, match="is not an address"):
        store.load("../../etc/passwd")
    assert "../ab" not in store


@pytest.mark.parametrize("picture", [b"another", None])
def test_an_embedding_without_its_picture_is_not_sound(store: EmbeddingStore, picture: bytes | None) -> None:
    store.save(KEY, a_readout(), PICTURE)
    assert store.sound(KEY)
    store.picture_path(KEY).unlink()
    if picture is not None:
        store.picture_path(KEY).write_bytes(picture)
    assert not store.sound(KEY)
    assert store.fault(KEY) == f"its picture is {'missing' if picture is None else 'damaged'}"
    store.load(KEY)  # the numbers are what they were


@pytest.mark.parametrize(
    ("readout", "why"),
    [
        (StoredReadOut({"memory": np.zeros(2, dtype=np.float16)}, ABOUT), "array 'memory' is float16"),
        (StoredReadOut({}, {**ABOUT, "patient": "P1"}), "not by .*patient"),
        (StoredReadOut({}, {**ABOUT, "slices": "9"}), r"slices \(int\)"),
    ],
)
def test_what_is_not_fit_to_be_stored_is_refused(store: EmbeddingStore, readout: StoredReadOut, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        store.save(KEY, readout)
    assert not store.folder.exists()


def test_a_name_that_is_no_key_is_refused(store: EmbeddingStore) -> None:
    with pytest.raises(ValueError, match="not an address of the store"):
        store.save("../P1", a_readout())


def test_the_index_has_a_row_a_file(store: EmbeddingStore) -> None:
    assert store.index().empty
    for key, roi in ((OTHER, "skeleton"), (KEY, "spine")):
        store.save(key, a_readout(roi=roi), PICTURE)
    store.reindex()
    index = store.index()
    assert list(index.columns) == [
        "key", "modality", "roi", "readout", "weights", "weights_digest", "protocol_digest", "engine_version",
        "slices", "protocol", "bytes", "sha256", "mtime_ns",
    ]  # fmt: skip
    assert list(index["key"]) == [KEY, OTHER]
    assert list(index["roi"]) == ["spine", "skeleton"]
    assert list(index["slices"]) == [9, 9]
    assert list(index["bytes"]) == [store.path(key).stat().st_size for key in (KEY, OTHER)]
    assert index["sha256"].str.fullmatch("[0-9a-f]{64}").all()


def test_the_index_follows_the_files_without_being_written(store: EmbeddingStore) -> None:
    store.save(KEY, a_readout())
    store.reindex()
    before = store.index_path.read_bytes()
    store.save(OTHER, a_readout())
    store.path(KEY).unlink()
    assert list(store.index()["key"]) == [OTHER]
    assert store.index_path.read_bytes() == before
    store.reindex()
    assert store.index_path.read_bytes() != before


def test_only_new_and_changed_files_are_read_again(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(KEY, a_readout())
    store.save(OTHER, a_readout())
    store.reindex()
    store.save(KEY, a_readout(slices=7))
    seen = []
    read = store_index.read_header
    monkeypatch.setattr(store_index, "read_header", lambda path: seen.append(path) or read(path))
    assert list(store.index()["slices"]) == [7, 9]
    assert seen == [store.path(KEY)]


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-9], lambda _: b"", lambda c: c.replace(b"spine", b"spinf", 1)]
)
def test_a_damaged_index_is_made_anew(store: EmbeddingStore, damage: Callable[[bytes], bytes]) -> None:
    store.save(KEY, a_readout())
    store.reindex()
    whole = store.index_path.read_bytes()
    store.index_path.write_bytes(damage(whole))
    assert store.index_path.read_bytes() != whole
    assert list(store.index()["roi"]) == ["spine"]
    store.reindex()
    assert store.index_path.read_bytes() == whole


def test_damaged_and_foreign_files_have_no_row(store: EmbeddingStore) -> None:
    path = store.save(KEY, a_readout())
    store.save(OTHER, a_readout())
    path.write_bytes(path.read_bytes()[:-1])
    (store.folder / "ab" / "notes.safetensors").write_text("mine")
    shutil.copy(store.path(OTHER), store.folder)  # not where its key says
    (store.folder / "cd").write_text("mine, too")
    assert list(store.index()["key"]) == [OTHER]
    assert store.inventory().embeddings == (KEY, OTHER)


def _refusing(error: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    return refuse


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("fsync", errno.ENOSPC, "No space left on device"),
        ("fdopen", errno.EDQUOT, "quota"),
    ],
)
def test_a_full_disk_is_named_and_leaves_nothing_behind(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch, call: str, error: int, words: str
) -> None:
    monkeypatch.setattr(engram.files.os, call, _refusing(error))
    with pytest.raises(StorageError, match=rf"could not be written \(.*{words}.*\).*finished work is kept"):
        store.save(KEY, a_readout(), PICTURE)
    assert KEY not in store
    assert everything(store.folder) == {}
    with pytest.raises(StorageError, match=rf"index\.parquet: could not be written \(.*{words}"):
        store.reindex()
    assert set(everything(store.folder)) == {".lock"}


def test_a_read_only_store_is_read_and_not_written(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(KEY, a_readout())
    before = everything(store.folder)
    monkeypatch.setattr("engram.files.tempfile.mkstemp", _refusing(errno.EROFS))
    monkeypatch.setattr("engram.memory.store_lock.os.open", _refusing(errno.EROFS))
    assert list(store.index()["key"]) == [KEY]
    assert store.sound(KEY)
    with pytest.raises(StorageError, match=r"could not be written \(Read-only file system\)"):
        store.save(OTHER, a_readout())
    with pytest.raises(StorageError, match=r"\.lock: cannot be locked \(Read-only file system\)"):
        store.reindex()
    assert everything(store.folder) == before


def test_a_store_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    store = EmbeddingStore(tmp_path / "store")
    for use in (store.index, store.reindex, lambda: store.save(KEY, a_readout()), lambda: store.load(KEY)):
        with pytest.raises(StorageError, match=str(tmp_path / "store")):
            use()
    assert not store.sound(KEY)
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


WHAT_DECIDES: dict[str, Any] = {
    "modality": "PET",
    "image_digests": {"ct": "1", "pet": "2"},
    "window": (0.0, 10.0),
    "roi": {"mask": "3"},
    "protocol_digest": "4",
    "weights_digest": "5",
    "compute": {"device": "cpu", "batch": 1},
    "readout": {"name": "final", "entries": 2},
}


@pytest.mark.parametrize(
    "change",
    [
        {"modality": "CT"},
        {"image_digests": {"ct": "1", "pet": "other"}},
        {"window": (0.0, 12.0)},
        {"roi": {"mask": "other"}},
        {"protocol_digest": "other"},
        {"weights_digest": "other"},
        {"compute": {"device": "cpu", "batch": 2}},
        {"readout": {"name": "final", "entries": 3}},
    ],
)
def test_the_address_changes_with_all_that_decides_an_embedding(change: dict[str, Any]) -> None:
    assert embedding_key(**WHAT_DECIDES) != embedding_key(**{**WHAT_DECIDES, **change})
    assert embedding_key(**WHAT_DECIDES) == embedding_key(**dict(WHAT_DECIDES))


@pytest.mark.parametrize("window", [(0, 10), (-0.0, 10.0), np.array([0.0, 10.0], np.float32)])
def test_one_window_has_one_address_however_its_numbers_are_written(window: tuple[float, float]) -> None:
    assert embedding_key(**{**WHAT_DECIDES, "window": window}) == embedding_key(**WHAT_DECIDES)
