"""LaTeX tables can be compiled, print what the page prints, and let no name become a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from latex_checker import check_latex

from engram.evaluation.results import StudyResults
from engram.report.latex import TITLES, escape, to_latex
from engram.report.layout import Column, Table
from engram.report.page import write_report
from engram.report.tables import all_tables

HEADS = (Column("Row"), Column("c-index", "number"), Column("SE", "error"), Column("p", "number"))


def table(*rows: tuple[str, ...], notes: tuple[str, ...] = ()) -> Table:
    return Table("comparisons", HEADS, rows, notes)


def test_every_table_of_a_study_can_be_compiled(whole_study: StudyResults, tmp_path: Path) -> None:
    write_report(whole_study, tmp_path)
    files = sorted((tmp_path / "tables").glob("*.tex"))
    assert {path.stem for path in files} == TITLES.keys()
    for path in files:
        check_latex(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TITLES)
def test_each_row_of_the_page_is_a_row_of_latex(whole_study: StudyResults, name: str) -> None:
    found = all_tables(whole_study)[name]
    lines = to_latex(found).splitlines()
    assert lines.index(r"\bottomrule") - lines.index(r"\midrule") - 1 == len(found.rows)


def test_a_number_and_its_error_are_one_column_as_in_the_paper() -> None:
    text = to_latex(table(("PET", "0.659", "0.015", "2.08e-04")))
    assert r"Row & c-index $\pm$ SE & p \\" in text
    assert r"PET & $0.659 \pm 0.015$ & $2.08 \times 10^{-4}$ \\" in text
    assert r"\begin{tabular}{lrr}" in text


def test_gaps_signs_and_reasons() -> None:
    text = to_latex(
        table(
            ("a", "–", "–", "–"), ("b", "+0.020", "– (one usable fold)", "-0.004 to +0.086"), ("c", "not run: d_e")
        )
    )  # fmt: skip
    assert r"a & -- & -- \\" in text
    assert r"b & $+0.020$ & $-0.004$ to $+0.086$ \\" in text
    assert r"c & \multicolumn{2}{l}{\emph{not run: d\_e}} \\" in text
    check_latex(text)


def test_hostile_names_stay_text() -> None:
    evil = "\\input{/etc/passwd} & 50 % $x_1^2$ #1 {~} <b> \n\\\\"
    text = to_latex(table((evil, "0.5", "0.1", "1.000"), notes=(evil,)))
    check_latex(text)
    assert text.count(r"\input{") == 1
    assert text.splitlines()[0].startswith("% needs")
    assert r"\textbackslash{}input\{/etc/passwd\} \& 50 \% \$x\_1\textasciicircum{}2\$" in text


def test_the_checker_sees_what_latex_would_not_compile() -> None:
    good = to_latex(table(("a_b", "0.5", "0.1", "1.000")))
    check_latex(good)
    for wrong in (
        good.replace(r"a\_b", "a_b"),
        good.replace("1.000", "1.000 & 2"),
        good.replace(r"\end{tabular}", ""),
        good.replace("0.5", "50 %"),
        good.replace(r"\pm 0.1$", r"\pm 0.1"),
    ):
        with pytest.raises(AssertionError):
            check_latex(wrong)


def test_untrained_weights_are_named_in_the_file(synthetic_demo: StudyResults) -> None:
    assert "Untrained weights" in to_latex(all_tables(synthetic_demo)["table1_image_only"])


def test_escape_leaves_plain_text_alone() -> None:
    assert escape("95 per cent of PET + CT, c = 0.5") == "95 per cent of PET + CT, c = 0.5"
