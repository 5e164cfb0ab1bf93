"""The cohort as analysed: follow-up and baseline characteristics (paper 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lifelines import KaplanMeierFitter

from engram.cohort.records import PatientRecord
from engram.config import Covariate, StudyConfig
from engram.errors import CohortError
from engram.outcome import SurvivalOutcome

MISSING_LEVEL = "missing"
FEWEST = 10  # patients of a site that has a column of its own: smaller cells would tell of persons

Value = float | str | None

_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Characteristic:
    """One line of the cohort table. level: "" where the covariate is continuous.

    value: "mean (sd)", or "n (share of all patients)". missing: patients without the covariate, the same on every
    line of that covariate. by_group: the same as `value`, for each of the summary's groups.
    """

    variable: str
    level: str
    value: str
    missing: int
    by_group: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupSummary:
    """One site: how many patients, and how many of them had the event."""

    name: str
    n: int
    events: int


@dataclass(frozen=True)
class CohortSummary:
    """Counts of patients, and times in months; a median is None where there is none."""

    n: int
    events: int
    censored: int
    median_time: float
    median_time_events: float | None
    median_time_censored: float | None
    median_follow_up: float | None
    endpoint: str
    characteristics: tuple[Characteristic, ...]
    groups: tuple[GroupSummary, ...] = ()


def summarise(records: Sequence[PatientRecord], config: StudyConfig) -> CohortSummary:
    """Describe the patients that are analysed, and those of each site where the splits keep sites apart. Raises
    CohortError where there are none.

    `median_time` is the plain median of observed times, events and censored alike, as in the paper;
    `median_follow_up` is the reverse Kaplan-Meier median (Schemper and Smith, 1996).
    """
    if not records:
        raise CohortError("nobody is left to describe (n = 0). Mend the exclusions that 'engram check' lists.")
    outcome = SurvivalOutcome(
        np.array([record.event for record in records]),
        np.array([record.time for record in records]),
        config.outcome.unit,
    )
    months, events = outcome.time_months, int(outcome.event.sum())
    parts = _by_group(records)
    return CohortSummary(
        n=len(records),
        events=events,
        censored=len(records) - events,
        median_time=float(np.median(months)),
        median_time_events=_median(months[outcome.event]),
        median_time_censored=_median(months[~outcome.event]),
        median_follow_up=median_follow_up_months(outcome),
        endpoint=config.outcome.name,
        characteristics=_characteristics(records, list(parts.values()), config),
        groups=tuple(
            GroupSummary(name, len(part), sum(records[i].event for i in part)) for name, part in parts.items()
        ),
    )


def _by_group(records: Sequence[PatientRecord]) -> dict[str, list[int]]:
    """Positions of the patients of each site, the largest first; none where patients have no site.

    Small sites are joined, with the next larger one where they are few together, so that no column is of fewer than
    `FEWEST` patients, not even by subtraction. None where one column only would be left.
    """
    parts: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        if record.group is not None:
            parts.setdefault(record.group, []).append(place)
    return _joined(dict(sorted(parts.items(), key=lambda item: (-len(item[1]), item[0]))))


def _joined(parts: dict[str, list[int]]) -> dict[str, list[int]]:
    """parts: the largest first."""
    if not parts or len(parts[next(reversed(parts))]) >= FEWEST:
        return parts
    rest, others, count = dict(parts), list[int](), 0
    while rest and (len(others) < FEWEST or len(rest[next(reversed(rest))]) < FEWEST):
        others += rest.popitem()[1]
        count += 1
    if not rest:
        return {}
    return {**rest, f"{count} other sites": sorted(others)}


def median_follow_up_months(outcome: SurvivalOutcome) -> float | None:
    """Reverse Kaplan-Meier median in months: censoring is the event. None where the curve stays above one half."""
    curve = KaplanMeierFitter().fit(outcome.time_months, event_observed=~outcome.event)
    median = float(curve.median_survival_time_)
    return median if np.isfinite(median) else None


def _median(values: npt.NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if values.size else None


def _characteristics(
    records: Sequence[PatientRecord], groups: Sequence[Sequence[int]], config: StudyConfig
) -> tuple[Characteristic, ...]:
    """groups: positions of the patients of each."""
    lines: list[Characteristic] = []
    for name, covariate in config.covariates.items():
        values = [record.covariates[name] for record in records]
        of_groups = [[values[place] for place in group] for group in groups]
        missing = sum(value is None for value in values)
        if covariate.kind == "continuous":
            label = name if covariate.unit == "1" else f"{name} ({covariate.unit})"
            lines.append(Characteristic(label, "", _mean_sd(values), missing, tuple(map(_mean_sd, of_groups))))
            continue
        for level, text in _levels(covariate, values):
            shares = tuple(_share(level, group) for group in of_groups)
            lines.append(Characteristic(name, text, _share(level, values), missing, shares))
    return tuple(lines)


def _levels(covariate: Covariate, values: Sequence[Value]) -> list[tuple[str | None, str]]:
    """The levels with their names in the table; None is a level where the study says so and someone lacks it."""
    known = covariate.levels or sorted({str(value) for value in values if value is not None})
    levels: list[tuple[str | None, str]] = [(level, level) for level in known]
    own = covariate.missing == "level" and any(value is None for value in values)
    return [*levels, (None, MISSING_LEVEL)] if own else levels


def _share(level: str | None, values: Sequence[Value]) -> str:
    """How many have the level, and their share of all, those without any included."""
    count = sum(value is None if level is None else value is not None and str(value) == level for value in values)
    return f"{count} ({100 * count / len(values):.1f} %)"


def _mean_sd(known_or_none: Sequence[Value]) -> str:
    """Mean and sample standard deviation, with two significant digits of it, at least one decimal."""
    values = np.array([value for value in known_or_none if value is not None], dtype=np.float64)
    if not values.size:
        return "-"
    if values.size == 1:
        return f"{values[0]:.1f} (-)"
    sd = float(np.std(values, ddof=1))
    decimals = min(max(1, 1 - int(np.floor(np.log10(sd)))), _MOST_DECIMALS) if sd > 0 else 1
    return f"{np.mean(values):.{decimals}f} ({sd:.{decimals}f})"
