"""What was found in a patient's images is found again unless all that decides it is the same."""

from __future__ import annotations

from pathlib import Path

from engram.cohort.manifest import read_manifest
from engram.config import StudyConfig
from engram.pipeline.inspection import Inspection, inspect

ROIS = {"spine": {"region": "spine_dilated"}, "tumour": {"mask": "tumour"}}


def looked_at(config: StudyConfig, cache: Path, patient_id: str) -> Inspection:
    cohort = read_manifest(config)
    (patient,) = (p for p in (*cohort.records, *cohort.others) if p.patient_id == patient_id)
    return inspect(patient, config, cache)


def test_a_study_that_needs_fewer_scans_measures_whom_another_could_not(made, tmp_path: Path) -> None:
    """Without this, no limit would be applied to a patient whose PET is missing."""
    made.rows[3]["pet"] = ""
    with_pet, ct_alone = made.config(), made.config(models={"origins": ["CT"]})
    assert looked_at(with_pet, tmp_path / "kept", "P3").measures is None
    assert looked_at(ct_alone, tmp_path / "kept", "P3").measures is not None
    assert looked_at(with_pet, tmp_path / "kept", "P3").measures is None


def test_regions_come_in_the_order_of_the_study_file(made, tmp_path: Path) -> None:
    """The colours of the picture and the numbers of the page go by it."""
    sheets = []
    for rois in (ROIS, dict(reversed(ROIS.items()))):
        found = looked_at(made.config(rois=rois), tmp_path / "kept", "P3")
        assert found.measures is not None
        assert [roi.roi for roi in found.measures.rois] == list(rois)
        sheets.append(found.sheet)
    assert sheets[0] != sheets[1]


def test_measures_name_the_bytes_that_they_are_of(made, tmp_path: Path) -> None:
    for _ in ("measured", "kept"):
        found = looked_at(made.config(), tmp_path / "kept", "P3")
        assert found.measures is not None
        assert found.measures.digests == found.digests
