"""A synthetic cohort whose truth is known: PET/CT of parametric bodies with myeloma, covariates, outcomes.

It is a test of software and statistics, and no claim about biology: anatomy, uptake, covariates and hazards are
plausible in size and otherwise invented. What it gives is a known answer: true log-hazards, and so the best
c-index there is.
"""

from engram.cohort.phantom.cohort import FAULTS, Fault, Patient, PhantomCohort, draw_cohort, manifest
from engram.cohort.phantom.disease import Disease, Lesion
from engram.cohort.phantom.settings import LesionSite, PhantomSettings
from engram.cohort.phantom.survival import TrueCIndex, TrueLogHazard, true_c_index
from engram.cohort.phantom.write import write_cohort

__all__ = [
    "FAULTS",
    "Disease",
    "Fault",
    "Lesion",
    "LesionSite",
    "Patient",
    "PhantomCohort",
    "PhantomSettings",
    "TrueCIndex",
    "TrueLogHazard",
    "draw_cohort",
    "manifest",
    "true_c_index",
    "write_cohort",
]
