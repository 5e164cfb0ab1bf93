"""How much each covariate moves the risk of a held-out patient: Shapley values of the model of his fold.

The players are the covariates as the study declares them, before encoding; a missing value is a value. A covariate
outside of a coalition takes the values of training patients, whatever the others are (marginal, or interventional,
expectations: Janzing et al., AISTATS 2020), so the values explain the model and not the disease. Images stay the
patient's own. Source: Lundberg and Lee, NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.evaluation.fold_fit import job_seed
from engram.explain.clinical_risk import (
    BoolArray,
    ClinicalRisk,
    FloatArray,
    clinical_columns,
    columns_of_covariates,
)
from engram.explain.fold_model import FoldModel
from engram.explain.shapley import MOST_EXACT, PAIRS, Game, Shapley, shapley
from engram.jobs import torch_threads
from engram.table import PatientFeatures

Float64 = npt.NDArray[np.float64]

BACKGROUND = 100  # training patients at most
_ROWS = 2**16  # of clinical columns predicted at once


@dataclass(frozen=True)
class CovariateValues:
    """Of the patients of one fold, none of whom trained its model.

    names: (p,) covariates. values: (n, p) log-risk, positive where a covariate raises the risk; those of one that
    the fold dropped are 0. risk, baseline: (n,) of the patient, and of his images with the covariates of the
    background patients, on average: a row of values adds up to their difference, however it was found. se: (n, p)
    of sampled values, None where all coalitions were counted. background: how many training patients.
    """

    fold: int
    names: tuple[str, ...]
    ids: tuple[str, ...]
    values: Float64
    risk: Float64
    baseline: Float64
    se: Float64 | None
    background: int


def covariate_values(
    model: FoldModel,
    training: PatientFeatures,
    patients: PatientFeatures,
    *,
    most_background: int = BACKGROUND,
    most_exact: int = MOST_EXACT,
    pairs: int = PAIRS,
) -> CovariateValues:
    """Values of each patient's covariates under the model of a fold.

    training: those who trained it; at most `most_background` of them, drawn by the study's seed, are the
    background. most_exact, pairs: as of `shapley`. Raises ConfigError where the row sees no covariate, CohortError
    where a patient trained the model, ValueError where `training` are others than those who did.
    """
    if training.ids != model.train_ids:
        raise ValueError(f"row '{model.spec.name}', fold {model.number + 1}: the background must be who trained it")
    columns, inputs = columns_of_covariates(model), model.inputs(patients)
    known = {name: mine for name, mine in columns.items() if mine.any()}
    with torch_threads(1):
        background = _background(model, training, most_background)
        found = [
            shapley(
                _game(ClinicalRisk.of(model, inputs.subset(np.array([i]))), list(known.values()), background),
                len(known),
                seed=job_seed(_seed(model, "permutations"), patient, model.number),
                most_exact=most_exact,
                pairs=pairs,
            )
            for i, patient in enumerate(patients.ids)
        ]
    return _together(model, patients.ids, tuple(columns), tuple(known), found, len(background))


def _together(
    model: FoldModel,
    ids: tuple[str, ...],
    names: tuple[str, ...],
    known: tuple[str, ...],
    found: list[Shapley],
    background: int,
) -> CovariateValues:
    places = [names.index(name) for name in known]
    values, se = np.zeros((2, len(ids), len(names)))
    for row, one in enumerate(found):
        values[row, places] = one.values
        se[row, places] = 0 if one.se is None else one.se
    sampled = any(one.se is not None for one in found)
    risk, baseline = (np.array([getattr(one, which) for one in found]) for which in ("everyone", "none"))
    return CovariateValues(model.number, names, ids, values, risk, baseline, se if sampled else None, background)


def _background(model: FoldModel, training: PatientFeatures, most: int) -> FloatArray:
    """Clinical columns (b, c) of training patients, as the model sees them."""
    drawn = np.random.default_rng(_seed(model, "background")).permutation(len(training))[:most]
    return clinical_columns(model.inputs(training.subset(np.sort(drawn)), allow_training=True))


def _seed(model: FoldModel, what: str) -> int:
    return job_seed(model.config.evaluation.seed, f"{model.spec.name}, covariate values, {what}", model.number)


def _game(risk: ClinicalRisk, players: list[BoolArray], background: FloatArray) -> Game:
    """The worth of a coalition: the mean risk where its members have the patient's values, the others those of one
    background patient after the other. players: the columns (c,) of each."""
    own, of_player = clinical_columns(risk.patient), np.array(players)

    def worth(members: BoolArray) -> Float64:
        parts = []
        for some in _parts(members, len(background)):
            fixed = some @ of_player
            mixed = np.where(fixed[:, None], own, background[None])
            risks = risk(mixed.reshape(-1, background.shape[1]))
            parts.append(risks.reshape(len(some), len(background)).mean(axis=1))
        return np.concatenate(parts)

    return worth


def _parts(members: BoolArray, background: int) -> Iterator[BoolArray]:
    at_once = max(1, _ROWS // background)
    for start in range(0, len(members), at_once):
        yield members[start : start + at_once]
