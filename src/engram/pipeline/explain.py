"""`engram explain`: what the risks of one row rest on, from the run folder to explain.json and reach.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engram.config import StudyConfig
from engram.evaluation.explain_file import Explanation, PatientMap, save_explanation
from engram.evaluation.explanation_records import CovariateEffects, GradCamPeak
from engram.evaluation.fold_fit import visible
from engram.evaluation.rows import AVERAGING, DEEPSURV
from engram.explain.attribution import attribution
from engram.explain.control_models import CONTROLS
from engram.explain.covariate_summary import covariate_effects, model_record
from engram.explain.covariate_values import covariate_values
from engram.explain.fold_models import packed
from engram.explain.grad_cam import grad_cam, peak_of
from engram.explain.similarity import map_control
from engram.jobs import run_jobs
from engram.memory.weights import CheckedWeights, check_weights
from engram.pipeline.console import Console
from engram.pipeline.evaluate import hashes_of
from engram.pipeline.explain_patient import PatientExplained, PatientJob, explain_patient, prepare
from engram.pipeline.explain_reach import measure_reach
from engram.pipeline.explain_study import ExplainedStudy, explained_study, spread_over_risk
from engram.pipeline.folders import RunFolder
from engram.pipeline.requests import weights_of


@dataclass(frozen=True)
class Asked:
    """Whom to explain. ids: patients by name; none are spread over the risk. everybody: all who test."""

    ids: tuple[str, ...] = ()
    everybody: bool = False


def explain(config: StudyConfig, asked: Asked, *, workers: int, console: Console) -> Path:
    """Write explain.json, reach.json, maps and overlays; returns the path of explain.json.

    May be killed at any moment: a patch that was occluded is not occluded again. Raises as `explained_study` and
    `explain_patient`; ConfigError for a patient who is not in the study.
    """
    study = explained_study(config, workers=workers, console=console, ids=asked.ids)
    folder, weights = RunFolder.of(study.config), _weights(study.config)
    chosen = _chosen(study, asked)
    jobs = [_job(study, position, folder) for position in chosen]
    what = f"{len(jobs)} patient{'s' * (len(jobs) != 1)}, patches of {_mm(study.config)}"
    console.say(f"Occluding: {what}, {study.config.explain.mode}")
    folder.explained.mkdir(parents=True, exist_ok=True)
    with console.stage("Occluding") as progress:
        found = run_jobs(
            explain_patient,
            jobs,
            workers=workers if study.config.embedding.device == "cpu" else min(workers, 1),
            threads=study.config.embedding.threads,
            prepare=prepare,
            prepare_with=(study.config, weights),
            progress=progress,
        )
    explanation = _explanation(study, found, _grad_cam(study, chosen), _covariates(study))
    save_explanation(explanation, folder.explanation)
    _remove_others(folder, explanation)
    measure_reach(study, chosen, weights, workers=workers, console=console)
    return folder.explanation


def _remove_others(folder: RunFolder, explanation: Explanation) -> None:
    """Maps of other rows, settings or patients, which nobody could tell from these by their names."""
    stems = tuple(one.overlay.removesuffix(".svg") for one in explanation.maps)
    for path in folder.explained.glob("patient_*"):
        if not path.name.startswith(stems):
            path.unlink()


def _weights(config: StudyConfig) -> CheckedWeights:
    return check_weights(weights_of(config), config.embedding.resolution)


def _chosen(study: ExplainedStudy, asked: Asked) -> list[int]:
    ids = study.table.features.ids
    if asked.ids:
        return sorted({ids.index(one) for one in asked.ids})
    if asked.everybody:
        return sorted(int(at) for model in study.models for at in model.test_index)
    return spread_over_risk(study, study.config.explain.patients)


def _job(study: ExplainedStudy, position: int, folder: RunFolder) -> PatientJob:
    fold = study.fold_of(position)
    models = {"": study.models[fold], **{name: found[fold] for name, found in study.controls.items()}}
    record = study.inputs.cohort.records[position]
    embedded = study.inputs.embedded
    return PatientJob(
        record=record,
        number=position + 1,
        digests=embedded.digests[record.patient_id] if embedded is not None else {},
        models={name: packed(model) for name, model in models.items()},
        features=visible(study.table.features.subset(np.array([position])), study.spec),
        folder=folder.explained,
        cache=folder.deltas,
    )


def _mm(config: StudyConfig) -> str:
    return " x ".join(f"{side:g}" for side in config.explain.patch_mm) + " mm"


def _covariates(study: ExplainedStudy) -> CovariateEffects | None:
    """Of all held-out patients, for it is cheap; None where the row sees no covariate."""
    if not study.spec.sees_clinical:
        return None
    features = study.table.features
    values = [
        covariate_values(model, features.subset(model.train_index), features.subset(model.test_index))
        for model in study.models
    ]
    return covariate_effects(study.models, values, features)


def _grad_cam(study: ExplainedStudy, chosen: Sequence[int]) -> list[GradCamPeak]:
    """Of the same patients, where the row has an averaging CNN."""
    if study.spec.head != AVERAGING or study.spec.survival != DEEPSURV:
        return []
    found = []
    for position in chosen:
        model = study.models[study.fold_of(position)]
        alone = study.table.features.subset(np.array([position]))
        found += [peak_of(grad_cam(model, alone, m), model, position + 1) for m in study.spec.modalities]
    return found


def _explanation(
    study: ExplainedStudy,
    found: Sequence[PatientExplained],
    cams: list[GradCamPeak],
    covariates: CovariateEffects | None,
) -> Explanation:
    explain, made = study.config.explain, study.results.provenance
    seed = study.config.evaluation.seed
    shares = [one.shares for one in found if one.shares is not None]
    patch_ml = float(np.prod(explain.patch_mm)) / 1000
    row, roi = study.spec.name, study.spec.roi
    return Explanation(
        hashes=hashes_of(study.config, study.inputs, study.folds),
        untrained=made.untrained_weights,
        row=row,
        modalities=list(study.spec.modalities),
        roi=roi,
        readout=study.spec.readout,
        patch_mm=list(explain.patch_mm),
        stride_mm=list(explain.stride_mm),
        fill=explain.fill,
        mode=explain.mode,
        tolerance=explain.tolerance if explain.mode == "fast" else None,
        maps=[_record(one, number) for one in found for number in range(len(one.maps))],
        attribution=attribution(row, roi, shares, patch_ml=patch_ml, seed=seed) if shares else None,
        controls=[
            map_control(row, name, [one.alike[name] for one in found], seed=seed)
            for name in CONTROLS
            if name in study.controls
        ],
        models=[model_record(model) for model in study.models],
        covariates=covariates,
        grad_cam=cams,
    )


def _record(one: PatientExplained, number: int) -> PatientMap:
    made = one.maps[number]
    return PatientMap(
        patient=one.number,
        fold=one.fold,
        occluded=made.occluded,
        risk=made.risk,
        patches=one.patches,
        unread=one.unread,
        lowest=made.lowest,
        highest=made.highest,
        overlay=made.overlay,
    )
