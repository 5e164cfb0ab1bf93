"""Whether the study file and the header of the cohort table fit each other, before any patient is read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from engram.cohort.cells import Sheet, is_date, is_missing, parse_number, parse_when
from engram.config import Covariate, StudyConfig
from engram.errors import Problem

_LISTED_COLUMNS = 20
_EXAMPLES = 3
_ANSWERS = ("outcome", "truth")
_MONTH = re.compile(r"(0?[1-9]|1[0-2])\.(19|20)\d\d", re.ASCII)  # 03.2019


@dataclass(frozen=True)
class _Role:
    """What the study file uses a column for. `field` is the place in the study file, as 'outcome.time'; `set_by`
    the field that names the column, where that is another."""

    field: str
    column: str
    set_by: str = ""

    @property
    def section(self) -> str:
        return self.field.split(".")[0]


def covariate_column(name: str, covariate: Covariate) -> str:
    """The column of a covariate: the one it declares, or its own name."""
    return covariate.column or name


def check_columns(config: StudyConfig, sheet: Sheet) -> list[Problem]:
    """All that is wrong with the columns as the study file declares them.

    Missing columns (with the nearest name there is), columns of two uses (leakage, where one is a covariate),
    and levels that cannot be told apart from each other or from a missing cell.
    """
    roles = list(_roles(config))
    absent = [_absent(role, _candidates(role, roles, sheet)) for role in roles if role.column not in sheet.columns]
    levels = [*_unreadable_levels(config), *_sibling_levels(config, sheet)]
    return [*absent, *_clashes(roles), *levels, *_sibling_sites(config, sheet), *_times(config, sheet)]


def _roles(config: StudyConfig) -> Iterator[_Role]:
    if config.patient_id is not None:
        yield _Role("patient_id", config.patient_id)
    yield _Role("outcome.time", config.outcome.time)
    yield _Role("outcome.event", config.outcome.event)
    for name, covariate in config.covariates.items():
        field = f"covariates.{name}"
        yield _Role(field, covariate_column(name, covariate), f"{field}.column")
    for field, split_column in (("group", config.evaluation.group), ("order", config.evaluation.order)):
        if split_column is not None:
            yield _Role(f"evaluation.{field}", split_column)
    yield from _image_roles(config)
    if config.truth is not None:
        yield _Role("truth.clinical", config.truth.clinical)
        yield _Role("truth.imaging", config.truth.imaging)
        yield _Role("truth.total", config.truth.total)


def _image_roles(config: StudyConfig) -> Iterator[_Role]:
    if config.images is None:
        return
    for modality, column in config.scan_columns.items():
        yield _Role(f"images.{modality.lower()}", column)
    for scheme, column in config.images.label_columns.items():
        field = "images.labels" if isinstance(config.images.labels, str) else f"images.labels.{scheme}"
        yield _Role(field, column)
    for name, roi in config.rois.items():
        if roi.mask is not None:
            yield _Role(f"rois.{name}.mask", roi.mask)


def _candidates(role: _Role, roles: list[_Role], sheet: Sheet) -> list[str]:
    """Columns that may be meant: for a covariate, never one that holds the answer or the patient's name."""
    forbidden = {other.column.casefold() for other in roles if other.section in (*_ANSWERS, "patient_id")}
    covariate = role.section == "covariates"
    return [column for column in sheet.columns if not (covariate and column.casefold() in forbidden)]


def _absent(role: _Role, columns: list[str]) -> Problem:
    what = f"the table has no such column, but {role.field} names it"
    if not columns:
        return Problem(what, f"Add the column, or remove {role.field} from the study file.", column=role.column)
    by_lower = {column.lower(): column for column in columns}
    near = get_close_matches(role.column.lower(), list(by_lower), n=1)
    shown = ", ".join(columns[:_LISTED_COLUMNS]) + (", ..." if len(columns) > _LISTED_COLUMNS else "")
    guess = f"Did you mean '{by_lower[near[0]]}'? " if near else ""
    mend = f"{guess}Set {role.set_by or role.field} in the study file to one of: {shown}."
    return Problem(what, mend, column=role.column)


def _clashes(roles: list[_Role]) -> list[Problem]:
    uses: dict[str, list[_Role]] = defaultdict(list)
    for role in roles:
        uses[role.column].append(role)
    return [_clash(column, users) for column, users in uses.items() if not _may_share(users)]


def _may_share(users: list[_Role]) -> bool:
    return len(users) == 1 or all(role.section == "rois" for role in users)


def _clash(column: str, users: list[_Role]) -> Problem:
    fields = " and ".join(role.field for role in users)
    covariates = [role.field for role in users if role.section == "covariates"]
    others = [role.section for role in users if role.section != "covariates"]
    if covariates and any(section in _ANSWERS for section in others):
        what = f"leakage: {fields} are one column, so the model would be given the answer"
        return Problem(what, f"Remove {covariates[0]} from the study file.", column=column)
    if covariates and "patient_id" in others:
        what = f"leakage: {fields} are one column, so the model could know each patient by name"
        return Problem(what, f"Remove {covariates[0]} from the study file.", column=column)
    return Problem(f"{fields} are one column", "Give each a column of its own.", column=column)


def _unreadable_levels(config: StudyConfig) -> list[Problem]:
    return [
        Problem(
            f"level {level!r} of covariates.{name} reads as a missing cell",
            "Give the level another name, in the study file and in the table.",
            column=covariate_column(name, covariate),
            value=level,
        )
        for name, covariate in config.covariates.items()
        for level in covariate.levels or ()
        if is_missing(level)
    ]


def _sibling_levels(config: StudyConfig, sheet: Sheet) -> list[Problem]:
    """Undeclared levels that differ in case only: 'Male' and 'male' would become two indicator columns."""
    open_ones = {n: c for n, c in config.covariates.items() if c.kind == "categorical" and c.levels is None}
    return [
        Problem(
            f"covariates.{name} has levels that differ in case only",
            f"Write them in one way, or declare covariates.{name}.levels.",
            column=covariate_column(name, covariate),
            value=", ".join(sorted(spellings)),
        )
        for name, covariate in open_ones.items()
        for spellings in _spellings(sheet, covariate_column(name, covariate))
        if len(spellings) > 1
    ]


def _sibling_sites(config: StudyConfig, sheet: Sheet) -> list[Problem]:
    """'Graz' and 'graz' would be two sites, one in training and one in test."""
    column = config.evaluation.group
    return [
        Problem(
            "evaluation.group has sites that differ in case only",
            "Write each site in one way.",
            column=column,
            value=", ".join(sorted(spellings)),
        )
        for spellings in (_spellings(sheet, column) if column is not None else [])
        if len(spellings) > 1
    ]


def _times(config: StudyConfig, sheet: Sheet) -> list[Problem]:
    column = config.evaluation.order
    cells = [text for row in sheet.rows if column is not None and (text := row.cells.get(column))]
    return [*_unreadable_times(column, cells), *_mixed_times(column, cells)]


def _unreadable_times(column: str | None, cells: list[str]) -> list[Problem]:
    """A column in another form is one problem, not one a patient; and 03.2019 is a month, no number."""
    strange = [text for text in cells if parse_when(text) is None]
    months = [text for text in cells if _MONTH.fullmatch(text)]
    if cells and len(months) == len(cells):
        what, shown = "evaluation.order has months, which would be read as decimal numbers", months
    elif 2 * len(strange) > len(cells) > 1:
        what = (
            f"{len(strange)} of {len(cells)} cells of evaluation.order are neither numbers nor dates as 2019-03-31"
        )
        shown = strange
    else:
        return []
    mend = "Write all dates as year-month-day (2019-03-31), or all as years."
    return [Problem(what, mend, column=column, value=", ".join(dict.fromkeys(shown[:_EXAMPLES])))]


def _mixed_times(column: str | None, cells: list[str]) -> list[Problem]:
    """A year among dates says that the patient is of its first day, which is a guess."""
    dates = [text for text in cells if is_date(text)]
    numbers = [text for text in cells if parse_number(text) is not None]
    if not dates or not numbers:
        return []
    value = f"{dates[0]}, {numbers[0]}"
    what = "evaluation.order has dates and numbers, which cannot be put in order"
    return [Problem(what, "Write all as dates, or all as years.", column=column, value=value)]


def _spellings(sheet: Sheet, column: str) -> list[set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in sheet.rows:
        if text := row.cells.get(column):
            found[text.casefold()].add(text)
    return list(found.values())
