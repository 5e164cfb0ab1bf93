"""Files of masks: which series they belong to, and what becomes of each region."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_files import dataset, uid, write_ct
from mask_files import FRAME, series_of, square, stack_at, write_structures
from pydicom.sequence import Sequence

from engram.errors import ImagingError
from engram.imaging.dicom.drawn import drawn_on, read_masks
from engram.imaging.dicom.dump import walk
from engram.imaging.dicom.seg_write import MadeBy, write_seg
from engram.imaging.dicom.stack import build_stack

STACK = stack_at([0.0, 3.0, 6.0])
SERIES = series_of(STACK)


def _structures(tmp_path, rois, **options):
    return write_structures(tmp_path / "rs.dcm", rois, **options)


def test_every_region_is_a_mask_or_left_with_its_reason(tmp_path):
    rois = {"spine": [square(2, 4), square(2, 4, 3.0)], "nothing": [], "far": [square(2, 4, 300.0)]}
    found = read_masks(_structures(tmp_path, rois), SERIES, STACK, patient_id="P01")
    assert [(name, int(mask.sum())) for name, mask in found.masks.items()] == [("spine", 18)]
    assert [error.reason for error in found.left] == ["structure has no contours", "contours outside the slices"]
    assert all("rs.dcm" in str(error) and "P01" in str(error) for error in found.left)


def test_notes_name_the_region(tmp_path):
    path = _structures(tmp_path, {"ring": [square(1, 8), square(3, 6)]})
    found = read_masks(path, SERIES, STACK, patient_id="P01")
    assert found.notes == ("ring: contours inside another, read as holes: 1",)


def test_regions_of_one_name_are_told_apart(tmp_path):
    path = _structures(tmp_path, {"a": [square(2, 4)], "b": [square(5, 8)]})
    twice = pydicom.dcmread(path)
    twice.StructureSetROISequence[1].ROIName = "a"
    twice.save_as(path)
    found = read_masks(path, SERIES, STACK, patient_id="P01")
    assert {name: int(mask.sum()) for name, mask in found.masks.items()} == {"a #1": 9, "a #2": 16}


def test_only_what_is_asked_for_is_read(tmp_path):
    path = _structures(tmp_path, {"a": [square(2, 4)], "b": [square(5, 8)], "empty": []})
    found = read_masks(path, SERIES, STACK, patient_id="P01", only=["b"])
    assert (list(found.masks), found.left) == (["b"], ())
    with pytest.raises(ImagingError, match=r"no region of this name \(value: c\).*It has: a, b, empty"):
        read_masks(path, SERIES, STACK, patient_id="P01", only=["c"])


def test_another_frame_of_reference_is_no_mask_of_this_series(tmp_path):
    path = _structures(tmp_path, {"a": [square(2, 4)]}, frame=uid("another"))
    (error,) = read_masks(path, SERIES, STACK, patient_id="P01").left
    assert error.reason == "mask in another frame of reference"
    assert uid("another") not in str(error)
    assert FRAME not in str(error)


@pytest.mark.parametrize(("frame", "own"), [(None, FRAME), (FRAME, None), (None, None)])
def test_without_a_frame_of_reference_contours_must_name_the_slices(tmp_path, frame, own):
    series, loops = replace(SERIES, frame_of_reference_uid=own), {"a": [square(2, 4)]}
    (error,) = read_masks(_structures(tmp_path, loops, frame=frame), series, STACK, patient_id="").left
    assert error.reason == "frame of reference of a mask unknown"
    named = _structures(tmp_path, loops, frame=frame, images=[uid("slice", 0)])
    assert read_masks(named, series, STACK, patient_id="").masks["a"].any()


def test_the_series_that_a_structure_set_names(tmp_path):
    def referring(*series):
        items = Sequence([dataset({"SeriesInstanceUID": one}) for one in series])
        study = Sequence([dataset({"RTReferencedSeriesSequence": items})])
        frames = Sequence([dataset({"RTReferencedStudySequence": study})])
        path = _structures(
            tmp_path, {"a": []}, ReferencedFrameOfReferenceSequence=frames, FrameOfReferenceUID=FRAME
        )
        return drawn_on(path, patient_id="")

    assert referring("1.2.3", "1.2.3").series_uid == "1.2.3"
    assert referring("1.2.3", "1.2.4").series_uid is None
    assert referring("1.2.3").frame_of_reference_uid == FRAME
    assert referring("1.2.3").structures
    with pytest.raises(ImagingError, match="file of masks unreadable"):
        drawn_on(tmp_path / "absent.dcm", patient_id="")


def test_a_segmentation_must_share_the_frame_of_reference(tmp_path):
    write_ct(tmp_path / "ct")
    (series,) = walk(tmp_path / "ct", workers=0).series
    stack = build_stack(series, patient_id="")
    masks = {"a": np.ones(stack.grid.shape, dtype=bool)}
    path = write_seg(masks, series, stack, tmp_path / "seg.dcm", made_by=MadeBy("manual"), patient_id="")
    assert drawn_on(path, patient_id="").series_uid == series.uid
    assert read_masks(path, series, stack, patient_id="").masks["a"].all()
    other = replace(series, frame_of_reference_uid=uid("another"))
    with pytest.raises(ImagingError, match="mask in another frame of reference"):
        read_masks(path, other, stack, patient_id="P01")
    unknown = replace(series, frame_of_reference_uid=None)
    assert read_masks(path, unknown, stack, patient_id="").masks["a"].all()
    with pytest.raises(ImagingError, match="frame of reference of a mask unknown"):
        read_masks(path, replace(unknown, uid="1.2.9"), stack, patient_id="P01")
