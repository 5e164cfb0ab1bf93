"""The saved leakage audit of a study: what was asked, and what was found (audit.json, in docs/results.md)."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from engram.errors import StorageError
from engram.evaluation.record import Record
from engram.files import write_text

AUDIT_VERSION = 1
NOT_AUDITED = (
    "Audited is what is made from the study table. What made the table itself was not: features, embeddings, masks "
    "and the choice of covariates and patients. Whether outcomes had a part in these, only their makers know."
)


class AuditCheck(Record):
    """One question. passed: None where there is nothing to pass, only something to know. No patient is named."""

    name: str  # short, as "test patients altered"
    question: str  # as "Does anything that training makes change with the patients of the test fold?"
    passed: bool | None
    detail: str  # what was done and found, in a sentence or two


class PermutedRow(Record):
    """One row after its outcomes were permuted over the patients, again and again: chance is 0.5."""

    row: str
    c_index: list[float | None]  # mean over the folds, of each permutation
    mean: float | None  # of these
    lower: float | None  # 95 % interval of `mean` (t), over permutations
    upper: float | None


class AuditHashes(Record):
    """SHA-256 of what the audit looked at. `study` and `manifest` are those of the results it belongs to."""

    study: str
    manifest: str
    weights: str | None
    folds: str  # which patient is in which fold, by position in the table
    data: str  # covariates, embeddings and outcomes of the table
    code: str  # of this package, where it decides risks, and of its libraries


class Audit(Record):
    """A whole audit. rows: those whose training was repeated with altered test patients, on `folds` (from 1)."""

    audit_version: int = AUDIT_VERSION
    study: str  # name
    patients: int
    rows: list[str]
    rows_of_study: int
    folds: list[int]
    checks: list[AuditCheck]
    permuted: list[PermutedRow]
    hashes: AuditHashes

    @property
    def failed(self) -> list[AuditCheck]:
        """The checks that did not pass."""
        return [check for check in self.checks if check.passed is False]


def save_audit(audit: Audit, path: Path) -> Path:
    """Write `audit.json` atomically."""
    return write_text(path, audit.model_dump_json(indent=2) + "\n")


def load_audit(path: Path) -> Audit:
    """Read `audit.json`; raises StorageError where it is missing, damaged or of another version."""
    try:
        return Audit.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: no audit here yet. Run 'engram audit' first.") from error
    except ValidationError as error:
        raise StorageError(f"{path}: not an audit of this version of Engram. Run 'engram audit' again.") from error
