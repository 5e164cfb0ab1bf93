"""SUVs of real scans: the numbers that their READMEs and an independent package give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.scan_facts import scan_facts
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import build_stack
from engram.imaging.dicom.suv import suv_conversion
from engram.imaging.dicom.voxels import read_pet
from engram.imaging.volume import Volume, read_oriented

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
PYSUV = json.loads((Path(__file__).resolve().parents[3] / "reference" / "suv" / "pysuv.json").read_text())["real"]
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def pet_series(folder: str) -> list[Series]:
    found = walk(SHARED / folder, workers=0).series
    return [one for one in found if one.modality == "PT"]


@pytest.fixture(scope="module")
def raw() -> tuple[Series, Volume]:
    """The raw whole-body scan in SUV."""
    (series,) = pet_series("sts_raw_pet_dicom/STS_001/PET")
    conversion = suv_conversion(series, patient_id="STS_001")
    by_path = dict(zip([s.path for s in series.slices], conversion.factors, strict=True))
    stack = build_stack(series, patient_id="STS_001")
    factors = np.array([by_path[s.path] for s in stack.slices])
    return series, read_pet(stack, factors, patient_id="STS_001")


@needs_shared
def test_whole_body_ge_scan(raw):
    series, pet = raw
    found = suv_conversion(series, patient_id="STS_001")
    assert found.factors == pytest.approx(np.full(267, 0.000242902977), rel=1e-8)
    assert found.factors == pytest.approx(np.full(267, PYSUV["sts_raw_pet_dicom"]), rel=1e-12)
    assert (found.uptake_min, found.notes) == (pytest.approx(2711 / 60), ())
    assert pet.voxels.max() == pytest.approx(66.52, abs=0.005)
    facts = scan_facts(found, pet)
    assert facts.flags == ()
    assert 0.5 < (facts.share_in_view or 0) < 1.0


@needs_shared
def test_whole_body_ge_scan_against_the_nifti_that_others_converted(raw):
    """The README: offset x 59, y 45, z 0 in slices sorted by z; GTV_Mass SUVmax 7.911, SUVmean 2.555."""
    _, pet = raw
    theirs, mask = (
        read_oriented(SHARED / "sts" / "STS_001" / name, patient_id="STS_001", what="PET")
        for name in ("PET.nii.gz", "PET_mask.nii.gz")
    )
    z, y, x = theirs.grid.shape
    ours = pet.voxels[:z, 45 : 45 + y, 59 : 59 + x]
    assert np.abs(ours - theirs.voxels).max() < 0.001
    tumour = ours[mask.voxels > 0]
    assert tumour.max() == pytest.approx(7.911, abs=0.001)
    assert tumour.mean(dtype=np.float64) == pytest.approx(2.555, abs=0.001)


@needs_shared
def test_a_scan_in_suv_is_not_converted_twice():
    (series,) = pet_series("sts_dicom/STS_002/PET")
    found = suv_conversion(series, patient_id="STS_002")
    assert (found.factors == 1.0).all()
    stack = build_stack(series, patient_id="STS_002")
    pet = read_pet(stack, np.ones(len(stack.slices)), patient_id="STS_002")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(SHARED / "sts" / "STS_002" / "PET.nii.gz"))
    assert np.sort(pet.voxels, axis=None) == pytest.approx(np.sort(theirs, axis=None), abs=1e-5)
    assert any("date of Radiopharmaceutical Start DateTime cannot be right" in note for note in found.notes)
    assert found.uptake_min == pytest.approx(67, abs=0.1)


@needs_shared
@pytest.mark.parametrize(("name", "uptake_min"), [("acrin_flt_breast_1", 66.28), ("acrin_flt_breast_2", 16.0)])
def test_siemens_slices(name, uptake_min):
    """The second is a frame of a dynamic scan: corrected to the series time, which is the injection."""
    (series,) = [one for one in pet_series("pet_dicom_headers") if one.files[0].stem == name]
    found = suv_conversion(series, patient_id=name)
    assert found.factors[0] == pytest.approx(PYSUV[name], rel=1e-12)
    assert found.uptake_min == pytest.approx(uptake_min, abs=0.01)
    assert found.method == "dose decayed to series time"
