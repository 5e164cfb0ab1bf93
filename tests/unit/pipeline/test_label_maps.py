"""Label maps from the manifest to regions: named by scheme, read once, and part of every address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engram.cohort.manifest import read_manifest
from engram.config import StudyConfig
from engram.imaging.volume import read_oriented
from engram.pipeline.check import check
from engram.pipeline.console import Silent
from engram.pipeline.folders import RunFolder
from engram.pipeline.inspection import Inspection, column_of, image_files, inspect
from engram.pipeline.patients import open_patient, roi_recipe
from engram.roi import build, masks
from engram.roi.anatomy import PARTS
from engram.roi.ct_skeleton import ct_skeleton

SHAPE = (6, 12, 12)
SPINE, RIBS = "moose-3/clin_ct_vertebrae", "moose-3/clin_ct_ribs"
MAPS = {"labels": {SPINE: "bones", RIBS: "tumour"}}  # the fixture's columns, in new uses
ONE = {"labels": "bones", "label_scheme": "totalsegmentator-2/total"}


def moose(made: Any, number: int = 2) -> None:
    """Two maps of one patient in place of what the fixture wrote."""
    spine, ribs = np.zeros((2, *SHAPE), np.uint8)
    spine[1:5, 4:8, 4:8] = 22  # L3
    ribs[1:4, 2:4, 1:4] = 25  # right rib 12
    made.write(spine, f"{number}_bones.nii.gz")
    made.write(ribs, f"{number}_tumour.nii.gz")


def looked_at(config: StudyConfig, cache: Path, number: int = 2) -> Inspection:
    return inspect(read_manifest(config).records[number], config, cache)


def test_several_maps_are_named_by_their_scheme(made: Any, tmp_path: Path) -> None:
    moose(made)
    config = made.config(images=MAPS, rois={"bone": {"region": "ribs_sternum"}})
    record = read_manifest(config).records[2]
    assert dict(record.labels) == {SPINE: tmp_path / "2_bones.nii.gz", RIBS: tmp_path / "2_tumour.nii.gz"}
    assert list(image_files(record)) == ["ct", "pet", f"labels:{SPINE}", f"labels:{RIBS}"]
    assert column_of(f"labels:{RIBS}", config) == "tumour"
    found = looked_at(config, tmp_path / "cache")
    assert found.problems == ()
    assert set(found.digests) == {"ct", "pet", f"labels:{SPINE}", f"labels:{RIBS}"}
    assert open_patient(record, config).masks["bone"].sum() == 18


def test_what_is_wrong_with_a_map_names_its_column(made: Any, tmp_path: Path) -> None:
    moose(made)
    ribs = np.full(SHAPE, 28, np.uint8)  # the scheme ends at 27
    made.write(ribs, "2_tumour.nii.gz")
    config = made.config(images=MAPS, rois={"bone": {"region": "lumbar"}, "rib": {"region": "ribs_sternum"}})
    (problem,) = looked_at(config, tmp_path / "cache").problems
    assert (problem.reason, problem.column, problem.value) == ("label map has unknown values", "tumour", "28")
    assert "Labels of 'moose-3/clin_ct_ribs' are whole numbers from 0 to 27" in str(problem)


def test_a_map_without_the_bones_of_a_region(made: Any, tmp_path: Path) -> None:
    config = made.config(images=ONE, rois={"rib": {"region": "ribs_sternum"}, "bone": {"region": "lumbar"}})
    (problem,) = looked_at(config, tmp_path / "cache").problems
    assert (problem.reason, problem.column) == ("mask of 'rib' is empty", "bones")


def test_marrow_that_cannot_be_made_is_told_by_check(made: Any, tmp_path: Path) -> None:
    femur = np.zeros(SHAPE, np.uint8)
    femur[:, 2:9, 2:9] = 75
    femur[:, 10:, 10:] = 29
    made.write(femur, "2_bones.nii.gz")
    rois = {"m": {"region": "marrow"}}
    (problem,) = looked_at(made.config(images=ONE, rois=rois), tmp_path / "cache").problems
    assert problem.reason == "joint of femur_left not found"
    rois = {"m": {"region": "marrow", "proximal_mm": 0}}
    assert looked_at(made.config(images=ONE, rois=rois), tmp_path / "cache").problems == ()


def test_an_approximate_region_is_checked_on_the_ct(made: Any, tmp_path: Path) -> None:
    rois = {"bone approximate": {"region": "ct_threshold", "threshold_hu": 2000}}
    (problem,) = looked_at(made.config(images={}, rois=rois), tmp_path / "cache").problems
    assert (problem.reason, problem.column) == ("mask of 'bone approximate' is empty", "ct")


def test_a_map_is_read_once_for_regions_and_parts(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(path: Path, **words: Any) -> Any:
        read.append(words["what"])
        return read_oriented(path, **words)

    monkeypatch.setattr(masks, "read_oriented", counted)
    rois = {"a": {"region": "spine_dilated"}, "b": {"region": "skeleton"}}
    config = made.config(images=ONE, rois=rois, embedding={"readouts": ["final", "regions"]})
    found = open_patient(read_manifest(config).records[0], config)
    assert read.count("label map") == 1
    assert found.parts is not None
    assert set(np.unique(found.parts)) == {0, PARTS.index("lumbar spine") + 1}


def test_a_slow_region_is_made_once_by_check(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*given: Any, **settings: Any) -> Any:
        calls.append(settings)
        return ct_skeleton(*given, **settings)

    monkeypatch.setattr(build, "ct_skeleton", counted)
    rois = {"bone approximate": {"region": "ct_threshold", "threshold_hu": 0, "smallest_ml": 0}}
    found = looked_at(made.config(images={}, rois=rois), tmp_path / "cache")
    assert found.problems == ()
    assert found.measures is not None
    assert len(calls) == 1


def recipe(made: Any, images: dict[str, Any] = ONE, **roi: Any) -> Any:
    config = made.config(images=images, rois={"approximate": roi})
    digests = {"ct": "C", **{f"labels:{scheme}": scheme[-4:] for scheme in config.label_columns}}
    return roi_recipe("approximate", config, digests)


def test_every_setting_is_part_of_the_address(made: Any) -> None:
    found = [
        recipe(made, region="spine_dilated"),
        recipe(made, region="skeleton"),
        *(recipe(made, region="spine_dilated", **{name: 3.0}) for name in ("dilate_mm", "close_mm")),
        *(recipe(made, region="spine_dilated", **{name: False}) for name in ("fill_canal", "include_sacrum")),
        recipe(made, region="marrow"),
        recipe(made, region="marrow", erode_mm=1.0),
        recipe(made, region="ct_threshold"),
        recipe(made, region="ct_threshold", threshold_hu=126.0),
        recipe(made, MAPS, region="spine_dilated"),
        recipe(made, {"labels": dict(reversed(MAPS["labels"].items()))}, region="spine_dilated"),
        recipe(made, {**ONE, "label_scheme": "totalsegmentator-2/total_v3"}, region="spine_dilated"),
    ]
    assert len({repr(one) for one in found}) == len(found)
    assert recipe(made, region="spine_dilated", dilate_mm=10.0) == found[0]


def test_an_approximate_region_depends_on_the_ct_and_no_map(made: Any) -> None:
    found = recipe(made, region="ct_threshold")
    assert found["ct"] == "C"
    assert "labels" not in found


def larger(made: Any, number: int, *, flipped: bool) -> None:
    """A CT with one dense block, off its middle, and a label map that lies on it, or has z the other way round."""
    hu, labels = np.full((24, 30, 30), 40, np.int16), np.zeros((24, 30, 30), np.uint8)
    hu += np.random.default_rng(number).integers(-30, 30, hu.shape).astype(np.int16)
    hu[:, :3] = -1000
    hu[2:10, 10:20, 10:20], labels[2:10, 10:20, 10:20] = 400 + number, 29
    made.write(hu, f"{number}_ct.nii.gz")
    made.write(labels[::-1] if flipped else labels, f"{number}_bones.nii.gz")


def test_a_label_map_with_a_flipped_axis_is_left_out_with_its_reason(made: Any) -> None:
    """Both headers are right in themselves: only the voxels can tell."""
    for number in range(10):
        larger(made, number, flipped=number == 4)
    images = {**ONE, "pet": None}
    config = made.config(images=images, rois={"bone": {"region": "lumbar"}}, models={"origins": ["CT"]})
    (error,) = check(config, workers=0, console=Silent()).cohort.excluded
    assert (error.row, error.column) == (6, "bones")
    assert error.reason == "labelled bones do not lie on bone"
    assert error.value is not None
    assert error.value.endswith("at least 0.6")
    contrast = pd.read_csv(RunFolder.of(config).image_quality).set_index("row")["bone_contrast"]
    assert (contrast.drop(6) > 0.99).all()
    free = made.config(
        images=images,
        rois={"bone": {"region": "lumbar"}},
        models={"origins": ["CT"]},
        image_checks={"min_bone_contrast": None},
    )
    assert check(free, workers=0, console=Silent()).cohort.excluded == ()
