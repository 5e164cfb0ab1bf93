"""Encoder, prompt and memory side by side: what is read off which row and comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hand_made import make_row
from page_reader import Page

from engram.evaluation.results import Comparison, RowResult, StudyResults
from engram.report.decomposition import decomposition_table
from engram.report.page import write_report
from engram.report.tables import all_tables

MEANS = {"hiera": 0.58, "roi_without_memory": 0.61, "roi": 0.64}


def rows(modality: str = "PET", *, clinical: bool = False) -> list[RowResult]:
    made = []
    for readout, mean in MEANS.items():
        if clinical and readout == "hiera":
            continue
        name = f"{modality}{' + clinical' * clinical}, spine, {readout}"
        kind: dict[str, Any] = {"modality": modality, "roi": "spine", "readout": readout, "survival": "ridge Cox"}
        row = make_row(name, "multimodal" if clinical else "image", mean, **kind)
        made.append(row.model_copy(update={"head": "PCA"}))
    return made


def compared(row: RowResult, other: RowResult, p: float) -> Comparison:
    values = np.subtract(row.c_index, other.c_index)  # type: ignore[arg-type]
    mean = float(values.mean())
    return Comparison(
        row=row.name, other=other.name, differs_in="memory", prespecified=False, difference=mean,
        se=float(values.std(ddof=1) / np.sqrt(len(values))), ci_lower=mean - 0.01, ci_upper=mean + 0.02,
        p_two_sided=p / 2, p_corrected=p, p_adjusted=min(1.0, 2 * p),
    )  # fmt: skip


def with_rows(results: StudyResults, more: list[RowResult], found: list[Comparison]) -> StudyResults:
    update = {"rows": [*results.rows, *more], "comparisons": [*results.comparisons, *found]}
    return results.model_copy(update=update)


def test_each_step_is_read_off_the_comparison_with_the_one_before(synthetic_demo: StudyResults) -> None:
    encoder, prompt, memory = three = rows()
    found = [compared(prompt, encoder, 0.2), compared(memory, prompt, 0.04), compared(memory, encoder, 0.9)]
    (line,) = decomposition_table(with_rows(synthetic_demo, three, found)).rows
    means = [f"{row.mean:.3f}" for row in three]
    assert line[:3] == ("PET", "spine", "ridge Cox")
    assert [line[i] for i in (3, 4, 8)] == means
    for place, one in ((5, found[0]), (9, found[1])):
        assert one.difference is not None
        assert line[place] == f"{one.difference:+.3f}"
        assert line[place + 1] == f"{one.ci_lower:+.3f} to {one.ci_upper:+.3f}"
        assert line[place + 2] == f"{one.p_corrected:.3f}"


def test_beside_covariates_there_is_no_encoder_alone(synthetic_demo: StudyResults) -> None:
    prompt, memory = pair = rows(clinical=True)
    (line,) = decomposition_table(with_rows(synthetic_demo, pair, [compared(memory, prompt, 0.5)])).rows
    assert line[0] == "PET + clinical"
    assert line[3] == line[5] == line[6] == line[7] == "–"
    assert line[10] != "–"


def test_models_and_images_are_not_mixed(synthetic_demo: StudyResults) -> None:
    others = [
        row.model_copy(update={"name": f"{row.name}, MLP", "head": "PCA", "survival": "DeepSurv"}) for row in rows()
    ]
    table = decomposition_table(with_rows(synthetic_demo, [*rows(), *rows("CT"), *others], []))
    assert [line[:3] for line in table.rows] == [
        ("PET", "spine", "ridge Cox"), ("CT", "spine", "ridge Cox"), ("PET", "spine", "DeepSurv"),
    ]  # fmt: skip


def test_it_is_shown_only_where_a_row_without_memory_stands_beside_another(
    synthetic_demo: StudyResults, tmp_path: Path
) -> None:
    encoder, prompt, memory = rows()
    for few in ([encoder, memory], [prompt], []):
        assert "decomposition" not in all_tables(with_rows(synthetic_demo, few, []))
    write_report(with_rows(synthetic_demo, [prompt, memory], []), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.sections["decomposition"].tables[0]) == 2
    assert "untrained" in page.sections["decomposition"].text.lower()
    assert (tmp_path / "tables" / "decomposition.csv").is_file()


def test_a_protocol_that_recalls_nothing_says_so(synthetic_demo: StudyResults) -> None:
    made = synthetic_demo.provenance
    literal = made.model_copy(update={"protocol": made.protocol | {"prompting": "all"}})
    for provenance, said in ((literal, True), (made, False)):
        results = with_rows(synthetic_demo, rows(), []).model_copy(update={"provenance": provenance})
        assert any("recalls nothing: with" in note for note in decomposition_table(results).notes) is said
