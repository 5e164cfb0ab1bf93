"""Dice of every study: counted by hand, written with ids, summarised without, and shown beside its own picture."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.errors import StorageError
from engram.memory.quality import DrawnQuality
from engram.memory.store import EmbeddingStore, StoredReadOut
from engram.pipeline.folders import RunFolder
from engram.pipeline.quality import StudyQuality, summarise_quality, write_quality
from engram.pipeline.quality_pictures import Keys, study_pictures


def arrays(dice: list[float]) -> dict[str, Any]:
    """Slices of 100 mm2 drawn and 100 mm2 of region, which overlap as Dice says."""
    n = len(dice)
    return {
        "slices": np.arange(n, dtype=np.int32),
        "drawn_mm2": np.full(n, 100.0),
        "region_mm2": np.full(n, 100.0),
        "overlap_mm2": 100 * np.array(dice),
        "object_scores": np.full(n, 0.25, dtype=np.float32),
        "ious": np.full(n, 0.5, dtype=np.float32),
    }


def study(row: int, dice: list[float], *, modality: str = "PET") -> StudyQuality:
    record = PatientRecord(f"P{row}", row, None, None, None, {}, covariates={}, event=True, time=1.0)
    return StudyQuality(record, modality, "spine", f"{row:064x}", DrawnQuality.of(arrays(dice)))


def test_the_table_has_one_line_a_study(tmp_path: Path) -> None:
    path = write_quality([study(2, [0.2, 0.8]), study(3, [0.5, 0.48])], 0.5, tmp_path / "quality.csv")
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["row"], line["patient_id"], line["slices"]) for line in lines] == [
        ("2", "P2", "2"),
        ("3", "P3", "2"),
    ]
    assert [(line["dice"], line["lowest_slice_dice"], line["flagged"]) for line in lines] == [
        ("0.5000", "0.2000", "0"),
        ("0.4900", "0.4800", "1"),
    ]
    assert lines[0]["mean_object_score"] == "0.2500"


def test_a_large_slice_weighs_more_than_a_small_one() -> None:
    drawn = DrawnQuality.of({**arrays([1.0, 0.0]), "region_mm2": np.array([100.0, 700.0])})
    assert drawn.overall_dice == pytest.approx(2 * 100 / 1000)


def test_quartiles_are_of_patients_for_each_scan() -> None:
    studies = [study(i, [d, d]) for i, d in enumerate((0.1, 0.2, 0.3, 0.4, 0.9))]
    pet, ct = summarise_quality([*studies, study(9, [0.7], modality="CT")], 0.4)
    assert (pet.modality, pet.roi, pet.n, pet.flagged, pet.limit) == ("PET", "spine", 5, 3, 0.4)
    assert pet.dice_quartiles == pytest.approx([0.2, 0.3, 0.4])
    assert pet.curve_lower == pytest.approx([0.2] * 32)
    assert pet.curve_upper == pytest.approx([0.4] * 32)
    assert (ct.n, ct.flagged) == (1, 0)
    assert ct.curve_median == pytest.approx([0.7] * 32)


def test_the_curve_goes_from_the_first_slice_to_the_last() -> None:
    (found,) = summarise_quality([study(2, [0.0, 0.5, 1.0])], 0.5)
    assert found.curve_median == pytest.approx([(i + 0.5) / 32 for i in range(32)])


def _stored(config: StudyConfig, measured: StudyQuality) -> None:
    picture = RunFolder.of(config).root / "p.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 20), measured.record.row).save(picture)
    about: dict[str, Any] = dict.fromkeys(
        ("modality", "roi", "readout", "weights", "weights_digest", "protocol_digest"), "x"
    )
    kept = {name: getattr(measured.drawn, name) for name in arrays([0.0])}
    readout = StoredReadOut(kept, about | {"engine_version": 1, "slices": 2})
    EmbeddingStore(config.store_dir).save(measured.key, readout, picture.read_bytes())


@pytest.fixture
def measured(made) -> tuple[StudyConfig, Keys, EmbeddingStore]:
    """Three studies in the store and in quality.csv."""
    config, studies = made.config(), [study(2, [0.2, 0.8]), study(3, [0.9, 0.9]), study(4, [0.1, 0.3])]
    for one in studies:
        _stored(config, one)
    write_quality(studies, 0.5, RunFolder.of(config).quality)
    return (
        config,
        {one.record.patient_id: {"PET|spine|quality": one.key} for one in studies},
        EmbeddingStore(config.store_dir),
    )


def test_every_study_gets_its_own_picture(measured) -> None:
    config, keys, store = measured
    found = study_pictures(config, keys)
    assert [(s.row, s.dice, s.slices, s.flagged) for s in found] == [
        (2, 0.5, 2, False), (3, 0.9, 2, False), (4, 0.2, 2, True),
    ]  # fmt: skip
    assert [s.png for s in found] == [store.picture_path(f"{row:064x}") for row in (2, 3, 4)]


def _forget_key(keys: Keys, _store: EmbeddingStore) -> None:
    del keys["P3"]


def _spoil_picture(_keys: Keys, store: EmbeddingStore) -> None:
    store.picture_path(f"{3:064x}").write_bytes(b"spoilt")


def _remove_picture(_keys: Keys, store: EmbeddingStore) -> None:
    store.picture_path(f"{3:064x}").unlink()


def _remove_reading(_keys: Keys, store: EmbeddingStore) -> None:
    store.path(f"{3:064x}").unlink()


def _another_reading(keys: Keys, _store: EmbeddingStore) -> None:
    keys["P3"] = keys["P2"]


@pytest.mark.parametrize(
    "change", [_forget_key, _spoil_picture, _remove_picture, _remove_reading, _another_reading]
)
def test_a_picture_that_is_not_that_of_the_dice_is_not_shown(measured, change) -> None:
    config, keys, store = measured
    change(keys, store)
    found = study_pictures(config, keys)
    assert [s.png is not None for s in found] == [True, False, True]
    assert found[1].dice == 0.9


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.9000", "high"), ("modality", "scan"), ("4,P4,PET,spine,2,0.2", "4,P4,PET"), ("0.9000", "nan")],
)
def test_a_damaged_table_is_named(measured, old: str, new: str) -> None:
    config, keys, _store = measured
    path = RunFolder.of(config).quality
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(StorageError, match=r"quality\.csv: damaged .*Run 'engram evaluate' again"):
        study_pictures(config, keys)
