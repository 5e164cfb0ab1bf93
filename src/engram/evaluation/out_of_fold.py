"""Predictions of one row for every patient who tests, each by the model of the fold that left the patient out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engram.errors import StorageError
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.held_out import held_out_patients, held_out_places
from engram.evaluation.yardstick import Yardstick
from engram.survival.splits import Fold

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFold:
    """patients: (m,) positions in the table of those who test, ascending; all else is in their order.

    risk: (m,) log-risks, those of two folds on scales of their own. fold: (m,) its number.
    survival_at_time: (m,) predicted probability of being without event beyond the patient's own observed time.
    event_by: (m,) predicted probability of the event by the horizon; empty where there is no horizon.
    """

    patients: npt.NDArray[np.intp]
    risk: FloatArray
    fold: npt.NDArray[np.intp]
    survival_at_time: FloatArray
    event_by: FloatArray


def saved_risks(path: Path) -> dict[str, pd.Series[float]]:
    """The risks of out_of_fold_risks.csv as they were written, bit for bit: by row, then by patient id. Raises
    StorageError where the file is damaged."""
    try:
        table = pd.read_csv(
            path,
            usecols=["row", "patient_id", "risk"],
            dtype={"row": str, "patient_id": str, "risk": float},
            keep_default_na=False,
            float_precision="round_trip",
        )
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: damaged ({error}). Run 'engram evaluate' again.") from error
    return {str(row): part.set_index("patient_id")["risk"] for row, part in table.groupby("row", sort=False)}


def out_of_fold(
    results: Sequence[FoldResult],
    folds: Sequence[Fold],
    yardsticks: Sequence[Yardstick],
    horizon_months: float | None,
) -> OutOfFold:
    """Put the folds of one row together, in the order of the table."""
    patients, places = held_out_patients(folds), held_out_places(folds)
    risk, at_time, event_by = (np.zeros(len(patients)) for _ in range(3))
    number = np.zeros(len(patients), dtype=np.intp)
    for i, (result, test, yardstick) in enumerate(zip(results, places, yardsticks, strict=True)):
        baseline = yardstick.baseline(result)
        risk[test], number[test] = result.test_risk, i
        at_time[test] = baseline.survival_at_own_time(result.test_risk, yardstick.test.time_months)
        if horizon_months is not None:
            event_by[test] = 1 - baseline.survival(result.test_risk, [horizon_months])[:, 0]
    event_by = event_by if horizon_months is not None else np.empty(0)
    return OutOfFold(patients, risk, number, at_time, event_by)
