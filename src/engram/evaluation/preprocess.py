"""One scikit-learn pipeline a row: all that is fitted inside a fold, from raw features to a log-risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from engram.config import Covariate, StudyConfig
from engram.errors import CohortError, ImagingError
from engram.evaluation.covariates import checked_covariates, column_transformer, usable_covariates
from engram.evaluation.models import CoxModel, DeepSurvModel
from engram.evaluation.rows import RIDGE_COX, RowSpec
from engram.evaluation.selection import Selected
from engram.evaluation.vectors import Components, Scaled, checked_vectors
from engram.heads.averaging import average_map
from engram.heads.layout import stretch
from engram.survival.inputs import ModelInputs
from engram.table import MAP_READOUTS, PET_NUMBERS, RADIOMICS, EmbeddingKey, PatientFeatures

FloatArray = npt.NDArray[np.float32]


def build_pipeline(spec: RowSpec, config: StudyConfig, *, seed: int) -> Pipeline:
    """The whole model of a row: `fit(features, y)` with structured y (event, time), `predict(features)`, higher is
    worse. Of the study file it uses the covariates, `embedding.map_size`, `training` and `evaluation`."""
    preprocess = Preprocess(
        covariates=config.covariates if spec.sees_clinical else {},
        embeddings=keys_of(spec),
        max_missing=config.evaluation.max_missing,
        paper_maps=config.embedding.map_size == "paper",
        components=config.training.components,
        features=config.radiomics.features,
    )
    if spec.survival == RIDGE_COX:
        return Pipeline([("preprocess", preprocess), ("survival", CoxModel(config.training.cox_penalty))])
    model = DeepSurvModel(config.training, config.evaluation.time_quantiles, seed)
    return Pipeline([("preprocess", preprocess), ("survival", model)])


def keys_of(spec: RowSpec) -> tuple[EmbeddingKey, ...]:
    """The embeddings that a row sees, in the order in which they are fused."""
    return tuple(EmbeddingKey(modality, spec.roi, spec.readout) for modality in spec.modalities)


def head_maps(memory: FloatArray, *, paper_maps: bool) -> FloatArray:
    """What the averaging head sees of a memory: float32 (n, 1, h, w), or (n, 1, 64, 64) for `paper_maps`.

    Parameter-free and of each patient alone. Given back (n, 1, 1, h, w) of such maps, it returns them unchanged.
    """
    maps = average_map(memory)
    return stretch(maps) if paper_maps else maps


@dataclass(frozen=True)
class MapStatistics:
    """How maps are standardised: pixel-wise mean (1, h, w) and one sd of all, over the training patients."""

    mean: npt.NDArray[np.float64]
    sd: float

    @classmethod
    def of(cls, maps: FloatArray) -> MapStatistics:
        """maps: (n, 1, h, w) of the training patients."""
        mean = maps.mean(axis=0, dtype=np.float64)
        return cls(mean, float(np.sqrt(np.mean((maps - mean) ** 2))))

    def apply(self, maps: FloatArray) -> FloatArray:
        """Standardised maps; maps that are all the same stay as they are, centred."""
        return np.asarray((maps - self.mean) / (self.sd or 1.0), dtype=np.float32)


class Preprocess(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    """From `PatientFeatures` to `ModelInputs`, with statistics of the patients given to `fit` and of no others.

    covariates: declared covariates, empty where the row sees none. embeddings: what it sees of the images.
    max_missing: a covariate missing in a larger share of the training patients is dropped.
    components: the most principal components of a vector read-out; numbers of the PET are scaled alone.
    features: the most radiomics that are chosen of a scan.
    After `fit`: columns_ (fitted ColumnTransformer or None), kept_ (bool, its columns that vary in training),
    maps_ (MapStatistics by modality), vectors_ (Components, Scaled or Selected by modality), notes_ (what was
    dropped, chosen or imputed, and why).
    """

    def __init__(
        self,
        covariates: Mapping[str, Covariate],
        embeddings: Sequence[EmbeddingKey],
        max_missing: float,
        paper_maps: bool,
        components: int,
        features: int = 10,
    ) -> None:
        self.covariates, self.embeddings = covariates, embeddings
        self.max_missing, self.paper_maps, self.components = max_missing, paper_maps, components
        self.features = features

    def fit(self, features: PatientFeatures, y: Any = None) -> Preprocess:
        """Learn from the training patients. Raises ClinicalError, ImagingError, or CohortError: nothing is left."""
        self.notes_: tuple[str, ...] = ()
        self.columns_: ColumnTransformer | None = None
        self.kept_: npt.NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        if self.covariates:
            self._fit_covariates(features)
        map_keys, vector_keys = self._keys()
        self.maps_ = {key.modality: MapStatistics.of(self._maps(features, key)) for key in map_keys}
        constant = [modality for modality, statistics in self.maps_.items() if statistics.sd == 0]
        self.notes_ += tuple(f"{modality} maps are the same in all training patients" for modality in constant)
        self.vectors_ = {key.modality: self._fit_vectors(features, key, y) for key in vector_keys}
        return self

    def transform(self, features: PatientFeatures) -> ModelInputs:
        """Apply what was learned; each patient's numbers depend on that patient and on the training patients."""
        clinical = None
        if self.columns_ is not None:
            matrix = self.columns_.transform(checked_covariates(features, self.covariates))
            clinical = np.asarray(matrix[:, self.kept_], dtype=np.float32)
        map_keys, vector_keys = self._keys()
        maps = {key.modality: self.maps_[key.modality].apply(self._maps(features, key)) for key in map_keys}
        vectors = {
            key.modality: self.vectors_[key.modality].apply(checked_vectors(features, key)) for key in vector_keys
        }
        return ModelInputs(clinical, maps, vectors)

    def _keys(self) -> tuple[list[EmbeddingKey], list[EmbeddingKey]]:
        """What it sees of the images: maps, and vectors."""
        maps = [key for key in self.embeddings if key.readout in MAP_READOUTS]
        return maps, [key for key in self.embeddings if key not in maps]

    def _fit_covariates(self, features: PatientFeatures) -> None:
        training = checked_covariates(features, self.covariates)
        names, self.notes_ = usable_covariates(training, self.covariates, self.max_missing)
        if names:
            self.columns_ = column_transformer(names, self.covariates)
            matrix = self.columns_.fit_transform(training)
            self.kept_ = np.ptp(matrix, axis=0) > 0
            columns = self.columns_.get_feature_names_out()
            self.notes_ += tuple(
                f"column '{column.split('__', 1)[1]}' dropped: the same in all training patients"
                for column in columns[~self.kept_]
            )
        if not self.kept_.any():
            raise CohortError(
                f"no covariate is left for the {len(features)} training patients: {'; '.join(self.notes_)}. "
                "Raise evaluation.max_missing, or leave 'clinical' and 'multimodal' out of models.families."
            )

    def _fit_vectors(self, features: PatientFeatures, key: EmbeddingKey, y: Any) -> Components | Scaled | Selected:
        numbers = key.readout == PET_NUMBERS
        name, vectors = f"{key.modality} {key.readout} of {key.roi}", checked_vectors(features, key)
        try:
            found: Components | Scaled | Selected
            if key.readout == RADIOMICS:
                found = Selected.of(vectors, y, self.features, self.max_missing)
            else:
                found = Scaled.of(vectors) if numbers else Components.of(vectors, self.components)
        except CohortError as error:
            place = "models.baselines" if numbers or key.readout == RADIOMICS else "embedding.readouts"
            raise CohortError(f"{name}: {error}. Leave '{key.readout}' out of {place}.") from error
        self.notes_ += (f"{name}: {found.losses}",) if found.losses else ()
        return found

    def _maps(self, features: PatientFeatures, key: EmbeddingKey) -> FloatArray:
        if key not in features.embeddings:
            raise ValueError(f"the table has no embedding {key}; it has {sorted(features.embeddings)}")
        maps = head_maps(features.embeddings[key], paper_maps=self.paper_maps)
        finite = np.isfinite(maps).all(axis=(1, 2, 3))
        if not finite.all():
            raise ImagingError(
                features.ids[int(np.argmin(finite))],
                f"{key.modality} embedding of {key.roi} is not finite",
                mend="Remove it from the embedding store and embed the patient again.",
            )
        return maps
