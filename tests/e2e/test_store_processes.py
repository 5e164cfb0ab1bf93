"""One store, several real processes: they write, index, read, wait for each other, and are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.errors import StorageError
from engram.memory.store import EmbeddingStore, StoredReadOut

SHARED = [f"aa{i:062x}" for i in range(12)]  # every writer writes these
ABOUT = {
    "modality": "PET",
    "roi": "spine",
    "readout": "final",
    "weights": "untrained-mini",
    "weights_digest": "1" * 64,
    "protocol_digest": "2" * 64,
    "engine_version": 2,
    "slices": 9,
}

Start = Callable[..., Any]


def own_keys(writer: int) -> list[str]:
    return [f"b{writer}{i:062x}" for i in range(12)]


def readout(key: str) -> StoredReadOut:
    rng = np.random.default_rng(int(key, 16) % 2**32)
    return StoredReadOut({"memory": rng.standard_normal((2, 8, 8, 8)).astype(np.float32)}, ABOUT)


def write(folder: Path, barrier: Any, writer: int) -> None:
    store = EmbeddingStore(folder)
    barrier.wait(30)
    with store.in_use():
        for shared, own in zip(SHARED, own_keys(writer), strict=True):
            store.save(shared, readout(shared), b"\x89PNG" + shared.encode())
            store.save(own, readout(own))


def look(folder: Path, barrier: Any, _: int) -> None:
    store = EmbeddingStore(folder)
    barrier.wait(30)
    for _ in range(15):
        store.reindex()
        for key in store.index()["key"]:
            np.testing.assert_equal(store.load(key).arrays, readout(key).arrays)


def hold(folder: Path, ready: Path) -> None:
    from engram.memory.store_lock import locked

    with locked(folder / ".lock", "writes the index of this store"):
        ready.touch()
        time.sleep(60)


def write_forever(folder: Path, ready: Path) -> None:
    store = EmbeddingStore(folder)
    while True:
        for key in SHARED:
            store.save(key, readout(key), b"\x89PNG" + key.encode())
            store.reindex()
        ready.touch()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process as `spawn` does: it shares nothing with this one."""
    context, started = multiprocessing.get_context("spawn"), []

    def _start(work: Callable[..., None], *arguments: object) -> Any:
        started.append(context.Process(target=work, args=arguments))
        started[-1].start()
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.join()


def _await(ready: Path) -> None:
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _parts(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


def test_writers_readers_and_indexers_do_not_disturb_each_other(tmp_path: Path, start: Start) -> None:
    barrier = multiprocessing.get_context("spawn").Barrier(4)
    processes = [start(work, tmp_path, barrier, i) for i, work in enumerate([write, write, look, look])]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    store, keys = EmbeddingStore(tmp_path), [*SHARED, *own_keys(0), *own_keys(1)]
    store.reindex()
    assert list(store.index()["key"]) == keys
    assert all(store.sound(key) for key in keys)
    assert all(np.array_equal(store.load(k).arrays["memory"], readout(k).arrays["memory"]) for k in keys)
    assert _parts(tmp_path) == []


def test_who_holds_the_lock_is_named_and_a_dead_holder_is_not_waited_for(tmp_path: Path, start: Start) -> None:
    store, ready = EmbeddingStore(tmp_path / "store"), tmp_path / "ready"
    holder = start(hold, store.folder, ready)
    _await(ready)
    with pytest.raises(
        StorageError,
        match=rf"{store.folder}: process {holder.pid} on \S+ writes the index.*Wait until it has ended",
    ):
        store.reindex(timeout_s=0.2)
    assert not store.index_path.exists()
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    store.reindex(timeout_s=0.2)
    assert store.index_path.exists()


def test_a_killed_writer_leaves_a_store_that_works(tmp_path: Path, start: Start) -> None:
    store, ready = EmbeddingStore(tmp_path / "store"), tmp_path / "ready"
    writer = start(write_forever, store.folder, ready)
    _await(ready)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert all(store.sound(key) for key in SHARED)
    store.reindex(timeout_s=0.2)
    assert list(store.index()["key"]) == SHARED
    assert set(store.inventory().parts) == set(_parts(store.folder))  # of these, gc knows
