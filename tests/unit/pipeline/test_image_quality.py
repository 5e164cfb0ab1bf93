"""What check measures: one line a patient, limits that leave out, flags that do not, and each image read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engram.config import StudyConfig
from engram.files import read_json
from engram.pipeline.check import CheckedCohort, check
from engram.pipeline.console import Silent
from engram.pipeline.folders import RunFolder
from engram.pipeline.image_limits import broken_limits
from engram.pipeline.measures import Measures
from engram.roi.anatomy import PARTS

SHAPE = (6, 12, 12)


def checked(config: StudyConfig) -> CheckedCohort:
    return check(config, workers=0, console=Silent())


def told(config: StudyConfig) -> list[tuple[int | None, str | None, str]]:
    return [(e.row, e.column, e.reason) for e in checked(config).cohort.excluded]


def table(config: StudyConfig) -> pd.DataFrame:
    return pd.read_csv(RunFolder.of(config).image_quality)


def test_every_patient_has_a_line_and_a_picture(made) -> None:
    config = made.config()
    checked(config)
    found = table(config)
    assert found["row"].tolist() == list(range(2, 12))
    assert found["patient_id"].tolist() == [f"P{n}" for n in range(10)]
    assert (found["ct_covered"] == 1).all()
    assert (found["activity_change"].abs() < 1e-4).all()
    assert (found["tumour_ml"] == 4 * 4 * 4 * 80 / 1000).all()
    assert (found["tumour_in_pet"] == 1).all()
    assert (found["vertebrae"] == 1).all()
    pictures = list(RunFolder.of(config).checks.glob("*.png"))
    assert len(pictures) == 10
    assert all(picture.read_bytes()[:4] == b"\x89PNG" for picture in pictures)


def test_a_study_without_pictures_has_none(made) -> None:
    config = made.config(report={"pictures": False})
    checked(config)
    assert not list(RunFolder.of(config).checks.glob("*.png"))


def short_pet(made, number: int, slices: int) -> None:
    """A PET that ends below the bones of patient `number`."""
    voxels = np.random.default_rng(number).uniform(0, 9, (slices, 12, 12)).astype(np.float32)
    made.write(voxels, f"{number}_pet.nii.gz")


def test_a_region_outside_the_pet_is_left_out_with_its_reason(made) -> None:
    short_pet(made, 3, 3)
    made.config()
    pet_ends = {"min_roi_in_pet": 0.6}
    (error,) = checked(made.config(image_checks=pet_ends)).cohort.excluded
    assert (error.row, error.column, error.reason) == (5, "pet", "PET covers too little of a region of interest")
    assert error.value == "roi_in_pet 0.5, at least 0.6"
    assert error.stage == "imaging"


def test_limits_that_are_null_report_and_leave_nobody_out(made) -> None:
    short_pet(made, 3, 3)
    config = made.config(image_checks={"min_roi_in_pet": None})
    assert told(config) == []
    line = table(config).set_index("row").loc[5]
    assert line["tumour_in_pet"] == 0.5
    assert line["ct_beyond_pet_superior_mm"] == 15
    assert "PET covers too little of a region of interest" in line["flags"]


def test_limits_can_change_without_reading_anything_again(made, monkeypatch: pytest.MonkeyPatch) -> None:
    short_pet(made, 3, 3)
    assert told(made.config()) == []
    monkeypatch.setattr("engram.pipeline.inspection._look", None)
    assert told(made.config(image_checks={"min_ct_covered": 0.7})) == [
        (5, "pet", "PET covers too little of the CT")
    ]


def test_each_image_is_read_once(made, monkeypatch: pytest.MonkeyPatch) -> None:
    from engram.imaging import volume

    read, plain = [], volume.read_lps

    def counted(path: Path, **about: Any) -> Any:
        read.append(path.name)
        return plain(path, **about)

    monkeypatch.setattr(volume, "read_lps", counted)
    checked(made.config())
    assert sorted(read) == sorted(
        f"{n}_{what}.nii.gz" for n in range(10) for what in ("ct", "pet", "bones", "tumour")
    )


def test_a_lost_picture_is_made_again_and_damaged_measures_too(made) -> None:
    config = made.config()
    checked(config)
    before = RunFolder.of(config).image_quality.read_bytes()
    kept = sorted(RunFolder.of(config).checks.iterdir())
    content = {path: path.read_bytes() for path in kept}
    for path in kept:
        if path.suffix == ".png":
            path.unlink()
    checked(config)
    assert {path: path.read_bytes() for path in sorted(RunFolder.of(config).checks.iterdir())} == content
    for path in kept:
        if path.suffix == ".json":
            path.write_text(path.read_text().replace('"alignment": {', '"alignment": {"x": 1, "ct_covered": "?",'))
    checked(config)
    assert RunFolder.of(config).image_quality.read_bytes() == before


def test_a_patient_with_a_problem_is_not_measured_and_the_others_are(made) -> None:
    (made.folder / "3_ct.nii.gz").write_bytes(b"not an image")
    config = made.config()
    checked(config)
    assert 5 not in table(config)["row"].tolist()
    assert len(table(config)) == 9


def test_an_odd_volume_is_flagged_and_never_left_out(made) -> None:
    """z-scores look at other patients, so they must not decide who is analysed."""
    for number in range(10):
        block = np.zeros(SHAPE, np.uint8)
        block[1:5, 3 : 8 + number % 3, 4:8] = 1
        made.write(block if number != 6 else np.ones(SHAPE, np.uint8), f"{number}_tumour.nii.gz")
    config = made.config()
    assert told(config) == []
    flags = table(config).set_index("row")["flags"].fillna("")
    assert "tumour: volume far from the others'" in flags.loc[8]
    assert not any("volume far" in text for row, text in flags.items() if row != 8)


def measured(config: StudyConfig) -> list[Measures]:
    """What is kept of each patient."""
    kept = [read_json(path) for path in RunFolder.of(config).checks.glob("*.json")]
    return [Measures.from_json(found["measures"]) for found in kept]


def test_regions_of_interest_and_parts_are_kept_apart(made) -> None:
    """A region of interest may have the name of a part, and be something else."""
    config = made.config(rois={"lumbar spine": {"mask": "tumour"}, "spine": {"region": "spine_dilated"}})
    checked(config)
    found = measured(config)[0]
    assert [numbers.region for numbers in found.roi_pet] == ["lumbar spine", "spine"]
    assert [numbers.region for numbers in found.part_pet] == list(PARTS)
    assert [roi.roi for roi in found.rois] == ["lumbar spine", "spine"]


def test_a_study_without_ct_or_without_pet_is_measured(made) -> None:
    block = np.zeros(SHAPE, np.uint8)
    block[1:5, 4:8, 4:8] = 1
    rois = {"tumour": {"mask": "tumour"}}
    for images, absent in (({"ct": None}, "alignment"), ({"pet": None}, "roi_pet")):
        config = made.config(images=images, rois=rois, output=absent)
        assert told(config) == []
        assert not any(getattr(found, absent) for found in measured(config))


@pytest.fixture
def measures(made) -> Callable[..., Measures]:
    config = made.config()
    checked(config)
    found = measured(config)[0].to_json()

    def _changed(**changes: Any) -> Measures:
        return Measures.from_json({**found, **changes})

    return _changed


SHIFT = {"best_mm": (3.0, 4.0, 12.0), "here": 1.1, "best": 1.2, "at_edge": False}
MIRRORED = {"volume_ml": 9.0, "bones": 4, "vertebrae": (), "missing": (), "swapped": 0.55, "flags": ()}
FITS = {
    "ct_covered": 0.9,
    "pet_covered": 0.5,
    "ct_beyond_pet_mm": {},
    "activity": {"before": 10.0, "after": 9.0, "outside": 0.0},
    "registration": {"body_dice": 0.85, "shift": SHIFT, "notes": ()},
}


@pytest.mark.parametrize(
    ("limits", "changes", "reason"),
    [
        ({"max_activity_change": 0.09}, {"alignment": FITS}, "uptake changed by resampling"),
        ({"min_body_dice": 0.9}, {"alignment": FITS}, "body outlines of PET and CT differ"),
        ({"max_shift_mm": 12.9}, {"alignment": FITS}, "PET and CT lie apart"),
        ({"min_pet_covered": 0.6}, {"alignment": FITS}, "CT covers too little of the PET"),
        ({"min_liver_suv": 1.0}, {"liver": {"mean": 0.9, "sd": 0.1}}, "SUV of the liver too low"),
        ({"max_liver_suv": 5.0}, {"liver": {"mean": 5.5, "sd": 0.1}}, "SUV of the liver too high"),
        ({"min_bone_contrast": 0.7}, {"bone_contrast": 0.65}, "labelled bones do not lie on bone"),
        ({"max_swapped_pairs": 0.5}, {"bones": MIRRORED}, "label map is mirrored"),
    ],
)
def test_each_limit_is_broken_beyond_it_and_kept_at_it(measures, limits, changes, reason) -> None:
    from engram.config_checks import ImageChecks

    open_limits = dict.fromkeys(ImageChecks.model_fields)
    strict = ImageChecks(**{**open_limits, **limits})
    assert [found.reason for found in broken_limits(measures(**changes), strict)] == [reason]
    ((name, value),) = limits.items()
    loose = ImageChecks(**{**open_limits, name: value * (1.2 if name.startswith("max_") else 0.8)})
    assert list(broken_limits(measures(**changes), loose)) == []


def test_what_was_not_measured_breaks_no_limit(measures) -> None:
    from engram.config_checks import ImageChecks

    strict = ImageChecks(min_body_dice=1.0, max_shift_mm=0.0, min_liver_suv=100.0, max_liver_suv=101.0)
    unknown = {**FITS, "activity": {"before": 0.0, "after": 0.0, "outside": 0.0}}
    unknown["registration"] = {"body_dice": None, "shift": None, "notes": ("why",)}
    assert list(broken_limits(measures(alignment=unknown), strict)) == []
