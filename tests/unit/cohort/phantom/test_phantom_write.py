"""The folder of a synthetic cohort: whole or to be gone on with, the same bytes every time."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from engram.cohort.phantom import FAULTS, PhantomSettings, write_cohort
from engram.config import load_config
from engram.errors import StorageError

SMALL = PhantomSettings(n_patients=3, ct_spacing_mm=(20, 10, 10), pet_spacing_mm=(20, 12, 12))


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def image_times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "images").glob("*.nii.gz")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phantom")
    write_cohort(path, SMALL)
    return path


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)


def test_the_study_file_is_valid_and_names_columns_that_exist(folder: Path) -> None:
    config = load_config(folder / "study.yaml")
    columns = set(table(folder).columns)
    assert config.truth is not None
    assert config.images is not None
    named = {config.patient_id, config.outcome.time, config.outcome.event, *config.covariates}
    named |= {config.truth.clinical, config.truth.imaging, config.truth.total}
    assert named | {config.images.ct, config.images.pet, str(config.images.labels)} == columns
    assert {roi.region for roi in config.rois.values()} == {"spine_dilated", "skeleton"}
    assert config.models.stage == "r_iss"
    assert config.resolve(config.manifest) == folder / "cohort.csv"


def test_values_of_categorical_covariates_are_the_declared_levels(folder: Path) -> None:
    for name, covariate in load_config(folder / "study.yaml").covariates.items():
        if covariate.levels:
            assert set(table(folder)[name]) <= {*covariate.levels, ""}


def test_images_share_a_world_but_not_a_grid(folder: Path) -> None:
    ct, pet, labels = (
        sitk.ReadImage(str(folder / "images" / f"P0001_{kind}.nii.gz")) for kind in ("ct", "pet", "labels")
    )
    assert ct.GetSpacing() == pytest.approx((10, 10, 20))
    assert pet.GetSpacing() == pytest.approx((12, 12, 20))
    assert ct.GetOrigin() == pytest.approx(labels.GetOrigin())
    assert ct.GetOrigin() != pytest.approx(pet.GetOrigin())
    assert ct.GetDirection() == pytest.approx((1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert ct.GetPixelID() == sitk.sitkInt16
    assert pet.GetPixelID() == sitk.sitkFloat32
    assert labels.GetPixelID() == sitk.sitkUInt8
    # Resampled to the CT grid, the brain of the PET lies on the brain of the labels.
    moved = sitk.GetArrayFromImage(sitk.Resample(pet, ct, sitk.Transform(), sitk.sitkLinear, 0.0))
    brain = sitk.GetArrayFromImage(labels) == 90
    assert np.median(moved[brain]) > 6


def test_each_kind_of_fault_is_there_once_and_the_rest_is_whole(folder: Path) -> None:
    rows = table(folder).set_index("patient_id")
    assert len(rows) == 3 + len(FAULTS)
    no_pet, elsewhere, no_bones, no_clinical, *no_outcome = rows.index[3:]
    assert not (folder / rows.loc[no_pet, "pet"]).exists()
    assert (folder / rows.loc[no_pet, "ct"]).exists()
    far = sitk.ReadImage(str(folder / rows.loc[elsewhere, "pet"])).GetOrigin()[2]
    near = sitk.ReadImage(str(folder / rows.loc[elsewhere, "ct"])).GetOrigin()[2]
    assert abs(far - near) > 2000
    found = np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(folder / rows.loc[no_bones, "labels"]))))
    assert 5 in found
    assert not ((found >= 25) & (found <= 50)).any()
    assert not ((found >= 91) & (found <= 116)).any()
    assert (rows.loc[no_clinical, "age":"creatinine_clearance"] == "").all()
    assert (rows.loc[no_outcome, ["pfs_months", "progression"]] == "").all(axis=None)
    whole = rows.iloc[:3]
    assert (whole[["age", "sex", "pfs_months", "progression"]] != "").all(axis=None)
    for kind in ("ct", "pet", "labels"):
        assert all((folder / name).exists() for name in whole[kind])


def test_without_faults_there_are_n_patients(tmp_path: Path) -> None:
    write_cohort(tmp_path, replace(SMALL, n_patients=2, faults=False))
    assert len(table(tmp_path)) == 2


def test_the_same_settings_give_the_same_bytes_with_any_number_of_workers(folder: Path, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    write_cohort(tmp_path, SMALL, workers=2, progress=lambda k, n: done.append((k, n)))
    assert contents(tmp_path) == contents(folder)
    assert done == sorted(set(done))  # on a busy machine two may be done at one look
    assert done[-1] == (9, 9)


def test_another_seed_gives_other_patients(folder: Path, tmp_path: Path) -> None:
    write_cohort(tmp_path, replace(SMALL, n_patients=2, seed=1, faults=False))
    mine, other = contents(tmp_path), contents(folder)
    assert all(mine[name] != other[name] for name in mine)


def test_a_second_run_makes_nothing_again_and_a_larger_cohort_only_what_is_new(tmp_path: Path) -> None:
    small = replace(SMALL, n_patients=2, faults=False)
    write_cohort(tmp_path, small)
    before = image_times(tmp_path)
    write_cohort(tmp_path, small)
    assert image_times(tmp_path) == before
    write_cohort(tmp_path, replace(small, n_patients=3))
    after = image_times(tmp_path)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 3


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, _total: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        write_cohort(tmp_path, SMALL, progress=kill)
    assert not (tmp_path / "study.yaml").exists()  # no study file before the cohort is whole
    (tmp_path / "images" / "P0002_ct.nii.gz").write_bytes(b"cut off")
    kept = image_times(tmp_path)
    write_cohort(tmp_path, SMALL)
    assert contents(tmp_path) == contents(folder)
    assert image_times(tmp_path)["P0001_ct.nii.gz"] == kept["P0001_ct.nii.gz"]


def test_patients_of_other_settings_are_made_again(tmp_path: Path) -> None:
    first = replace(SMALL, n_patients=2, faults=False)
    write_cohort(tmp_path, first)
    before = contents(tmp_path)
    write_cohort(tmp_path, replace(first, lesion_site="spine", ct_spacing_mm=(20, 12, 12)))
    assert contents(tmp_path)["images/P0001_ct.nii.gz"] != before["images/P0001_ct.nii.gz"]
    write_cohort(tmp_path, first)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("change", [{"seed": 5}, {"ct_spacing_mm": (20, 12, 12)}, {"lesion_site": "spine"}])
def test_a_study_file_never_stands_beside_images_of_other_settings(
    tmp_path: Path, change: dict[str, object]
) -> None:
    first = replace(SMALL, n_patients=2, faults=False)
    write_cohort(tmp_path, first)

    def kill(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cohort(tmp_path, replace(first, **change), progress=kill)
    assert not (tmp_path / "study.yaml").exists()


@pytest.mark.parametrize("name", ["study.yaml", "cohort.csv"])
def test_somebody_elses_study_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("name: my years of work\n")
    with pytest.raises(StorageError, match="not overwritten"):
        write_cohort(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        write_cohort(tmp_path / "taken", SMALL)
