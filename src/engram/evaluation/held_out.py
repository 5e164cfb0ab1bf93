"""Who tests: everybody once in cross-validation, and all but the first window where splits follow time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engram.survival.splits import Fold

IndexArray = npt.NDArray[np.intp]


def held_out_patients(folds: Sequence[Fold]) -> IndexArray:
    """Positions (m,) in the table of the patients who test, ascending. Raises ValueError where one tests twice."""
    patients = np.concatenate([fold.test_index for fold in folds])
    found = np.unique(patients)
    if len(found) < len(patients):
        raise ValueError("a patient tests in two folds: pool the folds of one repeat alone")
    return np.asarray(found, dtype=np.intp)


def held_out_places(folds: Sequence[Fold]) -> list[IndexArray]:
    """The test patients of each fold as positions among those of `held_out_patients`."""
    patients = held_out_patients(folds)
    return [np.searchsorted(patients, fold.test_index) for fold in folds]
