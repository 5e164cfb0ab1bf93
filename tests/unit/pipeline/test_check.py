"""The first stage: every problem of everybody's images, once each, and no scan in two rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engram.cohort.flow import exclusion_flow
from engram.config import StudyConfig
from engram.errors import StorageError
from engram.pipeline.check import CheckedCohort, check
from engram.pipeline.console import Silent
from engram.pipeline.folders import RunFolder
from engram.pipeline.patients import open_patient

SHAPE = (6, 12, 12)


def checked(config: StudyConfig) -> CheckedCohort:
    return check(config, workers=0, console=Silent())


def told(config: StudyConfig) -> list[tuple[int | None, str | None, str]]:
    return [(e.row, e.column, e.reason) for e in checked(config).cohort.excluded]


def test_a_cohort_without_fault_passes_and_opens(made) -> None:
    config = made.config()
    found = checked(config)
    assert found.cohort.excluded == ()
    assert set(found.digests) == {f"P{n}" for n in range(10)}
    assert set(found.digests["P3"]) == {"ct", "pet", "labels:totalsegmentator-2/total", "mask:tumour"}
    assert set(open_patient(found.cohort.records[0], config).masks) == {"spine", "tumour"}


def regzipped(source: Path, target: Path) -> None:
    target.write_bytes(gzip.compress(gzip.decompress(source.read_bytes()), compresslevel=1, mtime=7))


def unzipped(source: Path, target: Path) -> None:
    target.write_bytes(gzip.decompress(source.read_bytes()))


@pytest.mark.parametrize(("copy", "name"), [(regzipped, "other.nii.gz"), (unzipped, "other.nii")])
def test_a_scan_under_another_name_and_compression_is_one_scan(made, copy, name: str) -> None:
    copy(made.folder / "0_ct.nii.gz", made.folder / name)
    made.rows[4]["ct"] = name
    excluded = checked(made.config()).cohort.excluded
    assert [(e.row, e.column, e.reason, e.value) for e in excluded] == [
        (2, "ct", "scan identical to another", "CT has the voxels of row 6"),
        (6, "ct", "scan identical to another", "CT has the voxels of row 2"),
    ]


def test_a_scan_as_another_number_type_and_flipped_is_one_scan(made) -> None:
    voxels = np.random.default_rng(0).integers(-1000, 500, SHAPE)
    made.write(voxels.astype(np.int16), "0_ct.nii.gz")
    flip = {"direction": (1, 0, 0, 0, 1, 0, 0, 0, -1), "origin": (0.0, 0.0, 25.0)}
    made.write(voxels[::-1].astype(np.float32), "1_ct.nii.gz", **flip)
    assert told(made.config()) == [(row, "ct", "scan identical to another") for row in (2, 3)]


def test_both_scans_of_another_are_one_line_a_patient_with_all_rows(made) -> None:
    for target in (3, 8):
        for scan in ("ct", "pet"):
            regzipped(made.folder / f"0_{scan}.nii.gz", made.folder / f"{target}_{scan}.nii.gz")
    excluded = checked(made.config()).cohort.excluded
    assert [e.row for e in excluded] == [2, 5, 10]
    assert excluded[1].value == "CT has the voxels of rows 2, 10; PET has the voxels of rows 2, 10"


def test_a_ct_given_as_pet_is_named_once(made) -> None:
    made.rows[2]["pet"] = made.rows[2]["ct"]
    identical = [e for e in checked(made.config()).cohort.excluded if e.reason == "scan identical to another"]
    (error,) = identical
    assert (error.row, error.column) == (4, "ct")
    assert error.value == (
        "CT has the voxels of the PET of the same patient; PET has the voxels of the CT of the same patient"
    )


def test_one_file_in_two_rows_is_told_by_the_manifest_alone(made) -> None:
    made.rows[1]["ct"] = made.rows[0]["ct"]
    assert told(made.config()) == [(row, "ct", "image file of another patient") for row in (2, 3)]


def test_a_copy_of_the_scan_of_somebody_left_out_is_found(made) -> None:
    made.rows[0]["t"] = ""
    regzipped(made.folder / "0_pet.nii.gz", made.folder / "5_pet.nii.gz")
    assert told(made.config()) == [
        (2, "t", "PFS missing"),
        (2, "pet", "scan identical to another"),
        (7, "pet", "scan identical to another"),
    ]


def test_all_image_problems_of_a_patient_come_at_once(made) -> None:
    (made.folder / "3_ct.nii.gz").write_bytes(b"not an image")
    made.write(np.random.default_rng(0).uniform(0, 90_000, SHAPE), "3_pet.nii.gz")
    made.write(np.full(SHAPE, 255, np.uint8), "3_bones.nii.gz")
    made.write(np.zeros(SHAPE, np.uint8), "3_tumour.nii.gz")
    assert told(made.config()) == [
        (5, "ct", "CT unreadable"),
        (5, "pet", "PET is not in SUV"),
        (5, "tumour", "mask of 'tumour' is empty"),
        (5, "bones", "label map has unknown values"),
    ]


def test_implausible_scans_still_give_the_grid_of_the_masks(made) -> None:
    made.write(np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.int16), "3_ct.nii.gz")
    made.write(np.ones(SHAPE, np.uint8), "3_tumour.nii.gz", origin=(40.0, 0.0, 0.0))
    made.write(np.random.default_rng(0).uniform(0, 9, SHAPE), "3_pet.nii.gz", origin=(900.0, 0.0, 0.0))
    assert told(made.config()) == [
        (5, "ct", "CT is not in HU"),
        (5, "pet", "PET and CT do not overlap"),
        (5, "tumour", "mask of 'tumour' on another grid"),
    ]


def test_images_of_patients_left_out_by_the_table_are_read_too_and_counted_once(made) -> None:
    made.rows[6].update(age="", t="")
    (made.folder / "6_pet.nii.gz").write_bytes(b"not an image")
    made.rows[9]["patient_id"] = ""
    (made.folder / "9_ct.nii.gz").write_bytes(b"not an image")
    found = checked(made.config()).cohort
    assert [(e.row, e.reason) for e in found.excluded] == [
        (8, "clinical annotation missing"),
        (8, "PFS missing"),
        (8, "PET unreadable"),
        (11, "patient id missing"),
        (11, "CT unreadable"),
    ]
    flow = exclusion_flow(found.pool, found.excluded)
    assert [step.excluded for step in flow.steps] == [2, 0, 0]
    assert flow.analysed == len(found.records) == 8


def test_bone_in_one_slice_is_refused_however_far_it_is_dilated(made) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[3, 4:8, 4:8] = 29
    made.write(labels, "2_bones.nii.gz")
    rois = {"spine": {"region": "spine_dilated"}, "bones": {"region": "skeleton"}}
    assert told(made.config(rois=rois)) == [
        (4, "bones", "mask of 'spine' has a single slice"),
        (4, "bones", "mask of 'bones' has a single slice"),
    ]


def test_exclusions_are_written_by_row_with_their_columns(made) -> None:
    (made.folder / "1_ct.nii.gz").write_bytes(b"not an image")
    made.rows[5]["t"] = "0"
    made.rows[0]["t"] = "-1"
    config = made.config()
    checked(config)
    table = pd.read_csv(RunFolder.of(config).exclusions)
    assert table["row"].tolist() == [2, 3, 7]
    assert table["column"].tolist() == ["t", "ct", "t"]
    assert table["file"].tolist()[1] == str(made.folder / "1_ct.nii.gz")


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"error": null}', '{"scans": [], "problems": []}', '{"scans": {}, "problems": [1']
)
def test_damaged_kept_checks_are_made_again(made, content: str) -> None:
    (made.folder / "3_ct.nii.gz").write_bytes(b"not an image")
    config = made.config()
    before = told(config)
    kept = sorted(RunFolder.of(config).checks.glob("*.json"))
    whole = [path.read_text() for path in kept]
    for path in kept:
        path.write_text(content)
    assert told(config) == before
    assert [path.read_text() for path in kept] == whole


def test_kept_checks_are_used_and_follow_their_files(made, monkeypatch: pytest.MonkeyPatch) -> None:
    (made.folder / "3_ct.nii.gz").write_bytes(b"not an image")
    checked(made.config())
    monkeypatch.setattr("engram.pipeline.inspection._look", None)
    (made.folder / "3_ct.nii.gz").rename(made.folder / "moved.nii.gz")
    made.rows[3]["ct"] = "moved.nii.gz"
    made.rows.reverse()
    (error,) = checked(made.config()).cohort.excluded
    assert (error.row, error.patient_id, error.file) == (8, "P3", str(made.folder / "moved.nii.gz"))


@pytest.mark.parametrize("field", ["output", "store"])
def test_a_folder_that_is_a_file_is_named_before_anything_is_read(made, field: str) -> None:
    (made.folder / "taken").touch()
    with pytest.raises(StorageError, match=f"taken: cannot be made a folder .* Set '{field}' to another place"):
        checked(made.config(**{field: "taken"}))
