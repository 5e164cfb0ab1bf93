"""images.html from what was measured: which numbers, pictures and reasons come to whose card."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engram.config import StudyConfig
from engram.imaging.alignment import Alignment
from engram.imaging.field_of_view import Activity
from engram.imaging.registration import RegistrationQuality
from engram.pipeline.image_quality import PatientQuality
from engram.pipeline.images_report import write_images_page
from engram.pipeline.measures import Measures
from engram.roi.bone_quality import BoneQuality
from engram.roi.mask_quality import MaskQuality
from engram.roi.pet_numbers import PetNumbers

ROI = MaskQuality("spine", 900.0, 1, 1.0, 0, 0.0, 600.0, False, False, ())
PET = PetNumbers("spine", 880.0, 1.5, 0.5, 8.0, 6.0, 4.0, 12.0, 60.0)
FIT = Alignment(1.0, 1.0, {}, Activity(1.0, 1.0, 0.0), RegistrationQuality(0.93, None, ("not sought",)))


def config(folder: Path, *, pictures: bool = True) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "s",
            "manifest": "cohort.csv",
            "outcome": {"time": "t", "unit": "months", "event": "e"},
            "images": {},
            "rois": {"spine": {"mask": "m"}},
            "report": {"pictures": pictures},
            "output": "out",
            "folder": folder,
        }
    )


def quality(
    row: int, *, volume_ml: float = 900.0, suv_mean: float = 1.5, flags=(), bones=None, contrast=None
) -> PatientQuality:
    measures = Measures.from_json(
        Measures(
            digests={},
            alignment=FIT,
            liver=None,
            bones=bones,
            bone_contrast=contrast,
            rois=(replace(ROI, volume_ml=volume_ml),),
            roi_in_pet={"spine": 1.0},
            roi_pet=(replace(PET, suv_mean=suv_mean),),
            part_pet=(),
        ).to_json()
    )
    return PatientQuality(row, f"P{row}", measures, {}, tuple(flags))


@pytest.fixture
def page(tmp_path: Path):
    def write(qualities, sheets=None, left_out=None, **changed) -> str:
        write_images_page(config(tmp_path, **changed), qualities, sheets or {}, left_out or {})
        path = tmp_path / "out" / "images.html"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    return write


def test_each_card_has_its_own_numbers_flags_picture_and_reason_and_no_id(page, tmp_path):
    sheet = tmp_path / "sheet.png"
    Image.new("RGB", (60, 80), "white").save(sheet)
    text = page(
        [quality(2), quality(3, volume_ml=1234.0, flags=("spine: odd",))], {3: sheet}, {2: "PFS missing", 9: "x"}
    )
    first, second = text.index("Row 3"), text.index("Row 2")
    assert first < text.index("spine: odd") < second
    assert first < text.index(">1234<") < second
    assert text.count("data:image/jpeg") == 1
    assert second < text.index("not analysed: PFS missing")
    assert "P2" not in text
    assert "P3" not in text
    assert 'data-numbers="900 1.5 8 12 0.93 "' in text


def test_a_number_that_is_missing_is_blank_and_on_no_strip(page):
    text = page([quality(2), quality(3, suv_mean=float("nan"))])
    assert 'spine, SUVmean</td><td class="number">–' in text
    assert ">spine, volume (mL)</text>" in text
    assert ">spine, SUVmean</text>" not in text


def test_a_patient_with_too_little_labelled_bone_has_a_blank_and_the_others_a_strip(page):
    """No contrast is measured below 200 blocks of bone."""
    bones = BoneQuality(1.0, 1, ("L3",), (), None, ())
    text = page([quality(row, bones=bones, contrast=None if row == 3 else 0.9) for row in (2, 3, 4)])
    assert text.count('Bone denser than around it (share)</td><td class="number">0.90') == 2
    assert text.count('Bone denser than around it (share)</td><td class="number">–') == 1
    assert ">Bone denser than" in text


def test_the_picture_is_said_to_be_of_the_study_s_window(page):
    assert "PET as maximum intensity projection from 0 (white) to 10 SUV (black)" in page([quality(2)])


def test_without_pictures_an_old_page_is_removed(page):
    assert page([quality(2)])
    assert not page([quality(2)], pictures=False)
    assert page([quality(2)])
    assert not page([])
