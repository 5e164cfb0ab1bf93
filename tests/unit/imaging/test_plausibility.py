import numpy as np
import pytest

from engram.errors import ImagingError
from engram.imaging.plausibility import check_hu, check_suv
from engram.imaging.volume import Grid, Volume


def volume(*values: float) -> Volume:
    return Volume(np.array(values, np.float32).reshape(1, 1, -1), Grid((1, 1, len(values)), (1, 1, 1)), "x.nii")


def test_suv():
    check_suv(volume(0, 2.5, 300), patient_id="P1")
    check_suv(volume(-0.3, 12), patient_id="P1")


@pytest.mark.parametrize(
    ("values", "guess"),
    [
        ((0, 21345), "Bq/mL"),
        ((-1024, 844), "most likely a CT"),
        ((-20.7, 0), "not negative"),
        ((0, 0.0034), "above"),
    ],
)
def test_not_suv(values, guess):
    with pytest.raises(ImagingError, match=rf"PET is not in SUV.*{guess}.*x\.nii.*Convert to SUVbw"):
        check_suv(volume(*values), patient_id="P1")


def test_hu():
    check_hu(volume(-1000, 40, 1500), patient_id="P1")
    check_hu(volume(-120, 40), patient_id="P1")


@pytest.mark.parametrize(
    "values", [(0, 1024, 3000), (24, 255), (-1, 1), (-2, 6), (-1000, 40, 1e38), (-1e6, 40, 900)]
)
def test_not_hu(values):
    with pytest.raises(ImagingError, match=r"CT is not in HU.*x\.nii.*rescale"):
        check_hu(volume(*values), patient_id="P1")
