"""One scikit-learn pipeline a row: all that is fitted inside a fold, from raw features to a log-risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from engram.config import Covariate, StudyConfig
from engram.errors import CohortError, ImagingError
from engram.evaluation.covariates import checked_covariates, column_transformer, usable_covariates
from engram.evaluation.maps import MapStatistics, head_maps, head_volumes
from engram.evaluation.models import CoxModel, DeepSurvModel
from engram.evaluation.rows import AVERAGING, GATE, PCA, RIDGE_COX, RowSpec
from engram.evaluation.selection import Selected
from engram.evaluation.vectors import Components, Scaled, checked_vectors
from engram.survival.inputs import ModelInputs
from engram.survival.network import Design
from engram.table import BASELINES, MAP_READOUTS, OWN, PET_NUMBERS, RADIOMICS, EmbeddingKey, PatientFeatures

FloatArray = npt.NDArray[np.float32]

_WITHOUT_COVARIATES = (  # for users of a study file and of Python alike
    "Raise max_missing (evaluation), or leave out the rows that see these covariates; in a study file 'clinical' "
    "and 'multimodal' of models.families, or models.stage."
)


def build_pipeline(spec: RowSpec, config: StudyConfig, *, seed: int, epochs: int | None = None) -> Pipeline:
    """The whole model of a row: `fit(features, y)` with structured y (event, time), `predict(features)`, higher is
    worse. Of the study file it uses the covariates, `embedding.map_size`, `training` and `evaluation`.

    epochs: how long DeepSurv trains; None: as inner splits of the training patients say.
    """
    preprocess = Preprocess(
        covariates={name: config.covariates[name] for name in seen_covariates(spec, tuple(config.covariates))},
        embeddings=keys_of(spec),
        max_missing=config.evaluation.max_missing,
        paper_maps=config.embedding.map_size == "paper",
        components=config.training.components,
        head=spec.head,
        features=config.radiomics.features,
    )
    if spec.survival == RIDGE_COX:
        return Pipeline([("preprocess", preprocess), ("survival", CoxModel(config.training.cox_penalty))])
    design = Design(spec.head, "gate" if spec.fusion == GATE else "concatenation")
    model = DeepSurvModel(config.training, config.evaluation.time_quantiles, seed, design, epochs)
    return Pipeline([("preprocess", preprocess), ("survival", model)])


def seen_covariates(spec: RowSpec, declared: Sequence[str]) -> list[str]:
    """Names of the covariates that a row sees: none, all that are declared, or some of them."""
    if not spec.sees_clinical:
        return []
    return [name for name in declared if spec.only is None or name in spec.only]


def keys_of(spec: RowSpec) -> tuple[EmbeddingKey, ...]:
    """The embeddings that a row sees, in the order in which they are fused."""
    return tuple(EmbeddingKey(modality, spec.roi, spec.readout) for modality in spec.modalities)


class Preprocess(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    """From `PatientFeatures` to `ModelInputs`, with statistics of the patients given to `fit` and of no others.

    covariates: declared covariates, empty where the row sees none. embeddings: what it sees of the images.
    max_missing: a covariate missing in a larger share of the training patients is dropped.
    components: the most principal components of a vector read-out; numbers of the PET are scaled alone.
    head: what reads a memory: "averaging" reads its mean as a map, "PCA" its numbers as one vector, any other the
    whole of it as a volume. features: the most radiomics that are chosen of a scan.
    After `fit`: columns_ (fitted ColumnTransformer or None), kept_ (bool, its columns that vary in training),
    maps_ (MapStatistics by modality, of maps or volumes), vectors_ (Components, Scaled or Selected by modality),
    notes_ (what was dropped, chosen or imputed, and why).
    """

    def __init__(
        self,
        covariates: Mapping[str, Covariate],
        embeddings: Sequence[EmbeddingKey],
        max_missing: float,
        paper_maps: bool,
        components: int,
        head: str = AVERAGING,
        features: int = 10,
    ) -> None:
        self.covariates, self.embeddings, self.head = covariates, embeddings, head
        self.max_missing, self.paper_maps, self.components = max_missing, paper_maps, components
        self.features = features

    def fit(self, features: PatientFeatures, y: Any = None) -> Preprocess:
        """Learn from the training patients. Raises ClinicalError, ImagingError, or CohortError: nothing is left."""
        self.notes_: tuple[str, ...] = ()
        self.columns_: ColumnTransformer | None = None
        self.kept_: npt.NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        if self.covariates:
            self._fit_covariates(features)
        image_keys, vector_keys = self._keys()
        of_images = MapStatistics.of if self.head == AVERAGING else MapStatistics.of_volumes
        self.maps_ = {key.modality: of_images(self._images(features, key)) for key in image_keys}
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
        image_keys, vector_keys = self._keys()
        images = {key.modality: self.maps_[key.modality].apply(self._images(features, key)) for key in image_keys}
        vectors = {
            key.modality: self.vectors_[key.modality].apply(self._vectors(features, key)) for key in vector_keys
        }
        if self.head == AVERAGING:
            return ModelInputs(clinical, maps=images, vectors=vectors)
        return ModelInputs(clinical, volumes=images, vectors=vectors)

    def _keys(self) -> tuple[list[EmbeddingKey], list[EmbeddingKey]]:
        """What it sees of the images: maps or volumes, and vectors."""
        images = [key for key in self.embeddings if key.readout in MAP_READOUTS and self.head != PCA]
        return images, [key for key in self.embeddings if key not in images]

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
                f"{_WITHOUT_COVARIATES}"
            )

    def _fit_vectors(self, features: PatientFeatures, key: EmbeddingKey, y: Any) -> Components | Scaled | Selected:
        numbers = key.readout == PET_NUMBERS
        name = f"embedding '{key.called}'" if key.readout in OWN else f"{key.modality} {key.readout} of {key.roi}"
        vectors = self._vectors(features, key)
        try:
            found: Components | Scaled | Selected
            if key.readout == RADIOMICS:
                found = Selected.of(vectors, y, self.features, self.max_missing)
            else:
                found = Scaled.of(vectors) if numbers else Components.of(vectors, self.components)
        except CohortError as error:
            raise CohortError(f"{name}: {error}. {_leave_out(key)}") from error
        self.notes_ += (f"{name}: {found.losses}",) if found.losses else ()
        return found

    def _vectors(self, features: PatientFeatures, key: EmbeddingKey) -> npt.NDArray[np.float64]:
        if key.readout not in MAP_READOUTS:
            return checked_vectors(features, key)
        memory = self._images(features, key)
        return np.asarray(memory.reshape(len(memory), -1), dtype=np.float64)

    def _images(self, features: PatientFeatures, key: EmbeddingKey) -> FloatArray:
        if key not in features.embeddings:
            raise ValueError(f"the table has no embedding {key}; it has {sorted(features.embeddings)}")
        made = head_maps if self.head == AVERAGING else head_volumes
        images = made(features.embeddings[key], paper_maps=self.paper_maps)
        finite = np.array([np.isfinite(image).all() for image in images])
        if not finite.all():
            raise ImagingError(
                features.ids[int(np.argmin(finite))],
                f"{key.modality} embedding of {key.roi} is not finite",
                mend="Remove it from the embedding store and embed the patient again.",
            )
        return images


def _leave_out(key: EmbeddingKey) -> str:
    if key.readout in OWN:
        return "Leave it out, or the rows that see it."
    if key.readout in MAP_READOUTS:
        return f"Leave '{PCA}' out of models.heads and models.multimodal_heads."
    return (
        f"Leave '{key.readout}' out of {'models.baselines' if key.readout in BASELINES else 'embedding.readouts'}."
    )
