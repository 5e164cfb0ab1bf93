"""Vector read-outs inside a fold: checked, made comparable, and turned into a few principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engram.errors import CohortError, ImagingError
from engram.table import MAY_LACK, PET_NUMBERS, RADIOMICS, EmbeddingKey, PatientFeatures

FloatArray = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_ROUNDING = 1e-6  # a spread below this share of a column's size is that of float32, not of patients
_RANK = 1e-6  # of the first singular value: a direction below it holds rounding errors alone


def checked_vectors(features: PatientFeatures, key: EmbeddingKey) -> Float64:
    """The vectors (n, p) of a read-out, NaN where a patient has no such region or number.

    Raises ImagingError naming the patient whose vector is not finite, or who has none of them; ValueError where the
    table has no such read-out.
    """
    if key not in features.embeddings:
        raise ValueError(f"the table has no embedding {key}; it has {sorted(features.embeddings)}")
    vectors = np.asarray(features.embeddings[key], dtype=np.float64)
    absent = np.isnan(vectors) & (key.readout in MAY_LACK)
    finite = (np.isfinite(vectors) | absent).all(axis=1)
    if not finite.all():
        raise ImagingError(
            features.ids[int(np.argmin(finite))],
            f"{key.modality} embedding of {key.roi}, {key.readout}, is not finite",
            mend="Remove it from the embedding store and embed the patient again.",
        )
    nowhere = absent.all(axis=1)
    if nowhere.any():
        raise _nothing(features.ids[int(np.argmax(nowhere))], key)
    return vectors


def _nothing(patient_id: str, key: EmbeddingKey) -> ImagingError:
    if key.readout == PET_NUMBERS:
        reason = f"{key.roi} lies outside the PET: it has no numbers"
        mend = "Leave the patient out, as image_checks.min_roi_in_pet does, or empty models.baselines."
        return ImagingError(patient_id, reason, mend=mend)
    if key.readout == RADIOMICS:
        reason, mend = f"{key.modality} of {key.roi} has no radiomics", "Fill the patient's line, or leave him out."
        return ImagingError(patient_id, reason, mend=mend)
    return ImagingError(
        patient_id,
        f"{key.modality} embedding of {key.roi}, {key.readout}: the mask meets no anatomical region",
        mend="Leave the patient out, or leave 'regions' out of embedding.readouts.",
    )


@dataclass(frozen=True)
class Scaled:
    """Training vectors of a few numbers that have names, each kept as it is, z-scored.

    kept: bool (p,), columns that vary in training. mean, sd: of each kept column, over the training patients who
    have it. imputed: share of the kept columns' values that training patients lack.
    """

    kept: npt.NDArray[np.bool_]
    mean: Float64
    sd: Float64
    imputed: float

    @classmethod
    def of(cls, vectors: Float64) -> Scaled:
        """vectors: (n, p) of the training patients, NaN where a patient lacks one. Raises CohortError where none
        of the columns differs between them."""
        kept = _kept(vectors)
        known = vectors[:, kept]
        return cls(kept, np.nanmean(known, axis=0), np.nanstd(known, axis=0), float(np.isnan(known).mean()))

    def apply(self, vectors: Float64) -> FloatArray:
        """z-scores (n, kept). What a patient lacks is taken to be the training mean."""
        return np.asarray(standardised(vectors[:, self.kept], self.mean, self.sd), dtype=np.float32)

    @property
    def losses(self) -> str:
        """What was dropped or imputed, empty where nothing was."""
        return _losses(self.kept, self.imputed)


@dataclass(frozen=True)
class Components:
    """Principal components of training vectors.

    kept: bool (p,), columns that vary in training. mean, sd: of each kept column, over the training patients who
    have it. axes: (k, kept columns), orthonormal; the largest loading of each is positive. scale: (k,), standard
    deviation of each component in training. explained: share of the kept columns' variance that they hold.
    imputed: share of the kept columns' values that training patients lack.
    """

    kept: npt.NDArray[np.bool_]
    mean: Float64
    sd: Float64
    axes: Float64
    scale: Float64
    explained: float
    imputed: float

    @classmethod
    def of(cls, vectors: Float64, limit: int) -> Components:
        """vectors: (n, p) of the training patients, NaN where a patient lacks a column; limit: most components.

        At most n - 1, and no more than there are directions in which patients differ. A column that nobody has, or
        that is the same in all who have it, is dropped. Raises CohortError where none is left.
        """
        kept = _kept(vectors)
        mean, sd = np.nanmean(vectors[:, kept], axis=0), np.nanstd(vectors[:, kept], axis=0)
        standard = standardised(vectors[:, kept], mean, sd)
        with threadpool_limits(1, user_api="blas"):  # more threads round differently
            pca = PCA(min(limit, len(vectors) - 1, int(kept.sum())), svd_solver="full").fit(standard)
        real = pca.singular_values_ > _RANK * pca.singular_values_[0]
        axes = pca.components_[real]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        scale = pca.singular_values_[real] / np.sqrt(len(vectors))
        explained = float(pca.explained_variance_ratio_[real].sum())
        imputed = float(np.isnan(vectors[:, kept]).mean())
        return cls(kept, mean, sd, axes * np.sign(largest), scale, explained, imputed)

    def apply(self, vectors: Float64) -> FloatArray:
        """The components of (n, p) vectors: (n, k), with mean 0 and sd 1 over the training patients. What a patient
        lacks is taken to be the training mean."""
        standard = standardised(vectors[:, self.kept], self.mean, self.sd)
        with threadpool_limits(1, user_api="blas"):
            return np.asarray(standard @ self.axes.T / self.scale, dtype=np.float32)

    @property
    def losses(self) -> str:
        """What was dropped or imputed, empty where nothing was."""
        return _losses(self.kept, self.imputed)


def _losses(kept: npt.NDArray[np.bool_], imputed: float) -> str:
    """Shares in steps of 5 %: folds can share a note."""
    dropped = int((~kept).sum())
    parts = [f"{dropped} of {len(kept)} numbers dropped: missing or the same in all training patients"] * bool(
        dropped
    )
    parts += [f"{about(imputed)} of the values missing, imputed by the mean"] * bool(imputed)
    return "; ".join(parts)


def about(share: float) -> str:
    return f"about {5 * round(20 * share)} %" if share >= 0.025 else "under 5 %"


def _kept(vectors: Float64) -> npt.NDArray[np.bool_]:
    kept = varies(vectors)
    if not kept.any():
        raise CohortError(
            f"none of {vectors.shape[1]} numbers differs between the {len(vectors)} training patients"
        )
    return kept


def varies(vectors: Float64) -> npt.NDArray[np.bool_]:
    """Columns (p,) whose known values differ by more than rounding."""
    known = ~np.isnan(vectors)
    highest = np.where(known, vectors, -np.inf).max(axis=0)
    lowest = np.where(known, vectors, np.inf).min(axis=0)
    size = np.where(known, np.abs(vectors), 0).max(axis=0)
    return np.asarray(highest - lowest > _ROUNDING * size, dtype=np.bool_)


def standardised(vectors: Float64, mean: Float64, sd: Float64) -> Float64:
    """z-scores. Scaled by those who have a column, so that one which few have weighs little in the components."""
    scores = (vectors - mean) / sd
    return np.where(np.isnan(scores), 0.0, scores)
