"""The saved results of a study: what the report prints, and nothing else (documented in docs/results.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from engram.errors import StorageError
from engram.evaluation.gate_records import GateShare
from engram.evaluation.performance_records import Performance
from engram.evaluation.radiomics_records import RadiomicsProvenance
from engram.evaluation.record import Record
from engram.evaluation.sensitivity_records import (
    MissingnessRow,
    MissingVariable,
    PermutationNull,
    RepeatedComparison,
    RepeatedRow,
    Splits,
)
from engram.evaluation.tuning_records import SameFolds, Search, Untuned
from engram.files import write_text

SCHEMA_VERSION = 1


class RowResult(Record):
    """One model on all folds. Lists have one value a fold, in fold order; None where a fold allows none."""

    name: str
    family: Literal["clinical", "image", "multimodal"]
    modality: str  # "PET", "CT", "Combined" or "-"
    roi: str  # "-" where the model sees no image
    readout: str  # what was kept of the memory: "final", "volume", ...; a baseline, as "pet_numbers"; or "-"
    encoder: str  # "MedSAM2", "untrained-mini", ...; that of a baseline, as "ResNet-50"; or "-"
    head: str  # "averaging", "attention", "3D CNN", "flatten", "PCA", "selection" or "-"
    fusion: str  # "concatenation", "gate" or "-"
    survival: str  # "DeepSurv" or "ridge Cox"
    c_index: list[float | None]  # Harrell's c on each test fold
    mean: float | None
    se: float | None  # sd / sqrt(folds)
    p: float | None  # one-sided one-sample t-test of c against 0.5, as in the paper
    p_two_sided: float | None = None  # the same test, two-sided
    p_corrected: float | None = None  # two-sided, for folds that share training patients
    p_adjusted: float | None = None  # p_corrected by Benjamini and Hochberg, over all rows
    ci_lower: float | None = None  # 95 % interval of the mean, over resampled test patients
    ci_upper: float | None = None
    true_c_index: list[float | None] | None = None  # c of the true log-hazard on the same test folds
    true_mean: float | None = None
    protocol: Literal["fixed", "nested", "paper"] = "fixed"  # how its settings were found
    same_folds: SameFolds | None = None  # the same row tuned on its own test folds, as in the paper
    untuned: Untuned | None = None  # the same row with the settings of `training`, where it was tuned as well
    absent: str | None = None  # why the row has no numbers, as "weights absent: ..."; then c_index holds None only


class Curve(Record):
    """A Kaplan-Meier curve as steps, in months; `at_risk` is counted at the result's `ticks_months`."""

    label: str
    n: int
    events: int
    time_months: list[float]
    survival: list[float]
    lower: list[float]
    upper: list[float]
    at_risk: list[int]


class RiskGroups(Record):
    """Patients of one row in four groups, cut at the quartiles of their own fold's training risks (paper Figure 4).

    Tests and the hazard ratio are of the last group against the first.
    """

    row: str
    curves: list[Curve]
    ticks_months: list[float]
    logrank_p: float | None  # of pooled patients, as in the paper: too small
    permutation_p: float | None  # the same test against groups that were permuted within test folds: too small, too
    corrected_p: float | None  # of the log hazard ratios of the folds, for folds that share training patients
    hazard_ratio: float | None  # within test folds; its interval takes the models as they are
    hr_lower: float | None
    hr_upper: float | None


class Comparison(Record):
    """Two rows on the same folds and patients: c-index of `row` minus that of `other`."""

    row: str
    other: str
    differs_in: str
    prespecified: bool  # declared before any result; the others explore
    difference: float | None  # mean over the folds
    se: float | None  # sd / sqrt(folds)
    ci_lower: float | None  # 95 % interval of the difference, over resampled test patients
    ci_upper: float | None
    p_two_sided: float | None  # paired t-test over folds, not corrected
    p_corrected: float | None  # the same, for folds that share training patients
    p_adjusted: float | None  # by Holm over the prespecified, by Benjamini and Hochberg over the others


class ColumnTest(Record):
    """One column of the clinical model: whether its hazard ratio is the same at all times; a small p: it is not."""

    column: str
    p: float | None
    p_adjusted: float | None  # Holm, over the columns


class ClinicalModel(Record):
    """One Cox model of the covariates of all patients. It describes the cohort; no row uses it."""

    parameters: int
    events_per_parameter: float
    likelihood_ratio: float  # chi-square of the covariates against none, and its p
    p: float
    shrinkage: float  # share of its effects that it is expected to keep in new patients
    r2: float  # Cox-Snell, times the shrinkage
    parameters_allowed: float | None  # that so many patients bear (Riley); None: r2 is beyond the criteria
    proportional_hazards: list[ColumnTest]


class IncrementalValue(Record):
    """What the out-of-fold risk of a row adds to the covariates of all patients in one Cox model."""

    row: str
    likelihood_ratio: float | None  # chi-square with one degree of freedom
    coefficient: float | None = None  # log hazard ratio of the risk; below 0 the risk works in reverse
    p: float | None  # None where it does, and so is new_information: a gain by turning the risk round is none
    p_adjusted: float | None  # Benjamini and Hochberg, over the rows
    new_information: float | None  # its share of the chi-square of covariates and risk together


class DrawnMasks(Record):
    """How the masks that the model draws lie on one region, over all patients; Dice from 0 to 1, higher is better.

    dice_quartiles: lower quartile, median, upper quartile of each patient's Dice. The curves are quartiles of the
    Dice of single slices, in bins of equal width from the first slice read to the last.
    """

    modality: str
    roi: str
    n: int
    flagged: int  # patients whose Dice lies below `limit`
    limit: float
    dice_quartiles: list[float]
    curve_lower: list[float]
    curve_median: list[float]
    curve_upper: list[float]


class FlowStep(Record):
    """One box of the exclusion flow (paper Figure 1): how many were left out here, why, and how many remain."""

    stage: Literal["imaging", "clinical", "outcome"]
    title: str
    excluded: int
    reasons: dict[str, int]
    remaining: int


class Flow(Record):
    """The exclusion flow. `pool` counts the rows of the manifest."""

    pool: int
    steps: list[FlowStep]
    analysed: int


class Characteristic(Record):
    """One line of the cohort table: a covariate, or a level of it."""

    variable: str
    level: str  # "" for a continuous covariate
    value: str  # "62.5 (9.7)" or "49 (21.6 %)"
    missing: int
    by_group: list[str] = Field(default_factory=list)  # the same for each group of the summary


class GroupSummary(Record):
    """One site, where the splits keep sites apart."""

    name: str
    n: int
    events: int


class CohortSummary(Record):
    """The cohort as analysed. Times in months."""

    n: int
    events: int
    censored: int
    median_time: float
    median_time_events: float | None
    median_time_censored: float | None
    median_follow_up: float | None  # reverse Kaplan-Meier
    endpoint: str
    characteristics: list[Characteristic]
    groups: list[GroupSummary] = Field(default_factory=list)  # the largest first


class FoldSummary(Record):
    """One test fold."""

    n: int
    events: int


class EncoderProvenance(Record):
    """An image encoder without a memory, of a baseline."""

    weights: str  # name printed in tables
    digest: str
    untrained: bool
    verified: bool  # whether the bytes are those that the authors publish
    licence: str | None  # of the weights, where it is known
    reading: str  # which slices and pixels it was shown, in words


class Provenance(Record):
    """What the numbers were made with. No dates, so that equal runs give equal files."""

    engram: str
    python: str
    libraries: dict[str, str]
    study_digest: str  # of the study file's content
    manifest_digest: str
    data_digest: str | None = None  # of the study table; None in results of before it was kept
    code_digest: str | None = None  # of the code and the libraries that decide risks
    weights: str | None  # name printed in tables
    weights_digest: str | None
    untrained_weights: bool
    verified_weights: bool  # whether the digest is one that Engram knows to be published
    encoders: dict[str, EncoderProvenance] = Field(default_factory=dict)  # by the read-out of their rows
    radiomics: RadiomicsProvenance | None = None  # None where no row reads them
    protocol: dict[str, str | int | float | bool | list[float]]
    protocol_digest: str | None
    rois: dict[str, str]  # how each region was made, in words
    mtv_threshold: str | None = (
        None  # at and above which a voxel counts for MTV and TLG; None where no row has them
    )
    training: dict[str, str | int | float | bool | list[int]]  # the study file's section, with defaults
    tuning: dict[str, str | int | bool | list[str]] = Field(default_factory=dict)  # its section `tuning`
    max_missing: float | None = None  # covariates missing in a larger share of a training fold were dropped there
    seed: int


class StudyResults(Record):
    """Everything that the report prints."""

    schema_version: int = SCHEMA_VERSION
    study: str
    source: str | None
    synthetic: bool
    warnings: list[str]
    fold_notes: list[str] = Field(default_factory=list)  # what fits left out or could not do, and in which folds
    flow: Flow
    cohort: CohortSummary
    folds: list[FoldSummary]
    rows: list[RowResult]
    comparisons: list[Comparison] = Field(default_factory=list)
    clinical_model: ClinicalModel | None = None
    incremental_value: list[IncrementalValue] = Field(default_factory=list)
    risk_groups: RiskGroups | None
    performance: Performance | None = None  # beyond the c-index
    drawn_masks: list[DrawnMasks] = Field(
        default_factory=list
    )  # one for each scan and region; empty where it was turned off
    splits: Splits | None = None
    stage: str | None = None  # the covariate that is a stage
    incremental_over_stage: list[IncrementalValue] = Field(default_factory=list)
    gates: list[GateShare] = Field(default_factory=list)  # of rows that mix two images by a gate
    repeated: list[RepeatedRow] = Field(default_factory=list)
    repeated_comparisons: list[RepeatedComparison] = Field(default_factory=list)
    permutation_null: list[PermutationNull] = Field(default_factory=list)
    missingness: list[MissingnessRow] = Field(default_factory=list)
    missing_variables: list[MissingVariable] = Field(default_factory=list)
    searches: list[Search] = Field(default_factory=list)  # what tuning looked for and found
    provenance: Provenance


def save_results(results: StudyResults, path: Path) -> Path:
    """Write `results.json` atomically."""
    return write_text(path, results.model_dump_json(indent=2) + "\n")


def load_results(path: Path) -> StudyResults:
    """Read `results.json`; raises StorageError where it is missing, damaged or of another version."""
    try:
        return StudyResults.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(
            f"{path}: no results here yet. Run 'engram run' (or 'engram evaluate') first."
        ) from error
    except ValidationError as error:
        raise StorageError(
            f"{path}: not results of this version of Engram. Run 'engram evaluate' again."
        ) from error
