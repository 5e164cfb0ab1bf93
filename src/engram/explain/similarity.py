"""Sanity checks of maps: how like a map is to that of a model that can know nothing.

Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018: a map that stays the same when the model's weights
are random, or when it was trained on permuted outcomes, does not say what the model has learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engram.evaluation.attribution_records import Control, MapControl
from engram.explain.patient_bootstrap import mean_of
from engram.explain.sensitivity_map import MapArray, SensitivityMap


@dataclass(frozen=True)
class Similarity:
    """Spearman's correlation of two maps of one patient over the voxels that patches cover; 1 is the same order.

    absolute: of the sizes of the changes. signed: of the changes. None where one map is the same everywhere.
    """

    absolute: float | None
    signed: float | None


def similarity(one: SensitivityMap, other: SensitivityMap) -> Similarity:
    """Compare two maps of one patient. Raises ValueError where they are of other patches, or have none."""
    if one.shape != other.shape or one.patches != other.patches or not one.patches:
        raise ValueError("maps are compared patch by patch: both need the same patches of one volume")
    (signed, absolute), (others, sizes) = one.covered(), other.covered()
    return Similarity(_spearman(absolute, sizes), _spearman(signed, others))


def _spearman(values: MapArray, others: MapArray) -> float | None:
    if values.min() == values.max() or others.min() == others.max():
        return None
    return float(stats.spearmanr(values, others).statistic)


def map_control(row: str, control: Control, patients: Iterable[Similarity], *, seed: int) -> MapControl:
    """Means over the patients of a cohort. control: what made the other maps. seed: of the bootstrap."""
    found = list(patients)
    known = [(one.absolute, one.signed) for one in found if one.absolute is not None and one.signed is not None]
    values = np.array(known, dtype=np.float64).reshape(-1, 2)
    absolute, signed = (mean_of(column, seed=seed) for column in values.T)
    return MapControl(
        row=row,
        control=control,
        n=len(known),
        flat=len(found) - len(known),
        absolute=absolute.value,
        absolute_lower=absolute.lower,
        absolute_upper=absolute.upper,
        signed=signed.value,
        signed_lower=signed.lower,
        signed_upper=signed.upper,
    )
