"""Which rows a study file gives."""

import pytest

from engram.errors import ConfigError
from engram.evaluation.rows import rows_of


def test_all_rows_of_two_regions(make_config):
    rows = rows_of(make_config(rois={"spine": {"mask": "m"}, "skeleton": {"mask": "k"}}))
    assert len(rows) == 2 + 6 + 6
    assert len({row.name for row in rows}) == len(rows)
    names = [row.name for row in rows]
    assert names[:4] == ["Clinical, ridge Cox", "Clinical, DeepSurv", "PET, spine", "CT, spine"]
    assert "PET + clinical, spine" in names
    assert "PET + CT + clinical, skeleton" in names


def test_parts_of_a_row(make_config):
    rows = {row.name: row for row in rows_of(make_config())}
    assert rows["PET, spine"].fusion == "-"
    assert rows["PET + CT, spine"].fusion == "concatenation"
    assert rows["PET + CT, spine"].modalities == ("PET", "CT")
    assert rows["PET + clinical, spine"].fusion == "concatenation"
    assert rows["Clinical, DeepSurv"].modalities == ()
    assert [rows[n].sees_clinical for n in ("PET, spine", "PET + clinical, spine", "Clinical, DeepSurv")] == [
        False,
        True,
        True,
    ]


def test_no_covariates_and_chosen_origins(make_config):
    rows = rows_of(make_config(covariates={}, models={"origins": ["CT"]}))
    assert [row.name for row in rows] == ["CT, spine"]


def test_without_images_only_clinical_rows(make_config):
    assert len(rows_of(make_config(images=None, rois={}))) == 2


def test_no_row_is_refused(make_config):
    with pytest.raises(ConfigError, match="no model is left"):
        rows_of(make_config(covariates={}, models={"families": ["clinical"]}))
