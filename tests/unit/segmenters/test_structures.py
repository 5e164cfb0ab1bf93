"""One mask a structure, as TotalSegmentator writes them, to the label map that its --ml would have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engram.errors import ConfigError, ImagingError
from engram.imaging.volume import Grid, read_oriented
from engram.imaging.write import write_nifti
from engram.pipeline.import_folders import FolderOptions, import_folder, parse_channels
from engram.roi.labels import label_scheme
from engram.roi.masks import read_label_map
from engram.segmenters.structures import merge_structures, structure_files

ANATOMY = Path(__file__).resolve().parents[4] / "shared" / "data" / "ct_anatomy"
GRID = Grid((4, 5, 6), (3.0, 2.0, 2.0))


def save(folder: Path, name: str, rows: slice, value: int = 1, grid: Grid = GRID) -> Path:
    mask = np.zeros(grid.shape, np.uint8)
    mask[:, rows] = value
    return write_nifti(mask, grid, folder / f"{name}.nii.gz")


def test_structures_become_one_map(tmp_path: Path) -> None:
    for index, name in enumerate(("vertebrae_L5", "sacrum", "liver", "tibia")):
        save(tmp_path, name, slice(index, index + 1))
    save(tmp_path, "spleen", slice(4, 5))
    found = structure_files(tmp_path)
    assert {scheme: set(masks) for scheme, masks in found.items()} == {
        "totalsegmentator-2/total": {"vertebrae_L5", "sacrum", "liver"},
        "totalsegmentator-2/appendicular_bones": {"tibia"},
    }
    scheme = "totalsegmentator-2/total"
    path = merge_structures(found[scheme], scheme, tmp_path / "out" / "a.nii.gz", patient_id="P")
    bones = read_label_map(path, grid=GRID, patient_id="P", scheme=scheme)
    assert tuple(bones.boxes()) == ("vertebrae_L5", "sacrum", "liver")
    assert bones.mask(["sacrum"])[:, 1].all()


def test_a_sixth_lumbar_vertebra_is_of_v3(tmp_path: Path) -> None:
    save(tmp_path, "vertebrae_L6", slice(0, 1))
    assert list(structure_files(tmp_path)) == ["totalsegmentator-2/total_v3"]


def test_what_one_run_cannot_write_is_refused(tmp_path: Path) -> None:
    first, scheme = save(tmp_path, "hip_left", slice(0, 2)), "totalsegmentator-2/total"
    over, other = save(tmp_path, "hip_right", slice(1, 3)), Grid((4, 5, 6), (3.0, 2.0, 2.0), (9.0, 0.0, 0.0))
    out = tmp_path / "out.nii.gz"
    with pytest.raises(ImagingError, match=r"overlap \(value: 24 voxels\).*hip_right"):
        merge_structures({"hip_left": first, "hip_right": over}, scheme, out, patient_id="P")
    moved = save(tmp_path, "sacrum", slice(3, 4), grid=other)
    with pytest.raises(ImagingError, match="several grids"):
        merge_structures({"hip_left": first, "sacrum": moved}, scheme, out, patient_id="P")
    mask = np.zeros(GRID.shape, np.uint8)
    mask[0, 0, :2] = (1, 2)
    several = write_nifti(mask, GRID, tmp_path / "femur_left.nii.gz")
    with pytest.raises(ImagingError, match=r"several values \(value: 1, 2\)"):
        merge_structures({"femur_left": several}, scheme, out, patient_id="P")
    assert not out.exists()


def test_a_subject_folder_with_structures(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "S.1"
    save(folder, "CT_S1", slice(0, 3), 60)
    save(folder / "segmentations", "vertebrae_L5", slice(0, 1))
    (patient,) = import_folder(tmp_path / "data", "moose", tmp_path / "labels").patients
    path = patient.labels["totalsegmentator-2/total"]
    assert path == tmp_path / "labels" / "S%2E1.totalsegmentator-2.total.nii.gz"
    assert int(read_oriented(path, patient_id="", what="map").voxels.max()) == 27


def test_versions_of_the_user_choose_the_tables(tmp_path: Path) -> None:
    folder = tmp_path / "S1"
    save(folder, "CT_S1", slice(0, 3), 60)
    run = folder / "moosez-clin_ct_peripheral_bones-2024-01-31-12-00-00" / "segmentations"
    save(run, "CT_Peripheral_bones_CT_S1", slice(0, 1))
    for version, scheme in (("2.2.30", "moose-2"), ("3.0.3", "moose-3")):
        (patient,) = import_folder(tmp_path, "moose", tmp_path / "x", FolderOptions(moose_version=version)).patients
        assert list(patient.labels) == [f"{scheme}/clin_ct_peripheral_bones"]
    left = import_folder(tmp_path, "moose", tmp_path / "x", FolderOptions(moose_version="9.9")).left
    assert "no label table for task 'clin_ct_peripheral_bones' of moose 9.9" in left[0].reason


def test_channels_as_typed() -> None:
    assert parse_channels("0=CT, 1=pet") == {0: "CT", 1: "PET"}
    for text in ("CT,PET", "0=MR", "0=CT,0=PET", ""):
        with pytest.raises(ConfigError, match="write each channel once"):
            parse_channels(text)


@pytest.mark.skipif(not ANATOMY.is_dir(), reason="needs ../shared/data/ct_anatomy")
def test_a_real_map_taken_apart_is_put_together_again(tmp_path: Path) -> None:
    scheme = "totalsegmentator-2/total"
    whole = read_oriented(ANATOMY / "abdomen_small_seg.nii.gz", patient_id="", what="map")
    values = label_scheme(scheme).values
    for value, name in values.items():
        if (whole.voxels == value).any():
            write_nifti(whole.voxels == value, whole.grid, tmp_path / "masks" / f"{name}.nii.gz")
    masks = structure_files(tmp_path / "masks")[scheme]
    path = merge_structures(masks, scheme, tmp_path / "out.nii.gz", patient_id="P")
    made = read_oriented(path, patient_id="", what="map")
    assert made.grid.matches(whole.grid)
    np.testing.assert_array_equal(made.voxels, np.where(np.isin(whole.voxels, list(values)), whole.voxels, 0))
