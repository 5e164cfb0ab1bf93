"""What is saved of disturbed prompts, masks and registration (sensitivity.json, in docs/results.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from engram.errors import StorageError
from engram.evaluation.audit_records import AuditHashes
from engram.evaluation.record import Record
from engram.files import write_text

ROBUSTNESS_VERSION = 1


class Stability(Record):
    """One embedding under one variant against the study's own, patient by patient; 1 is no change.

    Centred: after the mean of the study's own embeddings is taken from both.
    """

    modality: str
    roi: str
    readout: str
    rows: list[str]  # those compared that see it
    n: int  # patients
    unchanged: int  # of these, whose embedding is the study's own to the last bit
    cosine_mean: float
    cosine_p5: float  # 5th percentile over patients
    centred_mean: float | None
    centred_p5: float | None
    between: float  # mean cosine of the own embeddings of two different patients
    components: int
    constant: int  # of these, how many do not differ between patients and have no ICC
    icc_quantiles: list[float] | None  # ICC(2,1) at 5, 25, 50, 75 and 95 % of the components


class CIndexChange(Record):
    """One row under one variant. c-indices are means over the folds, of the same patients; both intervals are of
    95 %, over resampled test patients."""

    row: str
    model: Literal["frozen", "retrained"]
    n: int  # patients who test
    c_study: float | None  # with the study's own embeddings
    c_index: float | None  # with those of the variant
    ci_lower: float | None
    ci_upper: float | None
    difference: float | None  # c_index - c_study, mean over the folds that have both
    difference_lower: float | None
    difference_upper: float | None
    p_corrected: float | None  # two-sided, of no difference, for folds that share training patients
    p_adjusted: float | None = None  # Benjamini and Hochberg, over rows and variants that are no controls


class VariantResult(Record):
    """One variant of the reading."""

    name: str
    kind: Literal["prompt", "mask", "registration"]
    control: bool  # the model is not shown the region: of another region, chance (0.5) is expected
    left_out: dict[str, int] = Field(default_factory=dict)  # why and how often it could not be made of a patient
    absent: list[str] = Field(default_factory=list)  # why regions have no numbers
    stability: list[Stability]
    changes: list[CIndexChange]


class PromptSensitivity(Record):
    """Everything that `engram sensitivity` found. protocol: how settings of retrained models were found."""

    robustness_version: int = ROBUSTNESS_VERSION
    study: str  # name
    patients: int
    rows: list[str]
    protocol: Literal["fixed", "nested"]
    untrained_weights: bool
    settings: dict[str, bool | int | float | str | list[float] | list[int] | list[str] | None]  # `robustness`
    variants: list[VariantResult]
    hashes: AuditHashes


def save_sensitivity(found: PromptSensitivity, path: Path) -> Path:
    """Write `sensitivity.json` atomically."""
    return write_text(path, found.model_dump_json(indent=2) + "\n")


def load_sensitivity(path: Path) -> PromptSensitivity:
    """Read `sensitivity.json`; raises StorageError where it is missing, damaged or of another version."""
    try:
        return PromptSensitivity.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: not here yet. Run 'engram sensitivity' first.") from error
    except ValidationError as error:
        raise StorageError(
            f"{path}: damaged, or of another version of Engram. Run 'engram sensitivity' again."
        ) from error
