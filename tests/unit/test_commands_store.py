"""`engram store` and `engram weights` as they are typed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from engram.commands import app
from engram.files import write_json
from engram.memory.store import EmbeddingStore, StoredReadOut

KEYS = ["ab" + "0" * 62, "cd" + "1" * 62]
ABOUT = {"modality": "PET", "roi": "spine", "readout": "final", "weights": "fake", "weights_digest": "w" * 64,
         "protocol_digest": "p" * 64, "engine_version": 2, "slices": 9}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study whose store holds two embeddings, of which its run refers to the first."""
    content = {
        "name": "s", "manifest": "m.csv", "output": "results", "rois": {"spine": {"region": "spine_dilated"}},
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "images": {"ct": "ct", "pet": "pet", "labels": "l", "label_scheme": "totalsegmentator-2/total"},
    }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    store = EmbeddingStore(tmp_path / "results" / "store")
    for key in KEYS:
        store.save(key, StoredReadOut({"memory": np.ones((2, 4, 3, 3), np.float32)}, ABOUT))
        old = time.time() - 7200
        os.utime(store.path(key), (old, old))
    write_json(tmp_path / "results" / "embeddings.json", {"keys": {"P1": {"PET|spine|final": KEYS[0]}}})
    return path


def _call(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    return done.exit_code, done.output


def test_ls_tells_what_is_there(study: Path) -> None:
    code, text = _call("store", "ls", study)
    assert code == 0
    assert "PET" in text
    assert "2 embeddings" in text


def test_verify_fails_on_a_flipped_bit_and_delete_mends(study: Path) -> None:
    assert _call("store", "verify", study)[0] == 0
    path = EmbeddingStore(study.parent / "results" / "store").path(KEYS[0])
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    code, text = _call("store", "verify", study)
    assert code == 1
    assert f"Damaged: {path}" in text
    assert _call("store", "verify", study, "--delete")[0] == 0
    assert not path.exists()


def test_gc_tells_first_and_deletes_only_when_told(study: Path) -> None:
    store = EmbeddingStore(study.parent / "results" / "store")
    code, text = _call("store", "gc", study)
    assert code == 0
    assert "1 embedding of no given study" in text
    assert KEYS[1] in store
    assert _call("store", "gc", study, "--delete")[0] == 0
    assert KEYS[1] not in store
    assert KEYS[0] in store


def test_gc_of_two_stores_is_refused(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(study.read_text().replace("output: results", "output: elsewhere"))
    code, text = _call("store", "gc", study, other)
    assert code == 2
    assert "2 stores" in text


def test_weights_ls_names_source_and_licence() -> None:
    code, text = _call("weights", "ls")
    assert code == 0
    assert "wanglab/MedSAM2" in text
    assert "research and education" in text


def test_fetch_says_whether_the_file_is_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def hub(repository: str, file: str, *, revision: str | None, local_dir: Path) -> str:
        (Path(local_dir) / file).write_bytes(b"weights")
        return str(Path(local_dir) / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda _url, *, timeout: timeout)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    code, text = _call("weights", "fetch", "medsam2-us-heart", "--folder", tmp_path)
    assert code == 0
    assert "not compared: no published checksum is known" in text
    assert (tmp_path / "MedSAM2_US_Heart.pt").read_bytes() == b"weights"
