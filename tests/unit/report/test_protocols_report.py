"""How rows were tuned is said wherever their c-index stands, and rows that were not run have no numbers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_reader import Page
from whole_grid import ABSENT

from engram.errors import StorageError
from engram.evaluation.results import EncoderProvenance, StudyResults
from engram.report import labels, methods, protocols
from engram.report.consistency import check_results
from engram.report.formats import number, signed
from engram.report.page import write_report
from engram.report.tables import all_tables
from engram.report.tuning_tables import gap_in_words, tuned_in_words

PAPER_TABLES = ("table1_image_only", "table2_multimodal", "table3_comparison")


@pytest.mark.parametrize("name", PAPER_TABLES)
def test_both_protocols_stand_side_by_side(whole_study: StudyResults, name: str) -> None:
    table = all_tables(whole_study)[name]
    titles = [column.title for column in table.columns]
    assert titles[-2:] == [protocols.OPTIMISTIC, "Gap"]
    means = {number(row.mean): row.same_folds for row in whole_study.rows if row.mean is not None}
    for line in table.rows:
        if len(line) == len(titles):
            same = means[line[titles.index("c-index")]]
            assert same is not None
            assert line[-2:] == (number(same.mean), signed(same.gap))
    assert protocols.MEANINGS["nested"] in table.notes
    assert protocols.GAP in table.notes


def test_fixed_settings_need_no_words(synthetic_demo: StudyResults) -> None:
    for table in all_tables(synthetic_demo).values():
        assert not [note for note in table.notes if "tuned" in note or "Gap" in note]
        assert "Gap" not in [column.title for column in table.columns]
    assert "tuned" not in " ".join(methods.methods(synthetic_demo))
    assert not {"tuning", "tuning_ranges", "searches", "protocols"} & all_tables(synthetic_demo).keys()


def test_a_study_tuned_as_the_paper_is_called_optimistic(whole_study: StudyResults) -> None:
    rows = [row.model_copy(update={"protocol": "paper", "same_folds": None}) for row in whole_study.rows]
    results = whole_study.model_copy(update={"rows": rows, "searches": []})
    for name in PAPER_TABLES:
        assert protocols.MEANINGS["paper"] in all_tables(results)[name].notes
    assert "which is optimistic" in " ".join(methods.methods(results))


def test_rows_of_two_protocols_say_theirs(whole_study: StudyResults) -> None:
    first, *others = whole_study.rows
    rows = [first.model_copy(update={"protocol": "fixed", "same_folds": None}), *others]
    table = all_tables(whole_study.model_copy(update={"rows": rows}))["table3_comparison"]
    place = [column.title for column in table.columns].index("Protocol")
    said = {line[1]: line[place] for line in table.rows if len(line) == len(table.columns)}
    assert said[first.name] == "fixed settings"
    assert said["Clinical, DeepSurv"] == "tuned inside each training part"


def test_rows_that_were_not_run_end_their_table_with_the_reason(whole_study: StudyResults, tmp_path: Path) -> None:
    page = Page(write_report(whole_study, tmp_path).read_text(encoding="utf-8"))
    lines = page.sections["table1"].tables[0]
    absent = [line for line in lines if line[-1] == f"not run: {ABSENT}"]
    assert lines[-len(absent) :] == absent
    assert len(absent) == 6
    with (tmp_path / "tables" / "table1_image_only.csv").open(encoding="utf-8", newline="") as stream:
        saved = list(csv.reader(stream))
    assert saved[-1][: len(absent[-1])] == absent[-1]
    assert {len(line) for line in saved} == {len(lines[0])}


def test_rows_that_were_not_run_are_nowhere_else(whole_study: StudyResults) -> None:
    absent = {row.name for row in whole_study.rows if row.absent}
    for name, table in all_tables(whole_study).items():
        if name not in PAPER_TABLES:
            assert not absent & {line[0] for line in table.rows}, name
    assert labels.best(whole_study.rows, "image") is not None
    assert "ViT" not in " ".join(methods.methods(whole_study))


def test_the_comparison_has_the_best_of_each_baseline_and_says_of_how_many(whole_study: StudyResults) -> None:
    lines = all_tables(whole_study)["table3_comparison"].rows
    chosen = {line[2]: line[3] for line in lines if line[0] == "Image only"}
    assert chosen == {
        "MedSAM2": "best of 16", "ResNet-50": "best of 6", "ViT": "–", "Hiera alone": "best of 6",
        "radiomics": "best of 6", "–": "best of 2",
    }  # fmt: skip
    clinical = [line[1] for line in lines if line[0] == "Clinical only"]
    assert sorted(clinical) == ["Clinical, DeepSurv", "Clinical, ridge Cox", "R-ISS alone"]


def test_weights_of_a_baseline_are_called_what_they_are(whole_study: StudyResults) -> None:
    made = EncoderProvenance(
        weights="resnet50", digest="ab", untrained=True, verified=False, licence=None, reading="every slice"
    )
    rows = [row for row in whole_study.rows if row.readout == "resnet50"]
    for untrained, name in ((True, "ResNet-50 (untrained)"), (False, "ResNet-50 (not verified)")):
        encoders = {"resnet50": made.model_copy(update={"untrained": untrained})}
        provenance = whole_study.provenance.model_copy(update={"encoders": encoders})
        assert labels.encoder_name(rows[0], provenance) == name
        results = whole_study.model_copy(update={"provenance": provenance})
        assert labels.needs_untrained_label(results, rows) is untrained
    assert labels.encoder_name(rows[0], whole_study.provenance) == "ResNet-50"


def test_the_encoder_of_an_untrained_model_is_untrained(whole_study: StudyResults) -> None:
    made = whole_study.provenance.model_copy(update={"untrained_weights": True})
    results = whole_study.model_copy(update={"provenance": made})
    for readout, untrained in (("hiera", True), ("resnet50", False), ("radiomics", False), ("pet_numbers", False)):
        rows = [row for row in whole_study.rows if row.readout == readout]
        assert labels.needs_untrained_label(results, rows) is untrained


def test_the_gap_is_put_into_words(whole_study: StudyResults, synthetic_demo: StudyResults) -> None:
    said = gap_in_words(whole_study)
    assert said is not None
    assert "the c-index of 47 rows differs by +0.020 on average (from +0.020 to +0.020)" in said
    assert gap_in_words(synthetic_demo) is None


def test_methods_give_ranges_of_what_was_tuned_and_values_of_the_rest(
    whole_study: StudyResults, synthetic_demo: StudyResults
) -> None:
    text = " ".join(methods.methods(whole_study))
    assert "learning rate tuned (0.0001 to 0.01 on a log scale)" in text
    assert "normalisation tuned (none, layer, batch)" in text
    settings = whole_study.provenance.training
    assert f"learning rate {settings['learning_rate']}" not in text
    assert f"dropout {settings['dropout']}" in text
    fixed = " ".join(methods.methods(synthetic_demo))
    assert f"learning rate {settings['learning_rate']}, schedule {settings['schedule']}" in fixed
    assert "tuned (" not in fixed


def test_of_a_study_of_fixed_settings_the_values_stay_whatever_is_tuned_beside(whole_study: StudyResults) -> None:
    rows = [row.model_copy(update={"protocol": "fixed", "untuned": None}) for row in whole_study.rows]
    text = " ".join(methods.methods(whole_study.model_copy(update={"rows": rows})))
    assert f"learning rate {whole_study.provenance.training['learning_rate']}" in text
    assert "tuned (" not in text


def sharing(results: StudyResults, *, gap: float = 0.5) -> StudyResults:
    """The same study, whose row "PET, skeleton" took the settings of another row."""
    row = next(row for row in results.rows if row.name == "PET, skeleton")
    assert row.same_folds is not None
    assert row.mean is not None
    c = [row.mean + gap] * len(row.c_index)
    shared = {"chosen_on": "PET, spine_dilated", "gap": gap, "mean": row.mean + gap, "c_index": c}
    return broken_row(results, row.name, same_folds=row.same_folds.model_copy(update=shared))


def test_rows_that_share_a_search_are_marked_and_in_no_average(whole_study: StudyResults) -> None:
    results = sharing(whole_study)
    check_results(results)
    said = gap_in_words(results)
    assert said is not None
    assert "of 46 rows differs by +0.020 on average (from +0.020 to +0.020)" in said
    assert "Left out: 1 that took settings chosen by the c-index of another row" in said
    for name in ("protocols", "table1_image_only"):
        table = all_tables(results)[name]
        assert any("+0.500 *" in line for line in table.rows)
        assert protocols.SHARED in table.notes
        assert protocols.SHARED not in all_tables(whole_study)[name].notes


def test_a_gap_may_be_negative_and_nothing_has_no_sign(whole_study: StudyResults) -> None:
    lines = {line[0]: line for line in all_tables(sharing(whole_study, gap=-1e-5))["protocols"].rows}
    assert "0.000 *" in lines["PET, skeleton"]
    assert "It may lie below 0" in protocols.GAP


def test_no_table_has_two_columns_of_one_name(whole_study: StudyResults) -> None:
    for name, table in all_tables(whole_study).items():
        titles = [column.title for column in table.columns]
        assert len(titles) == len(set(titles)), name
    titles = [column.title for column in all_tables(whole_study)["protocols"].columns]
    assert "p of the test-tuned c" in titles
    assert "p, paper" not in titles


def test_rows_that_differ_in_the_survival_model_alone_can_be_told_apart(whole_study: StudyResults) -> None:
    row = next(row for row in whole_study.rows if row.name == "PET, skeleton")
    other = row.model_copy(update={"name": "PET, skeleton, ridge Cox", "survival": "ridge Cox"})
    for name, rows in (("both", [row, other]), ("one", [row])):
        table = all_tables(whole_study.model_copy(update={"rows": rows}))["table1_image_only"]
        place = [column.title for column in table.columns].index("c-index")
        told = {line[:place] for line in table.rows}
        assert len(told) == len(rows), name
        assert ("Survival model" in [column.title for column in table.columns]) is (name == "both")


def test_searches_say_what_they_share_and_what_was_ended(whole_study: StudyResults) -> None:
    tables = all_tables(whole_study)
    assert [line[3:] for line in tables["searches"].rows] == [
        ("8 rows", "5", "16", "31"),
        ("8 rows", "all at once", "16", "4"),
        ("itself", "5", "16", "0"),
    ]
    assert ("Clinical, DeepSurv", "nested", "learning_rate", "0.0001 to 0.01", "logarithmic") in tables[
        "tuning_ranges"
    ].rows
    assert len(tables["tuning"].rows) == 3 * (5 + 1 + 5)
    text = " ".join(methods.methods(whole_study))
    assert "went on with 16 points of a scrambled Sobol sequence (Optuna)" in text
    assert "trained on the whole training part, and the test fold was looked at once" in text
    assert "It is shown beside the results and is never one of them." in text


def broken_row(results: StudyResults, name: str, **changes: Any) -> StudyResults:
    rows = [row.model_copy(update=changes) if row.name == name else row for row in results.rows]
    return results.model_copy(update={"rows": rows})


def test_numbers_of_a_row_that_was_not_run_are_refused(whole_study: StudyResults) -> None:
    check_results(whole_study)
    with pytest.raises(StorageError, match=r"absent \(weights absent.*\), and yet with numbers \(mean\)"):
        check_results(broken_row(whole_study, "ViT of PET, skeleton", mean=0.6))


def test_a_gap_that_is_no_difference_is_refused(whole_study: StudyResults) -> None:
    same = next(row.same_folds for row in whole_study.rows if row.name == "PET, skeleton")
    assert same is not None
    with pytest.raises(
        StorageError, match=r"'PET, skeleton', tuned on its test folds: a gap of 0.5 that is not the"
    ):
        check_results(broken_row(whole_study, "PET, skeleton", same_folds=same.model_copy(update={"gap": 0.5})))
    with pytest.raises(StorageError, match="tuned on its test folds: a mean that is not that of its folds"):
        check_results(
            broken_row(whole_study, "PET, skeleton", same_folds=same.model_copy(update={"mean": 0.9, "gap": None}))
        )


def test_a_protocol_beside_itself_is_refused(whole_study: StudyResults) -> None:
    with pytest.raises(StorageError, match="'PET, skeleton': not tuned, and beside that not tuned"):
        check_results(broken_row(whole_study, "PET, skeleton", protocol="fixed"))


def test_rows_with_their_own_settings_stand_beside(whole_study: StudyResults) -> None:
    table = all_tables(whole_study)["protocols"]
    assert [column.title for column in table.columns][-2:] == ["c, not tuned", "Difference"]
    assert {line[-1] for line in table.rows} == {"-0.010"}
    rows = [row.model_copy(update={"same_folds": None}) for row in whole_study.rows]
    table = all_tables(whole_study.model_copy(update={"rows": rows}))["protocols"]
    assert len(table.columns) == 6
    assert protocols.GAP not in table.notes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"row": "nobody"}, "no such row as 'nobody'"),
        ({"pruned": 86}, "86 trials pruned of 85"),
        ({"space": []}, "which were not looked for"),
    ],
)
def test_searches_of_nothing_are_refused(whole_study: StudyResults, changes: dict[str, Any], said: str) -> None:
    first, *others = whole_study.searches
    with pytest.raises(StorageError, match=said):
        check_results(whole_study.model_copy(update={"searches": [first.model_copy(update=changes), *others]}))


def test_what_tuning_gained_over_the_files_own_settings_is_said(
    whole_study: StudyResults, synthetic_demo: StudyResults, tmp_path: Path
) -> None:
    gains = [
        -row.untuned.gap for row in whole_study.rows if row.untuned is not None and row.untuned.gap is not None
    ]
    said = tuned_in_words(whole_study)
    assert said is not None
    assert f"of {len(gains)} rows differs by {signed(float(np.mean(gains)))} on average" in said
    assert f"it is higher in {sum(gain > 0 for gain in gains)} of them" in said
    page = Page(write_report(whole_study, tmp_path).read_text(encoding="utf-8"))
    assert said in page.sections["tuning"].text
    assert tuned_in_words(synthetic_demo) is None


def test_the_methods_tell_where_a_search_began_and_when_a_trial_was_ended(whole_study: StudyResults) -> None:
    ended, began = "Once four trials were completed", "began with trial 0, the settings of the study file"

    def said(prune: bool, pruned: int) -> str:
        tuning = whole_study.provenance.model_copy(update={"tuning": {"prune": prune}})
        searches = [search.model_copy(update={"pruned": pruned}) for search in whole_study.searches]
        return " ".join(
            methods.methods(whole_study.model_copy(update={"provenance": tuning, "searches": searches}))
        )

    assert all(began in said(prune, 0) for prune in (True, False))
    assert ended in said(True, 0)
    assert ended in said(False, 3), "of results that did not save the setting"
    assert ended not in said(False, 0)
