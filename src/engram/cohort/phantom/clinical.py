"""Clinical covariates of the phantom: the paper's names, its margins and its missingness (paper 2.1, 2.3.2).

Every value is first drawn in full (the latent truth, which the hazard reads) and only then partly hidden. A latent
severity, standard normal, ties the labs and R-ISS together; imaging follows it only weakly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

R_ISS_LEVELS = ("I", "II", "III")
R_ISS_SHARES = (0.290, 0.562, 0.148)  # 49, 95 and 25 of the 169 staged patients
ISOTYPES = ("IgG", "IgA", "light chain", "other")
LIGHT_CHAINS = ("kappa", "lambda")

MISSING_SHARE = {
    "creatinine": 0.03,
    "hemoglobin": 0.02,
    "platelets": 0.02,
    "calcium": 0.05,
    "isotype": 0.02,
    "light_chain": 0.03,
    "r_iss": 0.256,
    "creatinine_clearance": 0.60,
}


@dataclass(frozen=True)
class Clinical:
    """One patient at diagnosis. None where the value is not recorded.

    age years; creatinine mg/dL; hemoglobin g/dL; platelets 10^9/L; calcium mg/dL; creatinine_clearance mL/min.
    """

    age: float
    sex: str
    creatinine: float | None
    hemoglobin: float | None
    platelets: float | None
    calcium: float | None
    isotype: str | None
    light_chain: str | None
    r_iss: str | None
    creatinine_clearance: float | None


@dataclass(frozen=True)
class ClinicalTruth:
    """What is true of one patient, recorded or not; `log_hazard` has an arbitrary scale, higher is worse."""

    severity: float
    complete: Clinical
    log_hazard: float


def draw_clinical(rng: np.random.Generator) -> ClinicalTruth:
    """Draw the full, true covariates of one patient."""
    severity, male = float(rng.standard_normal()), bool(rng.random() < 0.581)
    age = float(np.clip(rng.normal(62.5, 9.7), 30, 90))

    def noise(share: float) -> float:
        """A standard normal of which `share` (of the standard deviation) follows the severity."""
        return share * severity + float(np.sqrt(1 - share**2) * rng.standard_normal())

    creatinine = float(np.clip(0.98 * np.exp(0.38 * noise(0.55)) * (1.08 if male else 0.9), 0.4, 9))
    stage = int(np.searchsorted(_stage_limits(), noise(0.7)))
    complete = Clinical(
        age=round(age, 1),
        sex="M" if male else "F",
        creatinine=round(creatinine, 2),
        hemoglobin=round(float(np.clip((11.3 if male else 10.6) - 1.9 * noise(0.6), 5, 17)), 1),
        platelets=round(float(np.clip(215 * np.exp(-0.36 * noise(0.4)), 20, 700))),
        calcium=round(float(np.clip(9.3 * np.exp(0.09 * noise(0.4)), 7, 16)), 1),
        isotype=str(rng.choice(ISOTYPES, p=[0.55, 0.22, 0.17, 0.06])),
        light_chain=str(rng.choice(LIGHT_CHAINS, p=[0.64, 0.36])),
        r_iss=R_ISS_LEVELS[stage],
        creatinine_clearance=round(
            _clearance(age, creatinine, float(rng.normal(76 if male else 66, 10)), male=male)
        ),
    )
    return ClinicalTruth(severity, complete, _log_hazard(complete))


def hide(complete: Clinical, rng: np.random.Generator) -> Clinical:
    """Remove values completely at random, each covariate with its own share."""
    hidden: dict[str, Any] = {name: None for name, share in MISSING_SHARE.items() if rng.random() < share}
    return replace(complete, **hidden)


def _stage_limits() -> tuple[float, float]:
    # Standard-normal quantiles of the shares of R-ISS I and of I + II.
    return -0.5534, 1.0450


def _clearance(age: float, creatinine: float, weight_kg: float, *, male: bool) -> float:
    """Cockcroft-Gault, mL/min."""
    value = (140 - age) * weight_kg / (72 * creatinine) * (1 if male else 0.85)
    return float(np.clip(value, 8, 180))


def _log_hazard(c: Clinical) -> float:
    """Weights are chosen for the phantom; they are no estimate of anything."""
    labs = (c.creatinine, c.hemoglobin, c.platelets, c.calcium)
    creatinine, hemoglobin, platelets, calcium = (float(value or 0) for value in labs)
    return (
        0.40 * (c.age - 62.5) / 9.7
        + 0.25 * float(np.log(creatinine)) / 0.38
        - 0.35 * (hemoglobin - 11.0) / 1.9
        - 0.20 * float(np.log(platelets / 215)) / 0.36
        + 0.15 * float(np.log(calcium / 9.3)) / 0.09
        + 0.55 * R_ISS_LEVELS.index(c.r_iss or "I")
        + (0.15 if c.sex == "M" else 0.0)
    )
