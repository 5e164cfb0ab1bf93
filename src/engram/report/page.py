"""Self-contained pages from saved results, with their tables as CSV and their figures as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from engram.errors import StorageError
from engram.evaluation.results import RiskGroups, StudyResults
from engram.files import write_text
from engram.report import labels, methods, prose
from engram.report.consistency import check_results
from engram.report.figures.flow import draw_flow
from engram.report.figures.forest import draw_forest
from engram.report.figures.kaplan_meier import draw_kaplan_meier
from engram.report.figures.quality import draw_drawn_masks
from engram.report.figures.svg import Drawing
from engram.report.figures.utility import draw_utility
from engram.report.layout import Table
from engram.report.pictures import Picture, embed
from engram.report.quality_page import PAGE_NAME, StudyPicture, quality_page
from engram.report.resources import resource
from engram.report.tables import TABLE_NAMES, all_tables

__all__ = ["Picture", "StudyPicture", "write_report"]

_FIGURE_NAMES = ("flow", "c_index", "kaplan_meier", "utility", "drawn_masks")


def write_report(
    results: StudyResults,
    out_dir: Path,
    *,
    pictures: Sequence[Picture] = (),
    studies: Sequence[StudyPicture] = (),
    absent: Sequence[str] = (),
) -> Path:
    """Write out_dir/report.html, out_dir/tables/*.csv and out_dir/figures/*.svg; returns the path of the page.

    pictures: shown in it. studies: shown in out_dir/quality.html, which is written where there are any. absent:
    sentences that say which pictures are missing, and why. Equal results give equal bytes. Files of an earlier
    report for which there is nothing to show now are removed.
    Raises StorageError where the results contradict themselves, a picture is damaged or a file cannot be written.
    """
    check_results(results)
    tables, figures = all_tables(results), _figures(results)
    page = _render(results, tables, figures, pictures, studies, absent)
    beside = quality_page(results, studies) if studies else None
    for name in TABLE_NAMES:
        _write_or_remove(out_dir / "tables" / f"{name}.csv", tables[name].to_csv() if name in tables else None)
    for name in _FIGURE_NAMES:
        _write_or_remove(out_dir / "figures" / f"{name}.svg", figures[name].svg if name in figures else None)
    _write_or_remove(out_dir / PAGE_NAME, beside)
    return write_text(out_dir / "report.html", page)


def _figures(results: StudyResults) -> dict[str, Drawing]:
    drawn = [draw_flow(results.flow, results.cohort)]
    if results.rows:
        drawn.append(draw_forest(results))
    groups = _risk_groups(results)
    if groups is not None and labels.why_not_drawn(groups) is None:
        drawn.append(
            draw_kaplan_meier(groups, results.cohort.endpoint, untrained=_groups_untrained(results, groups))
        )
    drawn += _utility(results)
    if results.drawn_masks:
        drawn.append(draw_drawn_masks(results.drawn_masks, untrained=results.provenance.untrained_weights))
    return {drawing.name: drawing for drawing in drawn}


def _utility(results: StudyResults) -> list[Drawing]:
    found = results.performance
    if found is None or found.horizon_months is None or not found.curves:
        return []
    rows = [row for row in results.rows if row.name in {curves.row for curves in found.curves}]
    untrained = labels.needs_untrained_label(results, rows)
    return [draw_utility(found, {row.name: row.family for row in rows}, untrained=untrained)]


def _risk_groups(results: StudyResults) -> RiskGroups | None:
    groups = results.risk_groups
    return groups if groups is not None and groups.curves else None


def _groups_untrained(results: StudyResults, groups: RiskGroups) -> bool:
    return labels.needs_untrained_label(results, [row for row in results.rows if row.name == groups.row])


def _contents(
    tables: dict[str, Table], figures: dict[str, Drawing], *, pictures: bool, groups: bool, clinical_model: bool
) -> list[tuple[str, str]]:
    """(anchor, title) of the sections that this page has, in their order."""
    sections = [
        ("flow", "Patients", True),
        ("cohort", "Cohort", True),
        ("table1", "Table 1. Image only", "table1_image_only" in tables),
        ("table2", "Table 2. Image + clinical", "table2_multimodal" in tables),
        ("table3", "Table 3. Comparison", "table3_comparison" in tables),
        ("c-index", "Every row, every fold", "c_index" in figures),
        ("comparisons", "Row against row", "tests_against_chance" in tables),
        ("clinical-model", "What the covariates bear", clinical_model),
        ("risk-groups", "Risk groups", groups),
        ("beyond", "Beyond the c-index", "beyond_c_index" in tables),
        ("folds", "Folds", True),
        ("pictures", "What the model reads", pictures),
        ("drawn-masks", "Does the model see the region?", "drawn_masks" in tables),
        ("methods", "Methods", True),
        ("provenance", "Provenance", True),
        ("reading", "How to read this page", True),
    ]
    return [(anchor, title) for anchor, title, shown in sections if shown]


def _render(
    results: StudyResults,
    tables: dict[str, Table],
    figures: dict[str, Drawing],
    pictures: Sequence[Picture],
    studies: Sequence[StudyPicture],
    absent: Sequence[str],
) -> str:
    groups = _risk_groups(results)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(resource("page.html"))
    return template.render(
        results=results,
        style=Markup(resource("style.css")),  # noqa: S704 - our own file
        summary=prose.summary(results),
        banners=prose.banners(results),
        tables=tables,
        figures={name: Markup(drawing.inline) for name, drawing in figures.items()},  # noqa: S704 - escaped by matplotlib
        captions={name: drawing.caption for name, drawing in figures.items()},
        groups=groups,
        groups_untrained=groups is not None and _groups_untrained(results, groups),
        labels=labels,
        clinical_model=prose.clinical_model(results),
        contents=_contents(
            tables,
            figures,
            pictures=bool(pictures or absent),
            groups=groups is not None,
            clinical_model=bool(prose.clinical_model(results)),
        ),
        pictures=[embed(picture) for picture in pictures],
        absent=absent,
        sees_the_region=prose.sees_the_region(results) if results.drawn_masks else None,
        quality_page=PAGE_NAME if studies else None,
        methods=methods.methods(results),
        provenance=prose.provenance_lines(results),
        notes=prose.reading_notes(results),
        any_untrained=labels.needs_untrained_label(results, results.rows),
    )


def _write_or_remove(path: Path, text: str | None) -> None:
    """A file left from an earlier report would be taken for a result of this one."""
    if text is not None:
        write_text(path, text)
    elif path.exists():
        _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StorageError(f"{path}: out of date, but cannot be removed ({error.strerror}). Remove it.") from error
