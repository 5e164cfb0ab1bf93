"""The patients of a synthetic cohort, all numbers drawn, no image made yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from engram.cohort.phantom.body import Body, draw_body
from engram.cohort.phantom.clinical import Clinical, ClinicalTruth, draw_clinical, hide
from engram.cohort.phantom.disease import Disease, draw_disease
from engram.cohort.phantom.settings import PhantomSettings
from engram.cohort.phantom.survival import Chance, TrueLogHazard, Vector, draw_outcome
from engram.outcome import SurvivalOutcome

Fault = Literal["no_pet_file", "pet_elsewhere", "no_bones", "no_clinical", "no_outcome"]

# One extra patient each, after the n that can be analysed: every door of the exclusion flow is used.
FAULTS: tuple[Fault, ...] = ("no_pet_file", "pet_elsewhere", "no_bones", "no_clinical", "no_outcome", "no_outcome")

# Streams of random numbers of one patient; each is independent of the others.
_CLINICAL, _MISSING, _BODY, _DISEASE, _CHANCE = range(5)
LESIONS, CT_NOISE, PET_NOISE = range(5, 8)


@dataclass(frozen=True)
class Patient:
    """One patient: what is recorded (`clinical`), what is true (`body`, `disease`), what is wrong (`fault`)."""

    index: int
    clinical: Clinical
    body: Body
    disease: Disease
    fault: Fault | None = None

    @property
    def id(self) -> str:
        """P0001 for the first."""
        return f"P{self.index + 1:04d}"


@dataclass(frozen=True)
class PhantomCohort:
    """All patients, with outcome and truth in the same order; the first `settings.n_patients` are without fault."""

    settings: PhantomSettings
    patients: tuple[Patient, ...]
    outcome: SurvivalOutcome
    truth: TrueLogHazard


def stream(settings: PhantomSettings, index: int, name: int) -> np.random.Generator:
    """The random numbers of one patient for one purpose."""
    return np.random.default_rng([settings.seed, index, name])


def draw_cohort(settings: PhantomSettings) -> PhantomCohort:
    """Draw every patient, the true log-hazards and the outcomes."""
    faults: tuple[Fault | None, ...] = (None,) * settings.n_patients + (FAULTS if settings.faults else ())
    clinical = [draw_clinical(stream(settings, k, _CLINICAL)) for k in range(len(faults))]
    patients = tuple(_draw_patient(settings, k, clinical[k], fault) for k, fault in enumerate(faults))
    truth = TrueLogHazard(
        _scaled([c.log_hazard for c in clinical], settings.clinical_strength, settings.n_patients),
        _scaled(_imaging_part(patients, settings), settings.imaging_strength, settings.n_patients),
    )
    outcome = draw_outcome(
        truth,
        _draw_chance(settings, len(patients)),
        event_rate=settings.event_rate,
        median_months=settings.median_months,
        n_calibrated=settings.n_patients,
    )
    return PhantomCohort(settings, patients, outcome, truth)


def manifest(cohort: PhantomCohort) -> pd.DataFrame:
    """The cohort table: ids, covariates, outcome, image files, truth; blank where nothing is recorded."""
    rows = []
    for k, patient in enumerate(cohort.patients):
        covariates = asdict(patient.clinical)
        if patient.fault == "no_clinical":
            covariates = dict.fromkeys(covariates)
        known = patient.fault != "no_outcome"
        rows.append(
            {
                "patient_id": patient.id,
                **covariates,
                "pfs_months": f"{cohort.outcome.time[k]:.1f}" if known else None,
                "progression": str(int(cohort.outcome.event[k])) if known else None,
                **{kind: f"images/{patient.id}_{kind}.nii.gz" for kind in ("ct", "pet", "labels")},
                "true_clinical": f"{cohort.truth.clinical[k]:.6f}",
                "true_imaging": f"{cohort.truth.imaging[k]:.6f}",
                "true_total": f"{cohort.truth.total[k]:.6f}",
            }
        )
    return pd.DataFrame(rows, dtype=object)


def _draw_patient(settings: PhantomSettings, k: int, truth: ClinicalTruth, fault: Fault | None) -> Patient:
    return Patient(
        index=k,
        clinical=hide(truth.complete, stream(settings, k, _MISSING)),
        body=draw_body(stream(settings, k, _BODY), male=truth.complete.sex == "M"),
        disease=draw_disease(stream(settings, k, _DISEASE), severity=truth.severity),
        fault=fault,
    )


def _draw_chance(settings: PhantomSettings, count: int) -> Chance:
    luck = [stream(settings, k, _CHANCE) for k in range(count)]
    return Chance(np.array([rng.exponential() for rng in luck]), np.array([rng.random() for rng in luck]))


def _imaging_part(patients: Sequence[Patient], settings: PhantomSettings) -> Vector:
    """Diffuse and focal disease in equal parts, or focal disease alone."""
    focal = _scaled([p.disease.focal_burden for p in patients], 1.0, settings.n_patients)
    if settings.hazard_from == "lesions":
        return focal
    return focal + _scaled([p.disease.diffuse for p in patients], 1.0, settings.n_patients)


def _scaled(values: Sequence[float] | Vector, strength: float, n_calibrated: int) -> Vector:
    """Centred, standard deviation `strength`, both over the first `n_calibrated`; 0 where all are equal."""
    vector = np.asarray(values, dtype=np.float64)
    reference = vector[:n_calibrated]
    spread = float(reference.std())
    return np.asarray((vector - reference.mean()) * (strength / spread if spread > 0 else 0.0))
