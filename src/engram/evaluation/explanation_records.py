"""What is saved of explanations of single risks: whose model, what moved the risk, where on the plane.

Patients have numbers, from 1 in the order of the study, and no names.
"""

from __future__ import annotations

from engram.evaluation.record import Record


class ExplainedModel(Record):
    """One model that explains the patients whom it never saw. It was fitted anew, and gives the saved risks."""

    row: str
    fold: int  # from 1
    held_out: int  # patients
    epochs: int | None  # None of ridge Cox, as `networks` is 0
    networks: int
    fingerprint: str  # SHA-256 of all that was fitted
    control: str | None = None  # what was spoiled on purpose, as "permuted outcomes"; None for the study's own


class CovariateEffect(Record):
    """How much one covariate moves the risk. Lists have one value a patient, in the order of the record above."""

    covariate: str
    mean_absolute: float  # of `values`
    ci_lower: float | None  # 95 % interval of it, over resampled test patients; None for few, or all alike
    ci_upper: float | None
    values: list[float]  # log-risk; positive raises the risk of this patient
    places: list[
        float | None
    ]  # of the patient's own value among all, 0 lowest to 1 highest; None: missing, no order
    largest_se: float | None  # standard error of the least certain of `values`; None where they are exact


class CovariateEffects(Record):
    """Shapley values of all covariates of one row, each patient by the model of the fold that left him out.

    The values of a patient add up to `risk` less `baseline`.
    """

    row: str
    patients: list[int]
    folds: list[int]  # of each patient, from 1
    risk: list[float]
    baseline: list[float]  # mean risk of the patient's images with the covariates of training patients
    background: list[int]  # how many of these, in each fold
    exact: bool  # all coalitions were counted; else permutations were drawn
    effects: list[CovariateEffect]  # in the order of the study file


class GradCamPeak(Record):
    """What Grad-CAM says of one patient and scan, beside its map. Places are shares of the axial plane."""

    row: str
    modality: str
    patient: int
    fold: int
    networks: int
    cells: list[int]  # rows and columns of the last convolution: nothing finer is seen
    highest: float  # of the map; log-risk per unit of gradient times activation
    lowest: float
    peak: list[float]  # where its absolute value is largest: down from the first row, across from the first column
    raising: float | None  # share of the absolute map that raises the risk; None where all of it is 0
