"""A cohort that cannot be analysed, a patient that cannot be used: what the user is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from e2e_support import Engram, change


def test_bad_patients_are_all_named_and_the_others_go_on(cohort: Path, engram: Engram) -> None:
    table = pd.read_csv(cohort.parent / "cohort.csv", dtype=str)
    table.loc[0, "pfs_months"] = "0"
    table.loc[1, "progression"] = "2"
    (cohort.parent / table.loc[2, "ct"]).write_bytes(b"not an image")
    table.to_csv(cohort.parent / "cohort.csv", index=False)
    done = engram("check", cohort)
    assert done.returncode == 0, done.stderr
    assert "6 of 15 patients can be analysed" in done.stdout
    for row, words in [(2, "value: 0"), (3, "value: 2"), (4, "CT unreadable")]:
        (line,) = [line for line in done.stdout.splitlines() if f"row {row}," in line]
        assert line.startswith(f"left out: patient {table.loc[row - 2, 'patient_id']}: ")
        assert words in line


def test_a_cohort_of_censored_patients_is_refused_after_its_problems_are_listed(
    cohort: Path, engram: Engram
) -> None:
    table = pd.read_csv(cohort.parent / "cohort.csv", dtype=str)
    table["progression"] = table["progression"].where(table["progression"].isna(), "0")
    table.to_csv(cohort.parent / "cohort.csv", index=False)
    done = engram("run", cohort)
    assert done.returncode == 1
    assert done.stdout.count("left out: patient") >= 6
    assert "all 9 patients are censored" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (cohort.parent / "results" / "store").exists()


def test_every_wrong_field_of_a_study_file_is_named_at_once(cohort: Path, engram: Engram) -> None:
    outcome = {"time": "pfs_months", "unit": "fortnights", "event": "progression"}
    change(cohort, outcome=outcome, folds=7, training={"dropout": 2})
    done = engram("check", cohort)
    assert done.returncode == 1
    for words in (
        "3 problem(s)",
        "outcome.unit: unknown unit 'fortnights'",
        "folds: unknown field; 'folds' belongs under 'evaluation'",
        "training.dropout",
    ):
        assert words in done.stderr


def test_one_scan_under_two_names_leaves_both_out(cohort: Path, engram: Engram) -> None:
    table = pd.read_csv(cohort.parent / "cohort.csv", dtype=str)
    shutil.copyfile(cohort.parent / table.loc[0, "pet"], cohort.parent / table.loc[1, "pet"])
    shutil.copyfile(cohort.parent / table.loc[2, "ct"], cohort.parent / table.loc[2, "pet"])
    done = engram("check", cohort)
    assert "6 of 15 patients can be analysed" in done.stdout
    assert done.stdout.count("scan identical to another") == 3
    for row, value in [
        (2, "PET has the voxels of row 3"),
        (3, "PET has the voxels of row 2"),
        (4, "CT has the voxels of the PET of the same patient; PET has the voxels of the CT of the same patient"),
    ]:
        assert f"scan identical to another (value: {value}) in row {row}, column" in done.stdout


def test_an_output_that_is_a_file_is_named_before_anything_is_read(cohort: Path, engram: Engram) -> None:
    (cohort.parent / "results").write_text("")
    done = engram("run", cohort)
    assert done.returncode == 1
    assert f"{cohort.parent / 'results'}: cannot be made a folder" in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named_before_any_image_is_read(cohort: Path, engram: Engram) -> None:
    change(cohort, embedding={"device": "cuda"})
    done = engram("check", cohort)
    assert done.returncode == 1
    assert "device 'cuda': PyTorch" in done.stderr
    assert "Reading images" not in done.stdout


def test_weights_that_are_not_there_are_named_before_any_image_is_read(cohort: Path, engram: Engram) -> None:
    change(cohort, embedding={"weights": "MedSAM2_latest.pt"})
    done = engram("check", cohort)
    assert done.returncode == 1
    assert f"{cohort.parent / 'MedSAM2_latest.pt'}: no such file or folder. Give an official" in done.stderr
    assert "Reading images" not in done.stdout


def test_a_checkpoint_of_another_architecture_stops_before_any_work(cohort: Path, engram: Engram) -> None:
    import torch

    torch.save({"model": {"conv1.weight": torch.zeros(3)}}, cohort.parent / "resnet.pt")
    change(cohort, embedding={"weights": "resnet.pt"})
    done = engram("embed", cohort)
    assert done.returncode == 1
    assert "resnet.pt: not a SAM 2 / MedSAM2 checkpoint: it has no tensor named image_encoder" in done.stderr
