"""Tables of the patients: who they are, site by site where folds keep sites apart, and who was left out."""

from __future__ import annotations

from engram.evaluation.results import StudyResults
from engram.report.formats import EN_DASH, months, share
from engram.report.layout import Column, Table

_JOINED = "Sites of fewer than 10 patients are joined into one column of 10 or more, so that it tells of no person."


def cohort_table(results: StudyResults) -> Table:
    """The patients as analysed: outcome, follow-up, covariates. Times in months."""
    cohort, dash = results.cohort, EN_DASH
    outcome = [
        ("Patients", "", str(cohort.n), dash),
        (cohort.endpoint, "event", share(cohort.events, cohort.n), dash),
        (cohort.endpoint, "censored", share(cohort.censored, cohort.n), dash),
        ("Median observed time (months)", "all", months(cohort.median_time), dash),
        ("Median observed time (months)", "event", months(cohort.median_time_events), dash),
        ("Median observed time (months)", "censored", months(cohort.median_time_censored), dash),
        ("Median follow-up (months)", "reverse Kaplan-Meier", months(cohort.median_follow_up), dash),
    ]
    covariates = [(c.variable, c.level, c.value, str(c.missing)) for c in cohort.characteristics]
    columns = (Column("Characteristic"), Column("Level"), Column("Value", "number"), Column("Missing", "number"))
    return Table("cohort", columns, (*outcome, *covariates), _cohort_notes(results))


def _cohort_notes(results: StudyResults) -> tuple[str, ...]:
    continuous = any(not c.level for c in results.cohort.characteristics)
    counted = any(c.level for c in results.cohort.characteristics)
    unreached = results.cohort.median_follow_up is None
    return (
        *["Continuous covariates: mean (standard deviation) of the known values."] * continuous,
        *["Levels: patients (share of all patients)."] * counted,
        *["Median follow-up –: not reached, the reverse Kaplan-Meier curve stays above one half."] * unreached,
    )


def groups_table(results: StudyResults) -> Table:
    """The same patients, one column a group of the splits; no lines where there are no groups."""
    cohort = results.cohort
    heads = [Column(group.name, "number") for group in cohort.groups]
    lines = [
        ("Patients", "", *(str(group.n) for group in cohort.groups)),
        (cohort.endpoint, "event", *(share(group.events, group.n) for group in cohort.groups)),
        *((one.variable, one.level, *one.by_group) for one in cohort.characteristics),
    ]
    columns = (Column("Characteristic"), Column("Level"), *heads)
    return Table(
        "cohort_by_group", columns, tuple(lines) if cohort.groups else (), (*_cohort_notes(results), _JOINED)
    )


def flow_table(results: StudyResults) -> Table:
    """The exclusion flow, one line a reason."""
    flow, lines = results.flow, [("Rows of the manifest", "", "", str(results.flow.pool))]
    for step in flow.steps:
        reasons = sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
        lines += [(step.title, reason, str(count), "") for reason, count in reasons]
        lines.append((step.title, "all", str(step.excluded), str(step.remaining)))
    lines.append(("Analysed", "", "", str(flow.analysed)))
    columns = (Column("Step"), Column("Reason"), Column("Left out", "number"), Column("Remain", "number"))
    return Table("flow", columns, tuple(lines))
