"""Radiomics inside a fold: from a few hundred numbers that repeat each other to a few, chosen on training patients.

Why few: a Cox model bears about one parameter per ten events (Peduzzi et al., J Clin Epidemiol 48 (1995) 1503),
so 227 patients bear about ten, and a ridge penalty eases the rest. Why here: chosen on all patients, ten of two
hundred columns of noise rank the test patients far better than chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from engram.errors import CohortError
from engram.evaluation.vectors import about, standardised, varies
from engram.outcome import SurvivalOutcome

FloatArray = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

MOST_ALIKE = 0.9  # |Spearman| above which two numbers say the same: common in radiomics


@dataclass(frozen=True)
class Selected:
    """The columns that are kept of training vectors, z-scored.

    kept: (k,) columns, the most telling first. mean, sd: (k,) over the training patients who have the number.
    usable: columns that vary and are seldom missing, of `total`. imputed: share of the kept columns' values that
    training patients lack.
    """

    kept: Index
    mean: Float64
    sd: Float64
    usable: int
    total: int
    imputed: float

    @classmethod
    def of(cls, vectors: Float64, y: npt.NDArray[np.void], limit: int, max_missing: float) -> Selected:
        """Choose at most `limit` columns of (n, p) training vectors, NaN where a patient lacks a number.

        A column that is the same in all, or missing in a larger share than `max_missing`, is dropped. The others
        are taken in the order of their univariate score tests (`cox_scores`), equal ones in the order of the
        columns; one whose |Spearman| with a column taken before is above 0.9 is passed over, so that of two that
        say the same the more telling one stays. y: structured (event, time) of the same patients.
        Raises CohortError where no column is usable, or nobody had the event.
        """
        outcome = SurvivalOutcome.from_structured(y)
        if len(outcome) != len(vectors):
            raise ValueError(f"{len(vectors)} vectors for {len(outcome)} outcomes")
        if not outcome.event.any():
            raise CohortError(f"none of {len(outcome)} training patients had the event")
        usable = np.flatnonzero(varies(vectors) & (np.isnan(vectors).mean(axis=0) <= max_missing))
        if not usable.size:
            raise CohortError(
                f"each of {vectors.shape[1]} numbers is the same in the {len(vectors)} training patients, or "
                f"missing in more than {max_missing:.0%} of them"
            )
        ranks = centred_ranks(vectors[:, usable])
        kept = usable[_chosen(ranks, cox_scores(ranks, outcome), limit)]
        known = vectors[:, kept]
        mean, sd, imputed = np.nanmean(known, axis=0), np.nanstd(known, axis=0), float(np.isnan(known).mean())
        return cls(kept, mean, sd, usable.size, vectors.shape[1], imputed)

    def apply(self, vectors: Float64) -> FloatArray:
        """z-scores (n, k) of the kept columns. What a patient lacks is taken to be the training mean."""
        return np.asarray(standardised(vectors[:, self.kept], self.mean, self.sd), dtype=np.float32)

    @property
    def losses(self) -> str:
        """What was chosen, dropped and imputed; numbers in steps, so that folds can share a note."""
        parts = [f"{len(self.kept)} of {self.total} numbers chosen in each training part"]
        dropped = self.total - self.usable
        parts += ["some dropped: missing too often or the same in all training patients"] * bool(dropped)
        parts += [f"{about(self.imputed)} of the values missing, imputed by the mean"] * bool(self.imputed)
        return "; ".join(parts)


def centred_ranks(vectors: Float64) -> Float64:
    """Ranks of each column (n, p), equal values sharing theirs, of mean 0 and length 1; 0 where one is missing.

    Ranks, as the c-index uses: radiomics are skewed, and one extreme patient would choose the columns.
    """
    ranks = np.asarray(rankdata(vectors, axis=0, nan_policy="omit"), dtype=np.float64)
    centred = ranks - np.nanmean(ranks, axis=0)
    centred = np.where(np.isnan(centred), 0.0, centred)
    length = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.where(length > 0, length, 1.0), dtype=np.float64)


def cox_scores(columns: Float64, outcome: SurvivalOutcome) -> Float64:
    """Chi-square (p,) of the score test of each column (n, p) alone in a Cox model; 0 without a contrast.

    Ties are Breslow's. The score test is the likelihood ratio's equal in large samples and needs no fit: of two
    groups and untied times it is the log-rank test. Source: Cox, JRSS B 34 (1972) 187.
    """
    order = np.argsort(-outcome.time, kind="stable")
    x, event, time = columns[order], outcome.event[order], outcome.time[order]
    last = np.searchsorted(-time, -time, side="right")  # everyone with a time at least as long is at risk
    at_risk = last[event].astype(np.float64)[:, None]
    mean = np.cumsum(x, axis=0)[last[event] - 1] / at_risk
    square = np.cumsum(x * x, axis=0)[last[event] - 1] / at_risk
    score, information = (x[event] - mean).sum(axis=0), (square - mean**2).sum(axis=0)
    # Rounding alone must not look like a contrast.
    known = information > 1e-12
    return np.asarray(np.where(known, score**2 / np.where(known, information, 1.0), 0.0), dtype=np.float64)


def _chosen(ranks: Float64, scores: Float64, limit: int) -> Index:
    """Columns in the order of their scores, without those that repeat an earlier one."""
    taken: list[int] = []
    for column in np.argsort(-np.round(scores, 9), kind="stable"):  # rounded: equal columns tie on every machine
        alike = (ranks[:, taken] * ranks[:, [column]]).sum(axis=0)
        if not (np.abs(alike) > MOST_ALIKE).any():
            taken.append(int(column))
        if len(taken) == limit:
            break
    return np.array(taken, dtype=np.intp)
