"""explain.json: what was explained of a study, for the report. It names no patient."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from engram.errors import StorageError
from engram.evaluation.attribution_records import Attribution, MapControl
from engram.evaluation.audit_records import AuditHashes
from engram.evaluation.explanation_records import CovariateEffects, ExplainedModel, GradCamPeak
from engram.evaluation.record import Record
from engram.files import write_text

EXPLAIN_VERSION = 1


class PatientMap(Record):
    """One map of one patient."""

    patient: int  # number in the study's order, from 1
    fold: int  # test fold, from 1
    occluded: str  # the scans whose patches were filled together, as "PET + CT"
    risk: float  # log-risk of the whole images by the model of this fold
    patches: int
    unread: int  # of these, patches that touch no slice that is read, and so change nothing
    lowest: float  # change of the log-risk when a patch is occluded: the largest fall
    highest: float  # and the largest rise
    overlay: str  # file of the overlay, in the folder `explain`


class Explanation(Record):
    """Everything that the report says of one row."""

    explain_version: int = EXPLAIN_VERSION
    hashes: AuditHashes  # of what it was made from, as of an audit
    untrained: bool
    row: str
    modalities: list[str]  # scans of the row
    roi: str
    readout: str
    patch_mm: list[float]  # (z, y, x)
    stride_mm: list[float]
    fill: str
    mode: Literal["exact", "fast"]
    tolerance: float | None  # of `fast`
    maps: list[PatientMap]
    attribution: Attribution | None = None  # None without anatomical parts
    controls: list[MapControl] = Field(default_factory=list)
    models: list[ExplainedModel]
    covariates: CovariateEffects | None = None  # None where the row sees none
    grad_cam: list[GradCamPeak] = Field(default_factory=list)  # of the averaging CNN


def save_explanation(explanation: Explanation, path: Path) -> Path:
    """Write explain.json atomically."""
    return write_text(path, explanation.model_dump_json(indent=2) + "\n")


def load_explanation(path: Path) -> Explanation:
    """Read explain.json. Raises StorageError where it is damaged or of another version."""
    try:
        found = Explanation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise StorageError(f"{path}: damaged, or of another version. Run 'engram explain' again.") from error
    if found.explain_version != EXPLAIN_VERSION:
        raise StorageError(f"{path}: of version {found.explain_version}. Run 'engram explain' again.")
    return found
