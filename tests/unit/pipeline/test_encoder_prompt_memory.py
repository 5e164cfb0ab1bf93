"""Encoder, prompt and memory from the study file to the study table, in one pass over the slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.config import StudyConfig
from engram.evaluation.comparisons import pairs_of
from engram.evaluation.rows import rows_of
from engram.memory.backbone import Sam2Backbone
from engram.memory.store import EmbeddingStore
from engram.pipeline.check import check
from engram.pipeline.console import Silent
from engram.pipeline.embed import embed
from engram.pipeline.embedded import Embedded
from engram.pipeline.study_table import study_table
from engram.table import StudyTable

ALONE, ROI, ENCODER = ("PET", "tumour", "roi_without_memory"), ("PET", "tumour", "roi"), ("PET", "tumour", "hiera")


PATIENTS = 4


def config(made: Any, prompting: str, readouts: list[str], output: str) -> StudyConfig:
    del made.rows[PATIENTS:]
    found: StudyConfig = made.config(
        output=output,
        store="store",
        rois={"tumour": {"mask": "tumour"}},
        images={},
        models={"origins": ["PET"], "baselines": ["hiera"]},
        embedding={"prompting": prompting, "readouts": readouts, "stride": 2, "quality": False},
    )
    return found


def run(study: StudyConfig) -> tuple[Embedded, StudyTable]:
    checked = check(study, workers=0, console=Silent())
    found = embed(study, checked, workers=0, console=Silent())
    return found, study_table(study, checked.cohort.records, found).table


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Slices that the image encoder was shown, over all calls."""
    seen: list[int] = []
    encode = Sam2Backbone.encode

    def counting(self: Sam2Backbone, frames: Any) -> Any:
        seen.append(len(frames))
        return encode(self, frames)

    monkeypatch.setattr(Sam2Backbone, "encode", counting)
    return seen


def test_the_middle_row_is_roi_of_a_study_that_recalls_nothing(made: Any, encoded: list[int]) -> None:
    three = config(made, "interleaved", ["roi", "roi_without_memory"], "three")
    found, table = run(three)
    assert sum(encoded) == PATIENTS * 2  # slices of the tumour, each once
    _, literal = run(config(made, "all", ["roi"], "literal"))
    arrays = table.features.embeddings
    assert np.array_equal(arrays[ALONE], literal.features.embeddings[ROI])
    assert not np.array_equal(arrays[ALONE], arrays[ROI])
    assert np.array_equal(arrays[ENCODER], literal.features.embeddings[ENCODER])
    store = EmbeddingStore(three.store_dir)
    keys = next(iter(found.keys.values()))
    said = {name: store.load(keys["|".join(name)]).about["protocol"] for name in (ROI, ALONE)}
    assert "prompting interleaved" in said[ROI]
    assert "prompting all" in said[ALONE]


def test_another_prompting_finds_the_middle_row_made(made: Any, encoded: list[int]) -> None:
    one, other = (config(made, how, ["roi_without_memory"], how) for how in ("interleaved", "first"))
    table = run(one)[1]
    before = sum(encoded)
    again = run(other)[1]
    assert sum(encoded) == before == PATIENTS * 2
    assert np.array_equal(table.features.embeddings[ALONE], again.features.embeddings[ALONE])


def test_the_three_are_rows_on_the_same_folds_and_are_compared(made: Any) -> None:
    rows = rows_of(config(made, "interleaved", ["roi", "roi_without_memory"], "rows"))
    steps = {(rows[pair.row].name, rows[pair.other].name): pair.differs_in for pair in pairs_of(rows)}
    roi, alone = "PET, tumour, roi", "PET, tumour, roi_without_memory"
    encoder = "Hiera alone of PET, tumour"
    assert (steps[roi, alone], steps[alone, encoder]) == ("memory", "prompt")
