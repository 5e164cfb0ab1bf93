"""What a store is asked: what lies in it, is it sound, what does nobody refer to. Nothing goes on a guess."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from engram.errors import CohortError, StorageError
from engram.memory.protocol import Protocol
from engram.memory.store import EmbeddingStore, StoredReadOut
from engram.memory.store_index import read_index
from engram.pipeline.store import Damaged, VerifyReport, list_store, store_lines, verify_store
from engram.pipeline.store_gc import collect_garbage

KEYS = [f"{i:x}{i:x}" + f"{i:x}" * 62 for i in range(6)]
PICTURE = b"\x89PNG"


def about(**fields: object) -> dict[str, object]:
    digests = {"weights_digest": "1" * 64, "protocol_digest": "2" * 64}
    named = {"modality": "PET", "roi": "spine", "readout": "final", "weights": "MedSAM2"}
    return {**named, **digests, "engine_version": 2, "slices": 9, **fields}


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    """Three embeddings with their pictures, made long ago."""
    made = EmbeddingStore(tmp_path / "store")
    for key, modality in zip(KEYS[:3], ("PET", "PET", "CT"), strict=True):
        arrays = {"memory": np.full((2, 8, 16, 16), 0.5, dtype=np.float32)}
        made.save(key, StoredReadOut(arrays, about(modality=modality)), PICTURE)
    age(made.folder)
    return made


def age(folder: Path, hours: float = 2.0) -> None:
    then = time.time() - 3600 * hours
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def embeddings_json(path: Path, *keys: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"keys": {f"P{i}": {"PET|spine|final": key} for i, key in enumerate(keys)}}))
    return path


def files(store: EmbeddingStore) -> set[str]:
    return {
        p.name for p in store.folder.rglob("*") if p.is_file() and p.suffix in (".safetensors", ".png", ".part")
    }


def test_ls_counts_each_kind(store: EmbeddingStore) -> None:
    summary = list_store(store.folder)
    assert list(summary["modality"]) == ["CT", "PET"]
    assert list(summary["files"]) == [1, 2]
    sizes = [store.path(KEYS[2]).stat().st_size, sum(store.path(k).stat().st_size for k in KEYS[:2])]
    assert list(summary["mb"] * 1e6) == pytest.approx(sizes)
    heading, ct, pet, _, total = store_lines(store.folder)
    assert heading.split() == ["modality", "roi", "readout", "weights", "protocol", "engine", "files", "mb"]
    assert ct.split()[:7] == ["CT", "spine", "final", "MedSAM2", "11111111", "22222222", "2"]
    assert pet.split()[-2:] == ["2", "0.0"]
    assert total == f"{store.folder}: 3 embeddings, 0.1 MB without pictures"


def test_ls_of_one_name_with_two_weights_are_two_rows(store: EmbeddingStore) -> None:
    store.save(KEYS[3], StoredReadOut({}, about(weights_digest="9" * 64)))
    assert list(list_store(store.folder)["files"]) == [1, 2, 1]


def test_ls_says_what_each_protocol_is(store: EmbeddingStore) -> None:
    protocol = Protocol(prompt="padded_box", stride=3)
    said = {"protocol_digest": protocol.digest, "protocol": protocol.words}
    for key in KEYS[3:5]:
        store.save(key, StoredReadOut({}, about(**said)))
    told = [line for line in store_lines(store.folder) if line.startswith("protocol ")]
    assert told == sorted(
        [
            "protocol 22222222: made by an earlier version, not said",
            f"protocol {protocol.digest[:8]}: prompting interleaved, prompt padded_box, prompt_mm 10.0, stride 3, "
            "direction down, precision float32, bank_dtype float32",
        ]
    )
    assert list(list_store(store.folder)["files"]) == [1, 2, 2]


def test_ls_of_nothing_says_so_and_makes_nothing(tmp_path: Path) -> None:
    assert store_lines(tmp_path / "none") == [
        f"{tmp_path / 'none'}: no embeddings here yet. Run 'engram embed' first."
    ]
    assert list_store(tmp_path / "none").empty
    assert list(tmp_path.iterdir()) == []


def test_ls_says_how_many_are_damaged(store: EmbeddingStore) -> None:
    for key in KEYS[:3]:
        store.path(key).write_bytes(b"")
    assert store_lines(store.folder)[-1] == "3 files could not be read: 'engram store verify' names them."


def damage(store: EmbeddingStore) -> tuple[Path, Path, Path]:
    """A damaged embedding, a picture alone, and a file of a killed writer: all old."""
    damaged = store.path(KEYS[0])
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\1")
    orphan, part = store.picture_path(KEYS[4]), store.folder / "44" / f".{KEYS[4]}.safetensors.x1.part"
    orphan.parent.mkdir()
    for path in (orphan, part):
        path.write_bytes(PICTURE)
    age(store.folder)
    return damaged, orphan, part


def test_verify_finds_a_sound_store_clean(store: EmbeddingStore) -> None:
    report = verify_store(store.folder, delete=True)
    assert report.clean
    assert report.deleted == 0
    assert report.lines == ["3 embeddings sound, 0 damaged"]
    assert len(files(store)) == 6


def test_verify_names_what_is_wrong_and_deletes_nothing(store: EmbeddingStore) -> None:
    damaged, orphan, part = damage(store)
    before = files(store)
    report = verify_store(store.folder, delete=False)
    assert not report.clean
    assert report.sound == 2
    assert report.damaged == (Damaged(damaged, "it is damaged: its checksum is not that of its content"),)
    assert (report.orphans, report.leftovers, report.deleted) == ((orphan,), (part,), 0)
    assert str(damaged) in report.lines[0]
    assert "makes damaged embeddings anew" in report.lines[-1]
    assert files(store) == before


def test_verify_deletes_what_is_wrong_and_that_alone(store: EmbeddingStore) -> None:
    damaged, orphan, part = damage(store)
    before = files(store)
    report = verify_store(store.folder, delete=True)
    assert report.deleted == 4  # the damaged embedding's picture, too
    gone = {damaged.name, damaged.with_suffix(".png").name, orphan.name, part.name}
    assert files(store) == before - gone
    assert report.lines[-1].startswith("Deleted 4 files.")
    assert verify_store(store.folder, delete=False).clean


def test_what_a_running_writer_may_still_need_is_left_alone(store: EmbeddingStore) -> None:
    _, orphan, part = damage(store)
    for path in (orphan, part):
        os.utime(path)
    report = verify_store(store.folder, delete=True)
    assert (report.orphans, report.leftovers) == ((), ())
    assert {orphan.name, part.name} <= files(store)


def test_verify_deletes_no_file_that_it_cannot_read(store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    report = verify_store(store.folder, delete=True)
    assert (report.sound, len(report.unreadable), report.deleted) == (0, 3, 0)
    assert "Input/output error" in report.lines[0]
    assert len(files(store)) == 6


def test_gc_is_a_dry_run_unless_told(store: EmbeddingStore, tmp_path: Path) -> None:
    keep = [embeddings_json(tmp_path / "a" / "embeddings.json", KEYS[0], KEYS[5])]
    before = files(store)
    report = collect_garbage(store.folder, keep, delete=False)
    assert (report.kept, report.young, report.garbage, report.deleted) == (1, 0, tuple(KEYS[1:3]), 0)
    assert report.mb * 1e6 == sum(
        path.stat().st_size for key in KEYS[1:3] for path in (store.path(key), store.picture_path(key))
    )
    assert report.lines[-1].startswith("Nothing was deleted. Name every study")
    assert files(store) == before


def test_gc_deletes_what_no_run_refers_to(store: EmbeddingStore, tmp_path: Path) -> None:
    part = store.folder / ".index.parquet.x1.part"
    part.touch()
    stranger = store.folder / "11" / "notes.png"
    stranger.touch()
    age(store.folder)
    keep = [embeddings_json(tmp_path / run / "embeddings.json", key) for run, key in zip("ab", KEYS, strict=False)]
    report = collect_garbage(store.folder, keep, delete=True)
    assert (report.garbage, report.leftovers, report.deleted) == ((KEYS[2],), (part,), 3)
    assert files(store) == {f"{key}.{end}" for key in KEYS[:2] for end in ("safetensors", "png")} | {stranger.name}
    assert read_index(store.index_path)["key"].to_pylist() == KEYS[:2]
    assert report.lines[-1] == "Deleted 3 files."


def test_gc_leaves_young_files_and_says_how_many(store: EmbeddingStore, tmp_path: Path) -> None:
    os.utime(store.path(KEYS[1]))
    ahead = time.time() + 7200  # the clock of another machine
    os.utime(store.path(KEYS[2]), (ahead, ahead))
    keep = [embeddings_json(tmp_path / "embeddings.json", KEYS[0])]
    report = collect_garbage(store.folder, keep, delete=True)
    assert (report.young, report.garbage, report.deleted) == (2, (), 0)
    assert report.lines[1] == "2 kept: younger than an hour, so a run that goes on may need them"
    assert len(files(store)) == 6


def test_gc_refuses_without_a_run(store: EmbeddingStore) -> None:
    with pytest.raises(CohortError, match=r"no study is given.*Name every study"):
        collect_garbage(store.folder, [], delete=True)
    assert len(files(store)) == 6


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", "{}", '{"keys": []}', '{"keys": {"P1": ["x"]}}', '{"keys": {"P1": {"PET|spine": "x"}}}'],
)
def test_gc_refuses_a_run_that_it_cannot_read(store: EmbeddingStore, tmp_path: Path, content: str | None) -> None:
    good, bad = embeddings_json(tmp_path / "embeddings.json", KEYS[0]), tmp_path / "bad.json"
    if content is not None:
        bad.write_text(content)
    with pytest.raises(CohortError, match=r"bad\.json: it is not known what this study refers to") as caught:
        collect_garbage(store.folder, [good, bad], delete=True)
    assert "P1" not in str(caught.value)
    assert len(files(store)) == 6


@pytest.mark.parametrize("keys", [(), (KEYS[5],)])
def test_gc_refuses_a_run_of_another_store(store: EmbeddingStore, tmp_path: Path, keys: tuple[str, ...]) -> None:
    runs = [embeddings_json(tmp_path / n / "embeddings.json", *k) for n, k in (("a", (KEYS[0],)), ("b", keys))]
    with pytest.raises(CohortError, match=r"b/embeddings\.json: refers to none of the 3 embeddings in .*store"):
        collect_garbage(store.folder, runs, delete=True)
    assert len(files(store)) == 6


def test_nothing_is_deleted_while_embeddings_are_made(store: EmbeddingStore, tmp_path: Path) -> None:
    damage(store)
    before, keep = files(store), [embeddings_json(tmp_path / "embeddings.json", KEYS[0])]
    with store.in_use(), store.in_use():
        for delete in (
            lambda: collect_garbage(store.folder, keep, delete=True),
            lambda: verify_store(store.folder, delete=True),
        ):
            with pytest.raises(StorageError, match=rf"process {os.getpid()} on .* embeds into this store\. Wait"):
                delete()
        assert collect_garbage(store.folder, keep, delete=False).garbage
    assert files(store) == before
    assert collect_garbage(store.folder, keep, delete=True).deleted


def test_a_store_that_is_a_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.write_text("mine")
    for use in (lambda: list_store(folder), *(lambda d=d: verify_store(folder, delete=d) for d in (True, False))):
        with pytest.raises(StorageError, match=f"{folder}.*(Not a directory|is a file)"):
            use()
    assert folder.read_text() == "mine"


def test_what_cannot_be_read_is_not_said_to_be_removed() -> None:
    report = VerifyReport(1, (Damaged(Path("a"), "why"),), ("b: cannot be read",), (), (), 0)
    assert "Files that cannot be read are never deleted: they may be sound." in report.lines
    assert report.lines[-1].endswith("--delete removes the rest of what is named above.")
