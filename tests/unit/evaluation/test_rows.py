"""Which rows a study file gives."""

from typing import get_args

import pytest

from engram.config_embedding import ReadOutName
from engram.errors import ConfigError
from engram.evaluation.preprocess import keys_of
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


def test_rows_of_other_read_outs_follow_and_leave_the_names_of_the_paper_s_as_they_were(make_config):
    """A seed is made of the name: another name would be another result."""
    rois = {"spine": {"mask": "m"}}
    paper = rows_of(make_config(rois=rois))
    assert [row.name for row in paper] == [
        "Clinical, ridge Cox",
        "Clinical, DeepSurv",
        "PET, spine",
        "CT, spine",
        "PET + CT, spine",
        "PET + clinical, spine",
        "CT + clinical, spine",
        "PET + CT + clinical, spine",
    ]
    rows = rows_of(make_config(rois=rois, embedding={"readouts": ["volume", "final", "volume_map"]}))
    assert rows[:8] == paper
    assert [row.name for row in rows[8:]] == [
        f"{row.name}, {r}" for r in ("volume", "volume_map") for row in paper[2:]
    ]


def test_maps_go_to_the_cnn_and_vectors_to_ridge_cox(make_config):
    config = make_config(
        images={"labels": "bones", "label_scheme": "totalsegmentator-2/total"},
        embedding={"readouts": list(get_args(ReadOutName))},
    )
    rows = rows_of(config)
    assert len(rows) == 2 + 9 * 6
    for row in rows[2:]:
        expected = ("averaging", "DeepSurv") if row.readout in ("final", "volume_map") else ("PCA", "ridge Cox")
        assert (row.head, row.survival) == expected
    named = {row.name: row for row in rows}
    assert keys_of(named["PET + CT, spine, roi"]) == (("PET", "spine", "roi"), ("CT", "spine", "roi"))
    assert keys_of(named["CT, spine"]) == (("CT", "spine", "final"),)
    assert named["Clinical, ridge Cox"].readout == "-"
    assert named["PET, spine, area"].fusion == "-"
    assert named["PET + clinical, spine, area"].fusion == "concatenation"


def test_two_rows_of_one_name_are_refused(make_config):
    rois = {"spine": {"mask": "m"}, "spine, volume": {"mask": "k"}}
    with pytest.raises(ConfigError, match=r"'PET, spine, volume'.*rename"):
        rows_of(make_config(rois=rois, embedding={"readouts": ["final", "volume"]}))


def test_without_images_only_clinical_rows(make_config):
    assert len(rows_of(make_config(images=None, rois={}))) == 2


def test_no_row_is_refused(make_config):
    with pytest.raises(ConfigError, match="no model is left"):
        rows_of(make_config(covariates={}, models={"families": ["clinical"]}))
