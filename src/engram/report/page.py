"""Self-contained pages from saved results, with their tables as CSV and their figures as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from engram.errors import StorageError
from engram.evaluation.results import StudyResults
from engram.files import atomic_write, write_text
from engram.report import labels, latex, methods, prose
from engram.report.ablations import ablations
from engram.report.audit_section import CHECKS, PERMUTED, AuditSection, audit_section
from engram.report.beside import Beside
from engram.report.consistency import check_results
from engram.report.contents import contents
from engram.report.explain_section import EXPLAIN_FIGURES, EXPLAIN_TABLES, ExplainSection, explain_section
from engram.report.figures.gates import MOST_ROWS
from engram.report.figures.svg import Drawing
from engram.report.gates import in_words
from engram.report.layout import Table
from engram.report.methods_evaluation import splits_in_words
from engram.report.page_figures import FIGURE_NAMES, all_figures, groups_untrained, shown_groups
from engram.report.pictures import Picture, embed
from engram.report.prompt_sensitivity import C_INDEX, STABILITY, SensitivitySection, sensitivity_section
from engram.report.quality_page import PAGE_NAME, StudyPicture, quality_page
from engram.report.reach_section import PARTS, REACH, ReachSection, reach_section
from engram.report.resources import resource
from engram.report.sensitivity_tables import SENSITIVITY_PARTS, sensitivity_title
from engram.report.spreadsheet import tuning_workbook
from engram.report.tables import TABLE_NAMES, all_tables
from engram.report.tuning_tables import gap_in_words, tuned_in_words
from engram.report.wording import said
from engram.report.worth import caption as worth_caption
from engram.report.worth import worth

NOTHING = Beside()
_Sections = tuple[AuditSection | None, ReachSection | None, ExplainSection | None, SensitivitySection | None]

__all__ = ["Picture", "StudyPicture", "write_report"]

_WORKBOOK = "tuning.xlsx"


def write_report(
    results: StudyResults,
    out_dir: Path,
    *,
    pictures: Sequence[Picture] = (),
    studies: Sequence[StudyPicture] = (),
    absent: Sequence[str] = (),
    beside: Beside = NOTHING,
) -> Path:
    """Write out_dir/report.html, out_dir/tables/* and out_dir/figures/*.svg; returns the path of the page.

    pictures: shown in it. studies: shown in out_dir/quality.html, which is written where there are any. absent:
    sentences that say which pictures are missing, and why. beside: what other commands have left in the run folder.
    Equal results give equal bytes. Files of an earlier report for which there is nothing to show now are removed.
    Raises StorageError where the results contradict themselves, a picture is damaged or a file cannot be written.
    """
    check_results(results)
    tables, figures = all_tables(results), all_figures(results)
    sections = (
        audit_section(beside.audit, results),
        reach_section(beside.reach, results),
        explain_section(beside.explanation, beside.overlays, results),
        sensitivity_section(beside.sensitivity, results),
    )
    _, reached, explained, disturbed = sections
    if reached is not None and reached.figure is not None:
        figures[REACH] = reached.figure
    if disturbed is not None and disturbed.figure is not None:
        figures[disturbed.figure.name] = disturbed.figure
    figures |= explained.figures if explained else {}
    page = _render(results, tables, figures, pictures, studies, absent, sections)
    quality = quality_page(results, studies) if studies else None
    more = {name: table for one in sections if one for name, table in one.tables.items()}
    _write_tables(results, {**tables, **more}, out_dir / "tables")
    for name in (*FIGURE_NAMES, REACH, *EXPLAIN_FIGURES):
        _write_or_remove(out_dir / "figures" / f"{name}.svg", figures[name].svg if name in figures else None)
    _write_or_remove(out_dir / PAGE_NAME, quality)
    return write_text(out_dir / "report.html", page)


def _write_tables(results: StudyResults, tables: dict[str, Table], folder: Path) -> None:
    """Every table as CSV, those that papers print as LaTeX, and what tuning looked for and found as a workbook."""
    for name in (*TABLE_NAMES, CHECKS, PERMUTED, REACH, PARTS, *EXPLAIN_TABLES, STABILITY, C_INDEX):
        _write_or_remove(folder / f"{name}.csv", tables[name].to_csv() if name in tables else None)
    for name, title in latex.TITLES.items():
        _write_or_remove(
            folder / f"{name}.tex",
            latex.to_latex(tables[name], said(title, results.rows)) if name in tables else None,
        )
    _write_or_remove(folder / _WORKBOOK, tuning_workbook(results) if results.searches else None)


def _render(
    results: StudyResults,
    tables: dict[str, Table],
    figures: dict[str, Drawing],
    pictures: Sequence[Picture],
    studies: Sequence[StudyPicture],
    absent: Sequence[str],
    beside: _Sections,
) -> str:
    groups, found = shown_groups(results), worth(results)
    audit, reach, explained, disturbed = beside
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(resource("page.html"))
    return template.render(
        results=results,
        style=Markup(resource("style.css")),  # noqa: S704 - our own file
        summary=prose.summary(results),
        chosen=prose.chosen(results),
        any_error=any(row.se is not None for row in results.rows),
        banners=prose.banners(results),
        few_notes=prose.FEW_NOTES,
        tables=tables,
        figures={name: Markup(drawing.inline) for name, drawing in figures.items()},  # noqa: S704 - escaped by matplotlib
        captions={name: drawing.caption for name, drawing in figures.items()},
        groups=groups,
        groups_untrained=groups is not None and groups_untrained(results, groups),
        labels=labels,
        clinical_model=prose.clinical_model(results),
        said=lambda text: said(text, results.rows),
        contents=contents(
            {*tables, *figures},
            {
                "pictures": bool(pictures or absent),
                "groups": groups is not None,
                "clinical_model": bool(prose.clinical_model(results)),
                "audit": audit is not None,
                "reach": reach is not None,
                "explained": explained is not None,
                "prompts": disturbed is not None,
            },
        ),
        audit=audit,
        reach=reach,
        explained=explained,
        disturbed=disturbed,
        sensitivity_parts=SENSITIVITY_PARTS,
        sensitivity_title=sensitivity_title(tables.keys()),
        splits=splits_in_words(results),
        worth=found,
        worth_caption=said(worth_caption(found), results.rows) if found else None,
        tuned=[text for text in (gap_in_words(results), tuned_in_words(results)) if text],
        ablations=ablations(results),
        gates_in_words=in_words(results),
        most_gates=MOST_ROWS,
        pictures=[embed(picture) for picture in pictures],
        absent=absent,
        sees_the_region=prose.sees_the_region(results) if results.drawn_masks else None,
        quality_page=PAGE_NAME if studies else None,
        methods=methods.methods(results),
        provenance=prose.provenance_lines(results),
        notes=prose.reading_notes(results),
        any_untrained=labels.needs_untrained_label(results, results.rows),
    )


def _write_or_remove(path: Path, content: str | bytes | None) -> None:
    """A file left from an earlier report would be taken for a result of this one."""
    if content is not None:
        as_bytes = content.encode() if isinstance(content, str) else content
        atomic_write(path, lambda stream: stream.write(as_bytes))
    elif path.exists():
        _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StorageError(f"{path}: out of date, but cannot be removed ({error.strerror}). Remove it.") from error
