"""What is searched for each kind of row, and how values become settings."""

import pytest
from pydantic import ValidationError

from engram.config_models import Training
from engram.evaluation.rows import RowSpec
from engram.evaluation.search_space import has_map_head, own_values, settings_of, space_of

BASE = Training()


def row(head="-", survival="DeepSurv", family="image"):
    return RowSpec("a row", family, "PET", "spine", "final", head, "-", survival)


def names(spec, base=BASE):
    return [parameter.name for parameter in space_of(spec, base)]


def test_each_kind_of_row_has_its_space():
    deepsurv = ["layers", "width", "dropout", "learning_rate", "weight_decay", "clip_norm", "norm", "schedule"]
    assert names(row(survival="ridge Cox")) == ["cox_penalty"]
    assert names(row("PCA", "ridge Cox")) == ["cox_penalty", "components"]
    assert names(row("selection", "ridge Cox")) == ["cox_penalty"], "chosen numbers have no components"
    assert names(row("selection")) == deepsurv
    assert not has_map_head(row("selection"))
    assert names(row()) == deepsurv
    assert names(row("PCA")) == ["components", *deepsurv]
    assert names(row("averaging")) == [*deepsurv, "embedding_dropout"]
    assert names(row("flatten")) == ["learning_rate", "weight_decay", "clip_norm", "schedule", "embedding_dropout"]
    assert names(row("attention")) == [*deepsurv, "embedding_dropout", "attention_base", "attention_out"]


def test_an_explicit_penalty_is_searched_in_place_of_weight_decay():
    base = Training(weight_decay=0, l2=1e-3)
    assert "l2" in names(row(), base)
    assert "weight_decay" not in names(row(), base)
    assert settings_of({"l2": 0.5}, base).l2 == 0.5


def test_values_become_settings_and_leave_the_rest_alone():
    values = {"layers": 2, "width": 16, "dropout": 0.1, "norm": "layer", "schedule": "step"}
    found = settings_of(values, Training(patience=7))
    assert (found.hidden, found.dropout, found.norm, found.schedule) == ((16, 16), 0.1, "layer", "step")
    assert (found.patience, found.learning_rate) == (7, BASE.learning_rate)
    assert settings_of({"layers": 0, "width": 16}, BASE).hidden == ()


def test_values_that_no_study_file_may_hold_are_refused():
    with pytest.raises(ValidationError):
        settings_of({"dropout": 1.5}, BASE)
    with pytest.raises(ValidationError):
        settings_of({"dropuot": 0.5}, BASE)


def test_own_values_say_what_the_study_file_says():
    own = own_values(space_of(row(), BASE), Training(hidden=(48, 24), dropout=0.7))
    assert (own["layers"], own["width"], own["dropout"]) == (2, "48 x 24", 0.7)
    assert own_values(space_of(row(), BASE), Training(hidden=(20, 20)))["width"] == 20
    assert own_values(space_of(row(), BASE), Training(hidden=()))["layers"] == 0


def test_heads_that_read_maps_are_told_from_the_rest():
    assert [has_map_head(row(head)) for head in ("averaging", "attention", "flatten")] == [True] * 3
    assert [has_map_head(row(head)) for head in ("-", "PCA")] == [False] * 2
    assert not has_map_head(row("PCA", "ridge Cox"))
