"""The leakage audit on the page: what was asked, what was found, and whether it is an audit of these results."""

from __future__ import annotations

from dataclasses import dataclass

from engram.evaluation.audit_records import NOT_AUDITED, Audit, AuditCheck
from engram.evaluation.audit_results import unlike
from engram.evaluation.results import StudyResults
from engram.report.formats import interval, number
from engram.report.layout import Column, Table

CHECKS, PERMUTED = "audit", "audit_permuted"
ANOTHER = (
    "audit.json is here, but it is not of these results: its study file, manifest, weights, data or code were "
    "others. Run 'engram audit', then 'report'."
)
_PERMUTED = (
    "c-index of rows whose outcomes were permuted over the patients, averaged over the permutations, with its 95 % "
    "interval; 0.5 is chance, and what a row without a leak should give."
)


@dataclass(frozen=True)
class AuditSection:
    """verdict: in a few words. sentences: what was looked at. tables: checks and permuted rows, by name."""

    verdict: str
    sentences: tuple[str, ...]
    tables: dict[str, Table]


def audit_section(audit: Audit | None, results: StudyResults) -> AuditSection | None:
    """The section; None without an audit. An audit of another study, or of other data, shows nothing but that."""
    if audit is None:
        return None
    if not _is_of(audit, results):
        return AuditSection("Not audited.", (ANOTHER,), {})
    tables = {table.name: table for table in (_checks(audit), _permuted(audit)) if table.rows}
    return AuditSection(_verdict(audit), _sentences(audit), tables)


def _is_of(audit: Audit, results: StudyResults) -> bool:
    return not unlike(results.provenance, audit.hashes)


def _verdict(audit: Audit) -> str:
    if audit.failed:
        return f"{len(audit.failed)} of {_asked(audit)} checks failed: do not believe these results."
    return (
        f"No leak found after the study table was made: {_asked(audit)} of {_asked(audit)} checks passed. "
        f"{NOT_AUDITED}"
    )


def _asked(audit: Audit) -> int:
    return sum(check.passed is not None for check in audit.checks)


def _sentences(audit: Audit) -> tuple[str, ...]:
    folds = ", ".join(map(str, audit.folds))
    return (
        f"Training was repeated for {len(audit.rows)} of {audit.rows_of_study} rows, fold {folds}, of "
        f"{audit.patients} patients. An audit can show a leak; that it finds none is no proof that there is none.",
        f"Digests (SHA-256): folds {audit.hashes.folds[:12]}, data {audit.hashes.data[:12]}, code "
        f"{audit.hashes.code[:12]}.",
    )


def _checks(audit: Audit) -> Table:
    columns = (Column("Check"), Column("Question"), Column("Result"), Column("What was done and found"))
    lines = [(check.name, check.question, _result(check), check.detail) for check in audit.checks]
    return Table(CHECKS, columns, tuple(lines))


def _result(check: AuditCheck) -> str:
    return "to know" if check.passed is None else "passed" if check.passed else "FAILED"


def _permuted(audit: Audit) -> Table:
    columns = (
        Column("Row"), Column("Permutations", "number"), Column("c-index", "number"), Column("95 % CI", "number"),
    )  # fmt: skip
    lines = [
        (one.row, str(len(one.c_index)), number(one.mean), interval(one.lower, one.upper)) for one in audit.permuted
    ]
    return Table(PERMUTED, columns, tuple(lines), (_PERMUTED,))
