"""What the embedding stage makes anew, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from engram.config_embedding import Embedding
from engram.errors import ImagingError, WeightsError
from engram.memory.mini import untrained_mini
from engram.memory.store import EmbeddingStore, StoredReadOut
from engram.pipeline import embed as stage
from engram.pipeline.check import CheckedCohort, _check_weights
from engram.pipeline.console import Silent
from engram.pipeline.encoder_weights import CheckedEncoders
from engram.pipeline.memory_readouts import check_finite
from engram.pipeline.requests import Request

FINAL, QUALITY = (
    Request("PET", "spine", "final", "ab" + "0" * 62),
    Request("PET", "spine", "quality", "cd" + "1" * 62),
)
ABOUT = {"modality": "PET", "roi": "spine", "readout": "final", "weights": "fake", "weights_digest": "w" * 64,
         "protocol_digest": "p" * 64, "engine_version": 2, "slices": 9}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    """Both read-outs are there; the picture belongs to the quality."""
    store = EmbeddingStore(tmp_path)
    numbers = StoredReadOut({"memory": np.ones((2, 4, 3, 3), np.float32)}, ABOUT)
    store.save(FINAL.key, numbers)
    store.save(QUALITY.key, numbers, b"picture")
    return store


def _left(store: EmbeddingStore, pictured: str) -> tuple[Request, ...]:
    job = stage._Job(cast(Any, None), (FINAL, QUALITY))
    return stage._unfinished(job, store, pictured).requests


def test_what_is_there_is_not_made_again(store: EmbeddingStore) -> None:
    assert _left(store, "quality") == ()


def test_a_read_out_that_shall_have_the_picture_and_has_none_is_made_again(store: EmbeddingStore) -> None:
    assert _left(store, "final") == (FINAL,)


def test_what_is_damaged_or_absent_is_made_again(store: EmbeddingStore) -> None:
    store.path(QUALITY.key).unlink()
    store.path(FINAL.key).write_bytes(store.path(FINAL.key).read_bytes()[:-1])
    assert _left(store, "quality") == (FINAL, QUALITY)


@pytest.mark.parametrize(("readout", "refused"), [("final", True), ("quality", True), ("regions", False)])
def test_a_reading_that_is_not_finite_is_refused(readout: str, refused: bool) -> None:
    request = Request("PET", "spine", readout, FINAL.key)
    arrays = {"vector": np.array([1.0, np.nan], np.float32)}
    if not refused:
        check_finite("P7", request, arrays)
        return
    with pytest.raises(ImagingError, match=r"P7.*reading of PET, spine is not finite.*Check the weights"):
        check_finite("P7", request, arrays)


def test_weights_that_changed_after_the_check_are_refused_here_and_in_every_worker(tmp_path: Path) -> None:
    untrained_mini().save_pretrained(tmp_path)
    embedding = Embedding(weights=str(tmp_path))
    config = cast(Any, SimpleNamespace(embedding=embedding, images=True, resolve=Path, baselines=()))
    weights = _check_weights(config)
    assert weights is not None
    stage._prepare(config, weights, CheckedEncoders())
    assert cast(Any, stage._Worker.models.backbone).digest == weights.digest
    untrained_mini(seed=1).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="changed since it was checked"):
        stage._prepare(config, weights, CheckedEncoders())
    checked = CheckedCohort(cast(Any, None), {}, weights)
    with pytest.raises(WeightsError, match="changed since it was checked"):
        stage.embed(config, checked, workers=0, console=Silent())
