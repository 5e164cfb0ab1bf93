"""How far an embedding stays what it is when its reading is disturbed: by patient, and by component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating]

_COLUMNS = 4096  # at once: a memory map has a hundred thousand components
_FEWEST = 3  # patients without whom agreement between them says nothing


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two readings of the same n patients.

    cosine: (n,) between a patient's two embeddings, 1 is the same direction. centred: (n,) the same after what the
    study's own embeddings have in common, their mean, is taken from both: embeddings of one model point the same
    way whoever the patient is, so a plain cosine near 1 says little. NaN where an embedding is its mean. between:
    mean cosine of the own embeddings of two different patients, against which to read `cosine`.
    icc: (p,) of each component, NaN where it does not differ between patients.
    """

    cosine: FloatArray
    centred: FloatArray
    between: float
    icc: FloatArray


def agreement(own: AnyFloats, other: AnyFloats) -> Agreement:
    """own, other: (n, p), or (n, ...) which is flattened; NaN where a patient has no such component.

    A component that is missing in either reading of a patient counts for neither. Raises ValueError where shapes
    differ, or for fewer than three patients.
    """
    if own.shape != other.shape or len(own) < _FEWEST:
        raise ValueError(
            f"want two readings of the same {_FEWEST} patients or more, not {own.shape}, {other.shape}"
        )
    one, two = (np.asarray(each, dtype=np.float64).reshape(len(own), -1) for each in (own, other))
    known = ~(np.isnan(one) | np.isnan(two))
    one, two = np.where(known, one, 0.0), np.where(known, two, 0.0)
    mean = one.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return Agreement(
        cosine=_cosine(one, two),
        centred=_cosine(*(np.where(known, each - mean, 0.0) for each in (one, two))),
        between=_between(one),
        icc=_iccs(one, two, known),
    )


def icc_2_1(ratings: AnyFloats) -> FloatArray:
    """ICC(2,1) of components (p,) from ratings (n subjects, k readings, p): two-way random, absolute agreement, one
    reading (Shrout and Fleiss, Psychol Bull 86 (1979) 420). NaN: nothing differs.

    Absolute agreement and not consistency, ICC(3,1), because a model takes an embedding as it is: a component that
    is shifted by the same amount in all patients ranks them as before, but moves the risk of each.
    """
    n, k = ratings.shape[:2]
    total, subjects, readings = ratings.mean(axis=(0, 1)), ratings.mean(axis=1), ratings.mean(axis=0)
    between = k * ((subjects - total) ** 2).sum(axis=0) / (n - 1)
    columns = n * ((readings - total) ** 2).sum(axis=0) / (k - 1)
    rest = ratings - subjects[:, None] - readings[None] + total
    error = (rest**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    whole = between + (k - 1) * error + k * (columns - error) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > _smallest(ratings), (between - error) / whole, np.nan)


def _smallest(ratings: AnyFloats) -> FloatArray:
    """Variance (p,) that rounding of float32 gives a component of this size."""
    return np.asarray((1e-6 * np.abs(ratings).max(axis=(0, 1))) ** 2, dtype=np.float64)


def _iccs(one: FloatArray, two: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """ICC(2,1) of each component, some at a time: the ratings of all would not fit beside the embeddings."""
    found = np.full(one.shape[1], np.nan)
    for start in range(0, one.shape[1], _COLUMNS):
        part = slice(start, start + _COLUMNS)
        found[part] = icc_2_1(np.stack([one[:, part], two[:, part]], axis=1))
    for column in np.flatnonzero(~known.all(axis=0)):
        who = known[:, column]
        ratings = np.stack([one[who, column], two[who, column]], axis=1)[..., None]
        found[column] = icc_2_1(ratings)[0] if len(ratings) >= _FEWEST else np.nan
    return found


def _cosine(one: FloatArray, two: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(lengths > 0, (one * two).sum(axis=1) / lengths, np.nan))


def _between(embeddings: FloatArray) -> float:
    """Mean cosine over all pairs of patients."""
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(length > 0, length, 1.0)
    n = len(unit)
    return float((np.sum(unit.sum(axis=0) ** 2) - np.sum(unit**2)) / (n * (n - 1)))
