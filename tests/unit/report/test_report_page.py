"""The page says what the results say, warns where it must, and loads nothing from anywhere."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from page_reader import Page

from engram.errors import StorageError
from engram.evaluation.results import FoldSummary, StudyResults
from engram.evaluation.sensitivity_records import Splits
from engram.report import labels, prose
from engram.report.formats import interval, number, p_value, signed, signed_interval
from engram.report.page import Picture, write_report

TABLES = {
    "table1": "table1_image_only",
    "table2": "table2_multimodal",
    "table3": "table3_comparison",
    "clinical-model": "incremental_value",
    "folds": "folds",
    "drawn-masks": "drawn_masks",
    "cohort": "cohort",
    "flow": "flow",
}
IMAGE_SECTIONS = {
    "worth", "table1", "table2", "table3", "c-index", "comparisons", "clinical-model", "risk-groups", "folds",
    "pictures", "drawn-masks",
}  # fmt: skip


def html_of(results: StudyResults, folder: Path, *pictures: Picture) -> str:
    return write_report(results, folder, pictures=pictures).read_text(encoding="utf-8")


def page_of(results: StudyResults, folder: Path, *pictures: Picture) -> Page:
    return Page(html_of(results, folder, *pictures))


def test_every_number_of_every_row_is_on_the_page(any_study: StudyResults, tmp_path: Path) -> None:
    page = page_of(any_study, tmp_path)
    folds = {line[0]: line[1:] for line in page.sections["folds"].tables[0]}
    assert folds["Patients"] == [str(fold.n) for fold in any_study.folds]
    assert folds["Events"] == [str(fold.events) for fold in any_study.folds]
    for row in any_study.rows:
        assert folds[row.name] == [number(value) for value in row.c_index]
        truth = folds.get(f"True c: {labels.FAMILIES[row.family].lower()}")
        assert truth == (row.true_c_index and [number(value) for value in row.true_c_index])
    for family, section in (("image", "table1"), ("multimodal", "table2")):
        lines = page.sections[section].tables[0][1:] if section in page.sections else []
        rows = [row for row in any_study.rows if row.family == family]
        expected = {(r.modality, r.roi, number(r.mean)) for r in rows}
        place = page.sections[section].tables[0][0].index("c-index") if lines else 0
        assert {(line[0], line[1], line[place]) for line in lines} == expected
        for row in (r for r in rows if r.se is not None):
            (line,) = [line for line in lines if (line[0], line[1]) == (row.modality, row.roi)]
            tests = [p_value(row.p), p_value(row.p_corrected)]
            assert line[place + 1 : place + 5] == [number(row.se), interval(row.ci_lower, row.ci_upper), *tests]
            if any_study.synthetic:
                assert line[place + 5] == number(row.true_mean)


def test_tables_are_sorted_by_c_index_and_compare_families(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    page = page_of(synthetic_demo, tmp_path)
    for section, column in (("table1", 5), ("table2", 5), ("table3", 4)):
        means = [float(line[column]) for line in page.sections[section].tables[0][1:]]
        assert means == sorted(means, reverse=True)
    shown = [(line[0], line[1]) for line in page.sections["table3"].tables[0][1:]]
    best = {
        family: max((r for r in synthetic_demo.rows if r.family == family), key=lambda r: r.mean or 0).name
        for family in ("image", "multimodal")
    }
    assert sorted(shown) == sorted(
        [
            ("Image only", best["image"]),
            ("Image + clinical", best["multimodal"]),
            ("Clinical only", "Clinical, ridge Cox"),
            ("Clinical only", "Clinical, DeepSurv"),
        ]
    )
    assert labels.BEST_OF_MANY in page.sections["table3"].text


def test_csv_files_are_the_tables_of_the_page(any_study: StudyResults, tmp_path: Path) -> None:
    page = page_of(any_study, tmp_path)
    for section, name in TABLES.items():
        path = tmp_path / "tables" / f"{name}.csv"
        if section not in page.sections or not page.sections[section].tables:
            assert not path.exists()
            continue
        with path.open(encoding="utf-8", newline="") as stream:
            assert list(csv.reader(stream)) == page.sections[section].tables[0]


def test_the_medical_device_sentence_is_there_once(any_study: StudyResults, tmp_path: Path) -> None:
    assert html_of(any_study, tmp_path).lower().count("medical device") == 1


def test_untrained_weights_are_named_wherever_image_results_are(
    synthetic_demo: StudyResults, picture: Picture, tmp_path: Path
) -> None:
    page = page_of(synthetic_demo, tmp_path, picture)
    labelled = {name for name, section in page.sections.items() if labels.UNTRAINED in section.bare_text}
    assert labelled == {"top"} | IMAGE_SECTIONS
    models = [line[2] for name in ("table1", "table2") for line in page.sections[name].tables[0][1:]]
    assert all("untrained" in model for model in models)
    for figure in ("c_index", "kaplan_meier", "drawn_masks"):
        assert labels.UNTRAINED in (tmp_path / "figures" / f"{figure}.svg").read_text(encoding="utf-8")


def test_clinical_risk_groups_are_not_called_untrained(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    assert synthetic_demo.risk_groups is not None
    groups = synthetic_demo.risk_groups.model_copy(update={"row": "Clinical, DeepSurv"})
    page = page_of(synthetic_demo.model_copy(update={"risk_groups": groups}), tmp_path)
    assert labels.UNTRAINED not in page.sections["risk-groups"].text


def test_the_caption_of_risk_groups_counts_everybody(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    text = page_of(synthetic_demo, tmp_path).sections["risk-groups"].text
    assert "Q1, lowest risk, n = 56; Q2, n = 55; Q3, n = 59; Q4, highest risk, n = 57." in text
    assert "cut-points that are the quartiles of the training patients' risks" in text
    assert "lowest and the highest quartile" not in text


@pytest.mark.parametrize("n", [0, 2, 4])
def test_a_group_of_too_few_is_not_drawn_and_why_is_said(
    synthetic_demo: StudyResults, tmp_path: Path, n: int
) -> None:
    groups = synthetic_demo.risk_groups
    assert groups is not None
    write_report(synthetic_demo, tmp_path)
    few = groups.model_copy(update={"curves": [*groups.curves[:3], groups.curves[3].model_copy(update={"n": n})]})
    section = page_of(synthetic_demo.model_copy(update={"risk_groups": few}), tmp_path).sections["risk-groups"]
    assert "drawn where every group has at least 5 patients" in section.text
    assert f"Q4, highest risk, n = {n}" in section.text
    assert "log-rank" not in section.text
    assert not (tmp_path / "figures" / "kaplan_meier.svg").exists()


def test_trained_weights_carry_no_such_label(
    fourteen_patients: StudyResults, picture: Picture, tmp_path: Path
) -> None:
    html = html_of(fourteen_patients, tmp_path, picture)
    assert "untrained" not in html.lower().replace(".banner.untrained", "")
    assert "synthetic" not in html.lower().replace(".banner.synthetic", "")


def test_weights_that_nobody_vouches_for_are_named_so(
    fourteen_patients: StudyResults, clinical_only: StudyResults, tmp_path: Path
) -> None:
    page = page_of(fourteen_patients, tmp_path)
    assert labels.UNVERIFIED_MEANING in page.sections["top"].text
    assert {line[2] for line in page.sections["table1"].tables[0][1:]} == {"mini-random (not verified)"}
    seen = {line[0]: line[2] for line in page.sections["table3"].tables[0][1:]}
    assert seen["Image only"] == "mini-random (not verified)"
    assert seen["Clinical only"] == "–"
    assert "mini-random (not verified)" in (tmp_path / "tables" / "table1_image_only.csv").read_text()
    made = fourteen_patients.provenance.model_copy(update={"verified_weights": True})
    vouched = fourteen_patients.model_copy(update={"provenance": made})
    for study in (vouched, clinical_only):
        html = html_of(study, tmp_path)
        assert labels.UNVERIFIED not in html
        assert "not verified" not in html


def test_banners_say_synthetic_and_every_warning(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    top = page_of(synthetic_demo, tmp_path).sections["top"].text
    assert labels.SYNTHETIC_MEANING in top
    assert all(warning in top for warning in synthetic_demo.warnings)


@pytest.mark.parametrize("count", [0, 3, 4])
def test_many_notes_of_the_folds_are_folded_away(synthetic_demo: StudyResults, tmp_path: Path, count: int) -> None:
    notes = [f"Column 'lab {k}' dropped" for k in range(count)]
    study = synthetic_demo.model_copy(update={"fold_notes": notes})
    html = html_of(study, tmp_path)
    top = html[html.index('<header id="top">') : html.index("</header>")]
    assert ("<details" in top, '<details class="banner warning" open>' in top) == (count > 0, 0 < count <= 3)
    assert top.count("<li>Column &#39;lab") == count
    told = prose.lines(study)
    assert sum("dropped" in line for line in told) == min(count, 3)
    assert any("And 1 more" in line for line in told) == (count == 4)


def test_the_summary_names_the_best_row_of_each_family(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    top = page_of(synthetic_demo, tmp_path).sections["top"].text
    for family in ("clinical", "image", "multimodal"):
        best = max((r for r in synthetic_demo.rows if r.family == family), key=lambda r: r.mean or 0)
        assert f"had c = {number(best.mean)} ± {number(best.se)} (true c {number(best.true_mean)})" in top
        assert f"({best.name}" in top


def test_a_page_without_images_has_no_headings_for_them(clinical_only: StudyResults, tmp_path: Path) -> None:
    page = page_of(clinical_only, tmp_path)
    expected = [
        "top", "flow", "cohort", "table3", "c-index", "comparisons", "clinical-model", "folds", "methods",
        "provenance", "reading",
    ]  # fmt: skip
    assert list(page.sections) == expected
    assert all(section.headings for name, section in page.sections.items() if name != "top")
    assert [
        link.removeprefix("#") for link in page.loads if link.startswith("#") and link[1:] in expected
    ] == expected[1:]
    assert "memory model" not in page.sections["methods"].text
    assert labels.BEST_OF_MANY not in page.sections["table3"].text


def test_contents_point_at_every_section_in_order(
    synthetic_demo: StudyResults, picture: Picture, tmp_path: Path
) -> None:
    html = html_of(synthetic_demo, tmp_path, picture)
    page = Page(html)
    links = Page(html[html.index("<nav") : html.index("</nav>")]).loads
    assert links == [f"#{name}" for name in page.sections if name != "top"]
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("study", ["synthetic_demo", "fourteen_patients"])
def test_nothing_is_loaded_and_nothing_runs(
    study: str, request: pytest.FixtureRequest, picture: Picture, tmp_path: Path
) -> None:
    html = html_of(request.getfixturevalue(study), tmp_path, picture)
    page = Page(html)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in page.loads)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "http" not in html
    assert "@import" not in html
    assert "url(" not in html.replace("url(#", "")


def test_equal_results_give_equal_bytes(synthetic_demo: StudyResults, picture: Picture, tmp_path: Path) -> None:
    written = []
    for run in ("first", "second"):
        write_report(synthetic_demo, tmp_path / run, pictures=[picture])
        found = sorted((tmp_path / run).rglob("*.*"))
        written.append({str(path.relative_to(tmp_path / run)): path.read_bytes() for path in found})
    assert written[0] == written[1]
    assert len(written[0]) == 1 + 12 + 5 + 5
    assert sum(name.endswith(".tex") for name in written[0]) == 5


def test_missing_c_indices_are_dashes_with_their_reason(fourteen_patients: StudyResults, tmp_path: Path) -> None:
    html = html_of(fourteen_patients, tmp_path)
    page = Page(html)
    assert "None" not in html
    assert "nan" not in page.sections["table3"].text
    lines = {line[1]: line[4:] for line in page.sections["table3"].tables[0][1:]}
    assert lines["Clinical, ridge Cox"] == ["– (no comparable pairs)", "–", "–", "–", "–", "0 of 5"]
    assert lines["PET, spine_dilated"] == [
        "0.700", "– (one usable fold)", "–", "– (needs two folds)", "–", "1 of 5",
    ]  # fmt: skip
    assert lines["Clinical, DeepSurv"][-1] == "3 of 5"
    assert labels.NO_C in page.sections["folds"].text
    assert "had c = 0.700 on 1 of 5 folds" in page.sections["top"].text
    assert "log-rank p" not in page.sections["risk-groups"].text


def test_a_study_without_any_c_index_says_so(clinical_only: StudyResults, tmp_path: Path) -> None:
    empty = {"c_index": [None] * 5, "mean": None, "se": None, "p": None}
    rows = [row.model_copy(update=empty) for row in clinical_only.rows]
    page = page_of(clinical_only.model_copy(update={"rows": rows}), tmp_path)
    assert "no row has a c-index" in page.sections["top"].text
    heads, *lines = page.sections["table3"].tables[0]
    assert [line[heads.index("c-index")] for line in lines] == ["– (no comparable pairs)"] * 2


def test_columns_and_lines_without_a_word_are_left_out(
    clinical_only: StudyResults, whole_study: StudyResults, tmp_path: Path
) -> None:
    page = page_of(clinical_only, tmp_path)
    assert page.sections["table3"].tables[0][0][:3] == ["Sees", "Row", "c-index"]
    splits = Splits(
        kind="stratified", column=None, tested=65, train_n=[52] * 5, train_events=[38] * 5, test=[""] * 5
    )
    folds = page_of(clinical_only.model_copy(update={"splits": splits}), tmp_path).sections["folds"].tables[0]
    assert "Held out" not in {line[0] for line in folds}
    heads = page_of(whole_study, tmp_path).sections["table3"].tables[0][0]
    assert heads[2:4] == ["Model", "Chosen here"]


def test_the_headline_says_how_its_rows_were_chosen(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    top = page_of(synthetic_demo, tmp_path).sections["top"].bare_text
    assert labels.BEST_OF_MANY in top
    assert "±" in top


def one_split(results: StudyResults) -> StudyResults:
    """One split by time: no standard error, patients who never test."""
    none = dict.fromkeys(("se", "p", "p_two_sided", "p_corrected", "p_adjusted"))
    rows = [
        row.model_copy(update={**none, "c_index": row.c_index[:1], "mean": row.c_index[0]}) for row in results.rows
    ]
    splits = Splits(kind="temporal", column="year", tested=35, train_n=[30], train_events=[25], test=["2020"])
    folds = [FoldSummary(n=35, events=18)]
    return results.model_copy(update={"rows": rows, "splits": splits, "folds": folds})


def test_one_split_is_no_cross_validation(clinical_only: StudyResults, tmp_path: Path) -> None:
    page = page_of(one_split(clinical_only), tmp_path)
    top = page.sections["top"].bare_text
    assert "On one split by time (35 patients with 18 events tested, PFS), the best clinical row" in top
    assert "cross-validation" not in top
    assert "95 % CI" in top
    text = page.sections["methods"].bare_text
    assert "on the same test patients" in text
    assert "standard error over folds" not in page.sections["c-index"].text


def test_hostile_text_stays_text(synthetic_demo: StudyResults, picture: Picture, tmp_path: Path) -> None:
    evil = "<script>alert('x')</script> & $\\frac{1}$ {{ 7 * 7 }}"
    rows = [row.model_copy(update={"name": f"{row.name} {evil}", "roi": evil}) for row in synthetic_demo.rows]
    assert synthetic_demo.risk_groups is not None
    curves = [curve.model_copy(update={"label": evil}) for curve in synthetic_demo.risk_groups.curves]
    groups = synthetic_demo.risk_groups.model_copy(update={"row": rows[0].name, "curves": curves})
    steps = [step.model_copy(update={"reasons": {evil: step.excluded}}) for step in synthetic_demo.flow.steps]
    flow = synthetic_demo.flow.model_copy(update={"steps": steps})
    compared = [
        one.model_copy(update={"row": f"{one.row} {evil}", "other": f"{one.other} {evil}", "differs_in": evil})
        for one in synthetic_demo.comparisons
    ]
    changed = {
        "study": evil, "source": evil, "warnings": [evil], "rows": rows, "flow": flow, "risk_groups": groups,
        "comparisons": compared,
    }  # fmt: skip
    html = html_of(
        synthetic_demo.model_copy(update=changed), tmp_path, Picture(evil, evil + '" onload="x', picture.png)
    )
    assert "<script" not in html
    assert "script" not in Page(html).tags
    assert evil in Page(html).sections["top"].text
    assert '" onload="x' not in html


def test_files_of_an_earlier_report_do_not_linger(
    synthetic_demo: StudyResults, clinical_only: StudyResults, tmp_path: Path
) -> None:
    write_report(synthetic_demo, tmp_path)
    (tmp_path / "tables" / "my_own.csv").touch()
    write_report(clinical_only, tmp_path)
    left = {path.name for path in (tmp_path / "tables").iterdir()}
    own = {"table3_comparison.csv", "tests_against_chance.csv", "folds.csv", "cohort.csv", "flow.csv"}
    assert left == own | {"my_own.csv", "table3_comparison.tex", "cohort.tex"}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"flow.svg", "c_index.svg"}


def test_contradictions_are_refused_all_at_once(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    short = synthetic_demo.rows[0].model_copy(update={"c_index": [0.5], "mean": float("nan")})
    flow = synthetic_demo.flow.model_copy(update={"pool": 350})
    broken = synthetic_demo.model_copy(update={"rows": [short], "flow": flow})
    with pytest.raises(StorageError) as caught:
        write_report(broken, tmp_path)
    message = str(caught.value)
    assert "1 c-indices for 5 folds" in message
    assert "not a number" in message
    assert "346" in message
    assert "Run 'engram evaluate' again" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"mean": 0.9}, {"se": 0.5}, {"true_mean": 0.9}, {"mean": None, "se": None}])
def test_a_mean_that_is_not_that_of_its_folds_is_refused(
    synthetic_demo: StudyResults, tmp_path: Path, change: dict[str, float | None]
) -> None:
    row = synthetic_demo.rows[2].model_copy(update=change)
    rows = [*synthetic_demo.rows[:2], row, *synthetic_demo.rows[3:]]
    with pytest.raises(StorageError, match=rf"row '{row.name}': (true )?(mean|SE) .*by its folds"):
        write_report(synthetic_demo.model_copy(update={"rows": rows}), tmp_path)


@pytest.mark.parametrize("counts", [{"events": 161}, {"n": 228}])
def test_a_cohort_that_is_not_the_flow_is_refused(
    synthetic_demo: StudyResults, tmp_path: Path, counts: dict[str, int]
) -> None:
    cohort = synthetic_demo.cohort.model_copy(update=counts)
    with pytest.raises(StorageError, match="cohort: "):
        write_report(synthetic_demo.model_copy(update={"cohort": cohort}), tmp_path)


def test_curves_of_unequal_lists_are_refused(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    groups = synthetic_demo.risk_groups
    assert groups is not None
    curve = groups.curves[0].model_copy(update={"lower": [0.1], "at_risk": [3]})
    broken = synthetic_demo.model_copy(update={"risk_groups": groups.model_copy(update={"curves": [curve]})})
    with pytest.raises(StorageError, match=r"(?s)differ in length.*1 counts at 7 times"):
        write_report(broken, tmp_path)


def test_comparisons_say_what_was_declared_and_what_explores(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    section = page_of(synthetic_demo, tmp_path).sections["comparisons"]
    planned, exploring, chance = section.tables
    assert labels.PRESPECIFIED in section.text
    assert [line[0] for line in planned[1:]] == [one.row for one in synthetic_demo.comparisons if one.prespecified]
    first = synthetic_demo.comparisons[0]
    numbers = [signed(first.difference), number(first.se), signed_interval(first.ci_lower, first.ci_upper)]
    assert planned[1][2:] == [*numbers, "0.030", "0.110", "0.400"]
    assert exploring[1][:3] == ["Clinical, DeepSurv", "Clinical, ridge Cox", "survival model"]
    assert len(chance) == 1 + len(synthetic_demo.rows)
    for name, table in (("comparisons", planned), ("comparisons_exploring", exploring)):
        with (tmp_path / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            assert list(csv.reader(stream)) == table


def test_the_clinical_model_is_put_into_words(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    text = page_of(synthetic_demo, tmp_path).sections["clinical-model"].text
    assert "has 12 parameters: 13.3 events for each" in text
    assert "227 patients with 160 events bear 3.2 parameters (Riley et al., 2019), fewer than these." in text
    assert "Hazards are not proportional for age (Holm-adjusted p below 0.05)" in text
    assert synthetic_demo.clinical_model is not None
    calm = synthetic_demo.clinical_model.model_copy(update={"proportional_hazards": [], "parameters_allowed": 13.0})
    text = (
        page_of(synthetic_demo.model_copy(update={"clinical_model": calm}), tmp_path)
        .sections["clinical-model"]
        .text
    )
    assert "bear 13.0 parameters (Riley et al., 2019), no fewer than these." in text
    assert "No test speaks against" not in text
    beyond = synthetic_demo.model_copy(
        update={"clinical_model": calm.model_copy(update={"parameters_allowed": None})}
    )
    text = page_of(beyond, tmp_path).sections["clinical-model"].text
    assert "more than the criteria of Riley et al. (2019) allow for" in text


def test_what_few_patients_do_not_allow_is_said(
    fourteen_patients: StudyResults, clinical_only: StudyResults, tmp_path: Path
) -> None:
    page = page_of(fourteen_patients, tmp_path)
    assert labels.NO_CLINICAL_MODEL in page.sections["clinical-model"].text
    assert labels.NO_INTERVAL in page.sections["table1"].text
    assert labels.NO_INTERVAL not in page_of(clinical_only, tmp_path).sections["table3"].text


def test_a_difference_that_is_not_that_of_its_rows_is_refused(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    first, *others = synthetic_demo.comparisons
    for change in ({"difference": 0.4}, {"se": 0.5}, {"other": "nobody"}):
        broken = [first.model_copy(update=change), *others]
        with pytest.raises(StorageError, match=r"comparison of .PET . clinical, spine_dilated. with "):
            write_report(synthetic_demo.model_copy(update={"comparisons": broken}), tmp_path)


def test_a_folder_that_cannot_be_written_is_a_storage_error(clinical_only: StudyResults, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="could not be written"):
        write_report(clinical_only, tmp_path / "file")


def test_everything_it_was_made_with_is_listed(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    made = synthetic_demo.provenance
    cells = dict(page_of(synthetic_demo, tmp_path).sections["provenance"].tables[0])
    assert cells["Seed"] == "7"
    assert cells["Manifest digest (SHA-256)"] == made.manifest_digest
    assert cells["Weights digest (SHA-256)"] == made.weights_digest
    assert cells["Protocol: ct_window_hu"] == "-500 to 1300"
    assert made.libraries.items() <= cells.items()
    assert {f"Protocol: {key}" for key in made.protocol} <= set(cells)


def test_no_path_of_this_machine_and_no_date(synthetic_demo: StudyResults, tmp_path: Path) -> None:
    html = html_of(synthetic_demo, tmp_path)
    assert str(tmp_path) not in html
    assert os.fspath(Path.cwd()) not in html
