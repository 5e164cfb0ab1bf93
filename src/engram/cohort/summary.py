"""The cohort as analysed: follow-up and baseline characteristics (paper 2.1)."""

from __future__ import annotations

from collections import Counter
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

_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Characteristic:
    """One line of the cohort table. level: "" where the covariate is continuous.

    value: "mean (sd)", or "n (share of all patients)". missing: patients without the covariate, the same on every
    line of that covariate.
    """

    variable: str
    level: str
    value: str
    missing: int


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


def summarise(records: Sequence[PatientRecord], config: StudyConfig) -> CohortSummary:
    """Describe the patients that are analysed. Raises CohortError where there are none.

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
    return CohortSummary(
        n=len(records),
        events=events,
        censored=len(records) - events,
        median_time=float(np.median(months)),
        median_time_events=_median(months[outcome.event]),
        median_time_censored=_median(months[~outcome.event]),
        median_follow_up=median_follow_up_months(outcome),
        endpoint=config.outcome.name,
        characteristics=_characteristics(records, config),
    )


def median_follow_up_months(outcome: SurvivalOutcome) -> float | None:
    """Reverse Kaplan-Meier median in months: censoring is the event. None where the curve stays above one half."""
    curve = KaplanMeierFitter().fit(outcome.time_months, event_observed=~outcome.event)
    median = float(curve.median_survival_time_)
    return median if np.isfinite(median) else None


def _median(values: npt.NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if values.size else None


def _characteristics(records: Sequence[PatientRecord], config: StudyConfig) -> tuple[Characteristic, ...]:
    lines: list[Characteristic] = []
    for name, covariate in config.covariates.items():
        values = [record.covariates[name] for record in records]
        lines += (
            _continuous(name, covariate, values)
            if covariate.kind == "continuous"
            else _levels(name, covariate, values)
        )
    return tuple(lines)


def _continuous(name: str, covariate: Covariate, values: Sequence[float | str | None]) -> list[Characteristic]:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    label = name if covariate.unit == "1" else f"{name} ({covariate.unit})"
    return [Characteristic(label, "", _mean_sd(known), len(values) - known.size)]


def _mean_sd(values: npt.NDArray[np.float64]) -> str:
    """Mean and sample standard deviation, with two significant digits of it, at least one decimal."""
    if not values.size:
        return "-"
    if values.size == 1:
        return f"{values[0]:.1f} (-)"
    sd = float(np.std(values, ddof=1))
    decimals = min(max(1, 1 - int(np.floor(np.log10(sd)))), _MOST_DECIMALS) if sd > 0 else 1
    return f"{np.mean(values):.{decimals}f} ({sd:.{decimals}f})"


def _levels(name: str, covariate: Covariate, values: Sequence[float | str | None]) -> list[Characteristic]:
    counts = Counter(str(value) for value in values if value is not None)
    missing = len(values) - counts.total()
    shares = [(level, counts[level]) for level in covariate.levels or sorted(counts)]
    if missing and covariate.missing == "level":
        shares.append((MISSING_LEVEL, missing))
    return [
        Characteristic(name, level, f"{count} ({100 * count / len(values):.1f} %)", missing)
        for level, count in shares
    ]
