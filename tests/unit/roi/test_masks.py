import numpy as np
import pytest

from engram.errors import ImagingError
from engram.imaging.volume import Grid
from engram.roi.bones import CODES
from engram.roi.labels import label_scheme
from engram.roi.masks import check_mask, read_label_map, read_mask

GRID = Grid((6, 8, 10), (3.0, 1.0, 1.0), (-5.0, 4.0, 100.0))
PLACE = {"spacing": (1.0, 1.0, 3.0), "origin": (-5.0, 4.0, 100.0)}
V2 = "totalsegmentator-2/total"


def block(value=1, kind=np.uint8) -> np.ndarray:
    mask = np.zeros(GRID.shape, kind)
    mask[2:5, 3:6, 4:9] = value
    return mask


def refused_mask(path, grid=GRID) -> ImagingError:
    with pytest.raises(ImagingError) as caught:
        read_mask(path, grid=grid, patient_id="P3", roi="spine")
    assert str(path) in str(caught.value)
    assert "P3" in str(caught.value)
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize(("value", "kind"), [(1, np.uint8), (255, np.uint8), (1, np.float32), (1, np.int16)])
def test_ready_mask(write, value, kind):
    mask = read_mask(write(block(value, kind), "m.nii.gz", **PLACE), grid=GRID, patient_id="P3", roi="spine")
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, block() > 0)


def test_mask_stored_feet_first_lands_right(write):
    path = write(
        block()[::-1],
        spacing=(1.0, 1.0, 3.0),
        origin=(-5.0, 4.0, 115.0),
        direction=(1, 0, 0, 0, 1, 0, 0, 0, -1),
    )
    np.testing.assert_array_equal(read_mask(path, grid=GRID, patient_id="P3", roi="spine"), block() > 0)


@pytest.mark.parametrize(
    "geometry",
    [
        {**PLACE, "origin": (-5.0, 4.0, 103.0)},
        {**PLACE, "spacing": (1.0, 1.0, 3.3)},
        {**PLACE, "direction": (1, 0, 0, 0, 1, 0, 0, 0, -1)},
    ],
)
def test_mask_on_another_grid(write, geometry):
    error = refused_mask(write(block(), **geometry))
    assert error.reason == "mask of 'spine' on another grid"
    assert "the scan has 10 x 8 x 6 voxels of 1 x 1 x 3 mm at x -5.5..4.5" in error.value
    assert "nearest neighbour" in error.mend


def test_mask_of_another_size(write):
    error = refused_mask(write(block()[:, :, :-1], **PLACE))
    assert error.value.startswith("9 x 8 x 6 voxels")


def test_several_values_are_no_mask(write):
    mask = block()
    mask[2, 3, 4:7] = [2, 3, 9]
    error = refused_mask(write(mask, **PLACE))
    assert error.reason == "mask of 'spine' has several values"
    assert error.value == "1, 2, 3, 9"
    many = block().astype(np.float32) * np.random.default_rng(0).random(GRID.shape, dtype=np.float32)
    assert refused_mask(write(many, **PLACE)).value.endswith("and 39 more")


def test_nan_is_no_mask(write):
    mask = block(kind=np.float32)
    mask[2, 3, 4] = np.nan
    assert "NaN" in refused_mask(write(mask, "m.nii", **PLACE)).reason
    assert "several values" in refused_mask(write(mask, "m.nrrd", **PLACE)).reason


def test_empty_and_single_slice(write):
    assert refused_mask(write(block(0), **PLACE)).reason == "mask of 'spine' is empty"
    single = block()
    single[3:5] = 0
    assert refused_mask(write(single, **PLACE)).reason == "mask of 'spine' has a single slice"


def test_missing(tmp_path):
    assert refused_mask(tmp_path / "none.nii.gz").reason == "mask of 'spine' file missing"


def test_check_mask_returns_what_can_be_read():
    mask = block() > 0
    assert check_mask(mask, patient_id="P3", roi="spine") is mask


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32])
def test_labels(write, kind):
    labels = block(29, kind)
    labels[0, 0, 0] = 117
    found = read_label_map(write(labels, **PLACE), grid=GRID, patient_id="P3", scheme=V2)
    np.testing.assert_array_equal(found.codes, np.where(labels == 29, CODES["vertebrae_L3"], 0))
    assert found.known == set(label_scheme(V2).values.values())


@pytest.mark.parametrize(("value", "kind"), [(118, np.uint8), (-1, np.int16), (28.5, np.float32)])
def test_labels_of_another_scheme(write, value, kind):
    path = write(block(value, kind), **PLACE)
    with pytest.raises(ImagingError) as caught:
        read_label_map(path, grid=GRID, patient_id="P3", scheme=V2)
    assert caught.value.reason == "label map has unknown values"
    assert caught.value.value == f"{value:g}"
    assert str(path) in str(caught.value)


def test_labels_on_another_grid(write):
    with pytest.raises(ImagingError, match="label map on another grid"):
        read_label_map(write(block()), grid=GRID, patient_id="P3", scheme=V2)
