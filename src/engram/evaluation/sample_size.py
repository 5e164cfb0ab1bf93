"""How many parameters a cohort bears: Riley et al., Statistics in Medicine 38 (2019) 1276, criteria 1 and 2."""

from __future__ import annotations

import math

SHRINKAGE = 0.9  # criterion 1: the share of its effects that a model keeps in new patients
OPTIMISM = 0.05  # criterion 2: allowed between the apparent and the adjusted Nagelkerke R squared


def parameters_allowed(r2: float, *, patients: int, events: int) -> float | None:
    """How many candidate parameters so many patients bear; 0 where the model explains nothing (r2 <= 0).

    None where it explains more than the criteria know of: their bound is that of exponential times, which the
    partial likelihood of a Cox model may exceed. Raises ValueError for no events.
    """
    if r2 <= 0:
        return 0.0
    events_per_patient = events / patients
    if r2 >= min(SHRINKAGE, largest_r2(events_per_patient)):
        return None
    return patients / patients_per_parameter(r2, events_per_patient=events_per_patient)


def patients_per_parameter(r2: float, *, events_per_patient: float) -> float:
    """Patients for each candidate parameter, so that both criteria hold.

    r2: Cox-Snell R squared that is expected of the model in new patients, above 0; events_per_patient: events in
    the whole follow-up over patients. Raises ValueError for an r2 that no such cohort allows.
    """
    largest = largest_r2(events_per_patient)
    if not 0 < r2 < min(SHRINKAGE, largest):
        raise ValueError(f"r2 {r2:g} is not above 0 and below {min(SHRINKAGE, largest):.3f}")
    small_optimism = r2 / (r2 + OPTIMISM * largest)
    return max(1 / ((kept - 1) * math.log1p(-r2 / kept)) for kept in (SHRINKAGE, small_optimism))


def largest_r2(events_per_patient: float) -> float:
    """The largest Cox-Snell R squared that a cohort with so many events for each patient allows."""
    if not events_per_patient > 0:
        raise ValueError("no events: nothing can be explained")
    return -math.expm1(2 * events_per_patient * (math.log(events_per_patient) - 1))


def adjusted_r2(likelihood_ratio: float, *, parameters: int, patients: int) -> tuple[float, float]:
    """(shrinkage, r2): van Houwelingen's heuristic shrinkage of a model fitted on these patients, and its Cox-Snell
    R squared times that.

    likelihood_ratio: chi-square of the model against none. Shrinkage is at most 1; 0 or less says that the model
    explains less than as many columns of noise would.
    """
    if likelihood_ratio <= 0:
        return 0.0, 0.0
    shrinkage = 1 - parameters / likelihood_ratio
    return shrinkage, shrinkage * -math.expm1(-likelihood_ratio / patients)
