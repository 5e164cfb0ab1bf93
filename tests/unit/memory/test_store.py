"""Embeddings on disk: whole, or not there; under an address that changes with all that decides them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engram.files
from engram.errors import StorageError
from engram.memory.store import EmbeddingStore, StoredEmbedding, embedding_key

KEY = "ab" + "0" * 62


@pytest.fixture
def embedding() -> StoredEmbedding:
    rng = np.random.default_rng(0)
    return StoredEmbedding(
        rng.standard_normal((7, 64, 4, 4)).astype(np.float32),
        np.arange(9, dtype=np.int32),
        rng.standard_normal(9).astype(np.float32),
    )


def test_what_is_saved_is_read_back_bit_for_bit(tmp_path: Path, embedding: StoredEmbedding) -> None:
    store = EmbeddingStore(tmp_path)
    assert KEY not in store
    store.save(KEY, embedding)
    assert KEY in store
    loaded = store.load(KEY)
    assert all(np.array_equal(a, b) for a, b in zip(vars(loaded).values(), vars(embedding).values(), strict=True))


def test_equal_embeddings_give_equal_bytes(tmp_path: Path, embedding: StoredEmbedding) -> None:
    first, second = (EmbeddingStore(tmp_path / n).save(KEY, embedding).read_bytes() for n in "ab")
    assert first == second


def test_a_full_disk_is_named_and_leaves_nothing_behind(
    tmp_path: Path, embedding: StoredEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engram.files.os, "fsync", no_space)
    store = EmbeddingStore(tmp_path)
    with pytest.raises(
        StorageError, match=r"could not be written \(No space left on device\).*finished work is kept"
    ):
        store.save(KEY, embedding)
    assert KEY not in store
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_damaged_file_is_named(tmp_path: Path, embedding: StoredEmbedding) -> None:
    store = EmbeddingStore(tmp_path)
    path = store.save(KEY, embedding)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StorageError, match=r"not a readable embedding.*Delete this file"):
        store.load(KEY)


WHAT_DECIDES: dict[str, Any] = {
    "modality": "PET",
    "image_digests": {"ct": "1", "pet": "2"},
    "window": (0.0, 10.0),
    "roi": {"mask": "3"},
    "protocol_digest": "4",
    "weights_digest": "5",
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
    ],
)
def test_the_address_changes_with_all_that_decides_an_embedding(change: dict[str, Any]) -> None:
    assert embedding_key(**WHAT_DECIDES) != embedding_key(**{**WHAT_DECIDES, **change})
    assert embedding_key(**WHAT_DECIDES) == embedding_key(**dict(WHAT_DECIDES))
