"""A table of features made elsewhere: every fault is named with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engram.config import StudyConfig
from engram.errors import ConfigError, ManifestError
from engram.pipeline.radiomics_table import LoadedRadiomics, load_radiomics
from engram.table import EmbeddingKey

GOOD = ["A,spine,CT,1.5,1e14", "A,spine,PET,2,", "B,spine,CT,-3,7", "B,spine,PET,NA,8"]


@pytest.fixture
def load(tmp_path: Path) -> Any:
    (tmp_path / "cohort.csv").write_text("patient_id,t,e\nA,1,1\nB,2,1\nC,3,0\n")
    body = {
        "name": "s", "manifest": "cohort.csv", "output": "out", "folder": tmp_path, "images": {},
        "outcome": {"time": "t", "unit": "months", "event": "e"}, "rois": {"spine": {"mask": "m"}},
        "models": {"baselines": ["radiomics"]}, "radiomics": {"table": "mine.csv"},
    }  # fmt: skip

    def _load(*lines: str, header: str = "patient_id,roi,modality,stat_mean,szm_lzhge") -> LoadedRadiomics:
        (tmp_path / "mine.csv").write_text("\n".join([header, *lines]) + "\n")
        return load_radiomics(StudyConfig.model_validate(body), ["B", "A"])

    return _load


def test_numbers_are_read_as_they_are_and_gaps_are_nan(load: Any) -> None:
    arrays = load(*reversed(GOOD), "C,spine,CT,0,0", "A,liver,CT,0,0").arrays
    made = load(*GOOD).made
    assert (made.tool, made.settings, made.features, len(made.digest)) == (None, {}, 10, 64)
    ct, pet = (arrays[EmbeddingKey(modality, "spine", "radiomics")] for modality in ("CT", "PET"))
    np.testing.assert_array_equal(ct, np.array([[-3, 7], [1.5, 1e14]], dtype=np.float32))
    np.testing.assert_array_equal(pet, np.array([[np.nan, 8], [2, np.nan]], dtype=np.float32))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("D,spine,CT,1,1", r"row 6, D?.*column 'patient_id': no patient of the manifest \(value: 'D'\)"),
        ("A,spine,MR,1,1", r"row 6, A, column 'modality': no scan \(value: 'MR'\)"),
        ("A,spine,CT,1,1", r"row 6, A: a second line of CT, spine, after line 2"),
        ("C,spine,CT,high,1", r"row 6, C, column 'stat_mean': no number \(value: 'high'\)"),
        ("C,spine,CT,1,inf", r"row 6, C, column 'szm_lzhge': no number \(value: 'inf'\)"),
        ("C,spine,CT,1,1e31", r"row 6, C, column 'szm_lzhge': no number"),
    ],
)
def test_a_wrong_line_is_told_with_its_place(load: Any, line: str, told: str) -> None:
    with pytest.raises(ManifestError, match=told):
        load(*GOOD, line)


def test_every_analysed_patient_needs_a_line_of_each_region_and_scan(load: Any) -> None:
    with pytest.raises(ManifestError, match=r"B: no line of PET, spine"):
        load(*GOOD[:3])


def test_a_table_needs_its_columns_and_a_feature(load: Any, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="the column roi is not there"):
        load("A,CT,1", header="patient_id,modality,stat_mean")
    with pytest.raises(ManifestError, match="no features"):
        load("A,spine,CT", header="patient_id,roi,modality")
    load(*GOOD)
    (tmp_path / "mine.csv").unlink()
    config = StudyConfig.model_validate(
        {
            "name": "s", "manifest": "cohort.csv", "output": "out", "folder": tmp_path, "images": {},
            "outcome": {"time": "t", "unit": "months", "event": "e"}, "rois": {"spine": {"mask": "m"}},
            "models": {"baselines": ["radiomics"]}, "radiomics": {"table": "mine.csv"},
        }
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"radiomics.table: .*mine.csv is not there"):
        load_radiomics(config, ["A"])
