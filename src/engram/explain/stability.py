"""How far an embedding stays what it is when its reading is disturbed: by patient, and by component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

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
    differ, or for fewer than three patients. Memory: that of the embeddings and of some thousand components.
    """
    if own.shape != other.shape or len(own) < _FEWEST:
        raise ValueError(f"two readings of the same {_FEWEST} patients or more, not {own.shape}, {other.shape}")
    one, two = (each.reshape(len(own), -1) for each in (own, other))
    sums, icc = _Sums(len(own)), []
    for start in range(0, one.shape[1], _COLUMNS):
        part = _Part.of(one[:, start : start + _COLUMNS], two[:, start : start + _COLUMNS])
        sums.add(part)
        icc.append(_iccs(part))
    return Agreement(
        cosine=_ratio(sums.products[0], sums.own[0], sums.other[0]),
        centred=_ratio(sums.products[1], sums.own[1], sums.other[1]),
        between=_between(sums.pairs),
        icc=np.concatenate(icc),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Some components (n, q) of both readings, 0 where `known` is False."""

    own: FloatArray
    other: FloatArray
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, own: AnyFloats, other: AnyFloats) -> _Part:
        known = ~(np.isnan(own) | np.isnan(other))
        one, two = (np.where(known, each, 0.0).astype(np.float64) for each in (own, other))
        return cls(one, two, known)

    def centred(self) -> _Part:
        """Less the mean of the own ones of those who have the component."""
        mean = self.own.sum(axis=0) / np.maximum(self.known.sum(axis=0), 1)
        one, two = (np.where(self.known, each - mean, 0.0) for each in (self.own, self.other))
        return _Part(one, two, self.known)


class _Sums:
    """Sums over all components, of the embeddings as they are and centred: products (2, n) of the two readings,
    squares (2, n) of each, and products (n, n) of the own ones of two patients."""

    def __init__(self, n: int) -> None:
        self.products, self.own, self.other = (np.zeros((2, n)) for _ in range(3))
        self.pairs = np.zeros((n, n))

    def add(self, part: _Part) -> None:
        for at, one in enumerate((part, part.centred())):
            self.products[at] += (one.own * one.other).sum(axis=1)
            self.own[at] += (one.own**2).sum(axis=1)
            self.other[at] += (one.other**2).sum(axis=1)
        with threadpool_limits(1, user_api="blas"):  # more threads round differently
            self.pairs += part.own @ part.own.T


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


def _iccs(part: _Part) -> FloatArray:
    """ICC(2,1) of each component; of one that somebody lacks, over the others."""
    found = icc_2_1(np.stack([part.own, part.other], axis=1))
    for column in np.flatnonzero(~part.known.all(axis=0)):
        who = part.known[:, column]
        ratings = np.stack([part.own[who, column], part.other[who, column]], axis=1)[..., None]
        found[column] = icc_2_1(ratings)[0] if len(ratings) >= _FEWEST else np.nan
    return found


def _ratio(products: FloatArray, own: FloatArray, other: FloatArray) -> FloatArray:
    """Cosines (n,), NaN where one of the two is nothing."""
    lengths = np.sqrt(own) * np.sqrt(other)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(lengths > 0, products / lengths, np.nan))


def _between(pairs: FloatArray) -> float:
    """Mean cosine of two different patients; one whose embedding is nothing has a cosine of 0."""
    lengths, n = np.sqrt(np.diag(pairs)), len(pairs)
    lengths[lengths == 0] = 1.0
    cosines = pairs / lengths[:, None] / lengths
    return float((cosines.sum() - np.trace(cosines)) / (n * (n - 1)))
