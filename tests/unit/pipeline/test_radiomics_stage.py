"""`engram radiomics` on a small cohort, with a command that answers as the real one does."""

from __future__ import annotations

import csv
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from engram.cohort.manifest import read_manifest
from engram.config import StudyConfig
from engram.errors import CohortError, ConfigError, StorageError
from engram.files import file_digest
from engram.pipeline.console import Silent
from engram.pipeline.folders import RunFolder
from engram.pipeline.radiomics import RadiomicsMade, RadiomicsOptions, radiomics
from engram.pipeline.radiomics_table import load_radiomics
from engram.pipeline.study_table import study_table
from engram.table import EmbeddingKey

FAKE = """#!{python}
import array, gzip, json, os, sys
assert sys.argv[1] == "-I"
if sys.argv[2] == "-c":
    sys.stdout.write(os.environ.get("FAKE_VERSION", "2.7.0"))
    sys.exit()
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write("call\\n")
mode, made = os.environ.get("FAKE_MODE", ""), {{}}
if mode == "fail":
    print("MemoryError: too large")
    sys.exit(3)
for item in json.load(open(sys.argv[3])):
    image, mask = (gzip.open(item[name]).read()[352:] for name in ("image", "mask"))
    inside = [value for value, kept in zip(array.array("f", image), mask, strict=True) if kept]
    mean = sum(inside) / len(inside)
    ct = item["settings"]["image_modality"] == "ct"
    features = {{"stat_mean": mean, "morph_n": len(inside), "cm_x": None if ct else 2.5}}
    bad = mode == "bad" and ct and mean > 250
    if mode != "lose" or ct:
        made[item["name"]] = {{"error": "ValueError: too few voxels"}} if bad else {{"features": features}}
json.dump(made, open(sys.argv[4], "w"))
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "bin" / "python"
    path.parent.mkdir()
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls"))
    for name in ("ENGRAM_MIRP", "FAKE_MODE", "FAKE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    return str(path)


@pytest.fixture
def study(made: Any) -> Any:
    """Two patients are enough."""
    made.rows[:] = made.rows[:2]
    return made


@pytest.fixture
def run(study: Any, command: str) -> Callable[..., RadiomicsMade]:
    def _run(**sections: Any) -> RadiomicsMade:
        return radiomics(config(study, **sections), RadiomicsOptions(command), Silent())

    return _run


def config(study: Any, **sections: Any) -> StudyConfig:
    found: StudyConfig = study.config(models={"baselines": ["radiomics"]}, **sections)
    return found


def calls(study: Any) -> int:
    path = study.folder / "calls"
    return len(path.read_text().splitlines()) if path.exists() else 0


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def spoil(study: Any, bone_hu: int) -> None:
    """Another CT of P1."""
    voxels = np.random.default_rng(1).integers(-1000, 500, (6, 12, 12)).astype(np.int16)
    voxels[1:5, 4:8, 4:8] = bone_hu
    study.write(voxels, "1_ct.nii.gz")


def test_every_region_of_every_scan_has_a_line_with_the_numbers_of_its_own_voxels(study: Any, run: Any) -> None:
    found = run()
    assert (len(found.made), len(found.kept), found.failed) == (2, 0, ())
    table = lines(found.table)
    assert [(row["patient_id"], row["roi"], row["modality"]) for row in table[:4]] == [
        ("P0", "spine", "PET"), ("P0", "spine", "CT"), ("P0", "tumour", "PET"), ("P0", "tumour", "CT")
    ]  # fmt: skip
    inside = sitk.GetArrayFromImage(sitk.ReadImage(str(study.folder / "0_tumour.nii.gz"))) > 0
    for row, name in ((table[2], "0_pet"), (table[3], "0_ct")):
        voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(study.folder / f"{name}.nii.gz")))
        assert float(row["stat_mean"]) == pytest.approx(voxels[inside].mean(), rel=1e-5)
        assert int(float(row["morph_n"])) == inside.sum()
    assert (table[2]["cm_x"], table[3]["cm_x"]) == ("2.5", "")
    about = json.loads(found.table.with_suffix(".json").read_text())
    assert about["tool"] == "MIRP 2.7.0"
    assert about["settings"]["CT"]["base_discretisation_bin_width"] == 25.0


def test_the_table_becomes_arrays_in_the_order_that_is_asked_for(study: Any, run: Any) -> None:
    run()
    loaded = load_radiomics(config(study), ["P1", "P0"])
    assert loaded.absent == {}
    ct = loaded.arrays[EmbeddingKey("CT", "tumour", "radiomics")]
    assert ct.dtype == np.float32
    assert ct.shape == (2, 3)
    assert np.isnan(ct[:, 2]).all()
    table = {
        (row["patient_id"], row["roi"], row["modality"]): row
        for row in lines(RunFolder.of(config(study)).radiomics)
    }
    assert ct[0, 0] == pytest.approx(float(table["P1", "tumour", "CT"]["stat_mean"]))


def test_what_is_done_is_kept_until_an_image_a_setting_or_the_version_changes(
    study: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run().table.read_bytes()
    again = run()
    assert (len(again.made), len(again.kept), calls(study)) == (0, 2, 2)
    assert again.table.read_bytes() == first
    spoil(study, 40)
    assert run().made == ("P1",)
    assert len(run(radiomics={"ct_bin_hu": 10}).made) == 2
    monkeypatch.setenv("FAKE_VERSION", "2.8.0")
    assert len(run().made) == 2


def test_a_bad_region_is_named_and_the_others_go_on(study: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(study, 300)
    monkeypatch.setenv("FAKE_MODE", "bad")
    found = run()
    failed = [str(error) for error in found.failed if error.patient_id == "P1"]
    assert any("no radiomics of CT, tumour" in text and "too few voxels" in text for text in failed)
    table = {(row["patient_id"], row["roi"], row["modality"]) for row in lines(found.table)}
    assert ("P1", "tumour", "PET") in table
    assert ("P1", "tumour", "CT") not in table
    monkeypatch.delenv("FAKE_MODE")
    assert "P1" in run().made  # what was not whole is tried again


def test_a_run_that_fails_or_loses_a_region_is_an_error_of_its_patient(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "fail")
    assert all("radiomics tool failed" in str(e) and "too large" in str(e) for e in run().failed)
    monkeypatch.setenv("FAKE_MODE", "lose")
    found = run()
    assert [error.patient_id for error in found.failed] == ["P0", "P1"]
    assert "nothing of PET, spine; PET, tumour" in str(found.failed[0])


def test_features_of_other_files_settings_or_hands_are_refused(study: Any, run: Any) -> None:
    table = run().table
    about = json.loads(table.with_suffix(".json").read_text())["digests"]
    load_radiomics(config(study), ["P0"], about)
    with pytest.raises(CohortError, match="P0: images were replaced"):
        load_radiomics(config(study), ["P0"], {"P0": {**about["P0"], "ct": "another"}})
    with pytest.raises(CohortError, match="settings of the study file have changed"):
        load_radiomics(config(study, radiomics={"resample_mm": 3}), ["P0"])
    table.write_text(table.read_text().replace("2.5", "2.6"))
    with pytest.raises(StorageError, match="was altered"):
        load_radiomics(config(study), ["P0"])


def test_without_a_table_rows_are_told_why_and_other_studies_are_left_alone(study: Any) -> None:
    loaded = load_radiomics(config(study), ["P0"])
    assert set(loaded.absent) == {
        EmbeddingKey(m, r, "radiomics") for m in ("PET", "CT") for r in ("spine", "tumour")
    }
    assert set(loaded.absent.values()) == {"features absent: run 'engram radiomics' or set radiomics.table"}
    assert load_radiomics(study.config(models={"baselines": []}), ["P0"]) == ({}, {}, None)


def test_the_study_table_holds_them_or_why_it_does_not(study: Any, run: Any) -> None:
    asked = config(study)
    records, key = read_manifest(asked).records, EmbeddingKey("PET", "spine", "radiomics")
    before = study_table(asked, records, None, radiomics=load_radiomics(asked, ["P0", "P1"]))
    assert "run 'engram radiomics'" in before.absent[key]
    assert key not in before.table.features.embeddings
    run()
    after = study_table(asked, records, None, radiomics=load_radiomics(asked, ["P0", "P1"]))
    assert key not in after.absent
    assert after.table.features.embeddings[key].shape == (2, 3)


def test_a_study_that_cannot_have_them_is_refused_before_any_work(study: Any, run: Any) -> None:
    with pytest.raises(ConfigError, match="leave it out to have one made"):
        run(radiomics={"table": "mine.csv"})
    assert calls(study) == 0


def test_what_made_them_goes_with_the_results(study: Any, run: Any) -> None:
    found, changed = run(radiomics={"resample_mm": None, "features": 4}), {"resample_mm": None, "features": 4}
    made = load_radiomics(config(study, radiomics=changed), ["P0", "P1"]).made
    assert made is not None
    assert (made.tool, made.features, made.digest) == ("MIRP 2.7.0", 4, file_digest(found.table))
    assert made.settings["CT"] == "voxels as they were reconstructed, grey levels of 25 HU"
    run()
    made = load_radiomics(config(study), ["P0", "P1"]).made
    assert made is not None
    assert made.settings["PET"] == "voxels of 2 mm, grey levels of SUV 0.5"
