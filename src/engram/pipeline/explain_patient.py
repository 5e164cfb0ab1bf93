"""One patient of `engram explain`, in a worker: his scans read with one patch after the other occluded."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.config_models import Modality
from engram.errors import StorageError
from engram.evaluation.preprocess import keys_of
from engram.evaluation.transport import features_digest
from engram.explain.attribution import PartShare, part_shares
from engram.explain.control_models import CONTROLS
from engram.explain.fold_model import FoldModel
from engram.explain.fold_models import unpacked
from engram.explain.map_files import write_map
from engram.explain.occlusion import OCCLUSION_VERSION, OccludedPatient, OccludedScan, record_of, same_embedding
from engram.explain.overlay import draw_overlay
from engram.explain.patch_deltas import PatchDeltas
from engram.explain.patches import Patch, fill_value, patch_grid
from engram.explain.sensitivity_map import SensitivityMap
from engram.explain.similarity import Similarity, similarity
from engram.files import write_text
from engram.imaging.frames import to_frames
from engram.jobs import tell_share
from engram.memory.backbone import Sam2Backbone
from engram.memory.engine import Wanted
from engram.memory.prompts import slice_prompts
from engram.memory.readouts import Arrays, Region
from engram.memory.rereading import Rereader
from engram.memory.weights import CheckedWeights, load_checked
from engram.pipeline.patients import IMAGE_VERSION, PatientImages, open_patient, roi_recipe
from engram.pipeline.requests import image_digests, protocol_of, readouts_of, window_of
from engram.pipeline.study_table import entries_of, last_entries
from engram.table import MAP_READOUTS, EmbeddingKey, FloatArray, PatientFeatures


@dataclass(frozen=True)
class PatientJob:
    """Whom to explain. number: in the study's order, from 1. digests: of his files. models: packed, the fold's own
    under "", then the controls. features: of him alone."""

    record: PatientRecord
    number: int
    digests: dict[str, str]
    models: dict[str, bytes]
    features: PatientFeatures
    folder: Path
    cache: Path


@dataclass(frozen=True)
class MapMade:
    """One map of one patient: as `PatientMap` has it."""

    occluded: str
    risk: float
    lowest: float
    highest: float
    overlay: str


@dataclass(frozen=True)
class PatientExplained:
    """shares: by anatomical part, of the map of all scans together; None without parts. alike: that map and those
    of the controls, by their names. patches, unread: how many, and how many touch no slice that is read."""

    number: int
    fold: int
    maps: list[MapMade]
    shares: list[PartShare] | None
    alike: dict[str, Similarity]
    patches: int
    unread: int


class _Worker:
    """What a worker process loads once."""

    config: StudyConfig
    backbone: Sam2Backbone


def prepare(config: StudyConfig, weights: CheckedWeights) -> None:
    """Load what all patients of this process need."""
    wanted = config.embedding
    _Worker.config = config
    _Worker.backbone = load_checked(weights, device=wanted.device, name=wanted.weights_name)


def loaded() -> tuple[StudyConfig, Sam2Backbone]:
    """What `prepare` has loaded in this process."""
    return _Worker.config, _Worker.backbone


def explain_patient(job: PatientJob) -> PatientExplained:
    """All maps of one patient, written to `job.folder`. Raises StorageError where his scans, read again, are not
    what the study has seen; ImagingError where they cannot be read."""
    config = _Worker.config
    models: dict[str, FoldModel] = {name: unpacked(content) for name, content in job.models.items()}
    spec, seen = models[""].spec, open_patient(job.record, config, parts=True)
    region, grid = seen.masks[spec.roi], seen.pair.grid
    patches = patch_grid(
        region,
        grid.spacing_mm,
        patch_mm=config.explain.patch_mm,
        stride_mm=config.explain.stride_mm,
        complete=config.explain.complete,
    )
    with ExitStack() as stack:
        scans = [_scan(stack, job, seen, key) for key in keys_of(spec)]
        patient = OccludedPatient(models, job.features, scans)
        deltas = PatchDeltas(job.cache, _made_from(job, models), patches, patient.baseline)
        done = len(patches) - len(deltas.missing)
        for patch in deltas.missing:
            deltas.keep(patch, patient.risks(patch))
            done += 1
            tell_share(done / len(patches))
    maps = {record: deltas.map_of(record, grid.shape) for record in deltas.baseline}
    whole = maps[patient.names[-1]]
    return PatientExplained(
        number=job.number,
        fold=models[""].number + 1,
        maps=[_write(job, seen, spec.roi, name, maps[name], deltas) for name in patient.names],
        shares=_shares(whole, seen, spec.roi),
        alike={
            name: similarity(whole, maps[record_of(patient.names[-1], name)]) for name in CONTROLS if name in models
        },
        patches=len(patches),
        unread=sum(_is_unread(patch, scans) for patch in patches),
    )


def _scan(stack: ExitStack, job: PatientJob, seen: PatientImages, key: EmbeddingKey) -> OccludedScan:
    """A scan, read once. Held to the embedding of the study, bit for bit."""
    config = _Worker.config
    modality: Modality = "CT" if key.modality == "CT" else "PET"
    volume, window, protocol = seen.pair.volume(modality), window_of(config, modality), protocol_of(config)
    region, spacing_mm = seen.masks[key.roi], seen.pair.grid.spacing_mm
    wanted = Region(slice_prompts(region, protocol, spacing_mm), region, spacing_mm, seen.parts)
    fast = config.explain.mode == "fast"
    reader = stack.enter_context(
        Rereader(
            _Worker.backbone,
            to_frames(volume, window),
            {key.roi: Wanted(wanted, (readouts_of(config)[key.readout],))},
            protocol,
            batch=config.embedding.batch,
            tolerance=config.explain.tolerance if fast else None,
        )
    )
    fill = fill_value(volume.voxels, region, config.explain.fill)
    slices = frozenset(int(z) for z in wanted.prompts.slices)
    scan = OccludedScan(key, volume.voxels, window, fill, reader, slices, _as_embedding(config, key))
    if not same_embedding(scan.whole, job.features.embeddings[key][0]):
        raise StorageError(
            f"patient {job.record.patient_id}: {key.called}: read again, it is not the embedding that the study "
            "has. It was made on another machine or with other settings of embedding. Run 'engram run' again here."
        )
    return scan


def _as_embedding(config: StudyConfig, key: EmbeddingKey) -> Any:
    """From what is read out to what the study table holds of one patient."""
    entries = entries_of(config)

    def as_embedding(arrays: Arrays) -> FloatArray:
        values: FloatArray = np.asarray(arrays["memory" if key.readout in MAP_READOUTS else "vector"])
        return last_entries(values, entries) if key.readout == "final" else values

    return as_embedding


def _made_from(job: PatientJob, models: dict[str, FoldModel]) -> dict[str, Any]:
    """All that decides the changes, but for the patches and who it is."""
    config, model = _Worker.config, models[""]
    explain = config.explain
    return {
        "features": features_digest(job.features),
        "images": {key.modality: image_digests(_modality(key), job.digests) for key in keys_of(model.spec)},
        "windows": {key.modality: list(window_of(config, _modality(key))) for key in keys_of(model.spec)},
        "region": roi_recipe(model.spec.roi, config, job.digests),
        "image_version": IMAGE_VERSION,
        "protocol": protocol_of(config).digest,
        "weights": _Worker.backbone.digest,
        "models": {name: one.fingerprint for name, one in models.items()},
        "occlusion_version": OCCLUSION_VERSION,
        "fill": explain.fill,
        "tolerance": explain.tolerance if explain.mode == "fast" else None,
        "compute": config.embedding.model_dump(include={"device", "threads", "batch"}),
    }


def _modality(key: EmbeddingKey) -> Modality:
    return "CT" if key.modality == "CT" else "PET"


def _write(
    job: PatientJob, seen: PatientImages, roi: str, name: str, found: SensitivityMap, deltas: PatchDeltas
) -> MapMade:
    """The files of one map: NIfTI and overlay."""
    config, untrained = _Worker.config, _Worker.backbone.untrained
    # By content: what a kill leaves of other settings is never taken for these.
    stem = f"patient_{job.number:04d}_{name.replace(' + ', '_')}_{deltas.address[:8]}"
    write_map(found, seen.pair.grid, job.folder, stem, untrained=untrained)
    drawing = draw_overlay(
        seen.pair,
        seen.masks[roi],
        found.signed(),
        windows={modality: window_of(config, modality) for modality in get_args(Modality)},
        name=stem,
        title=f"Patient {job.number}, {name} occluded",
        untrained=untrained,
    )
    write_text(job.folder / f"{stem}.svg", drawing.svg)
    changes = [0.0, *deltas.changes(name)]
    return MapMade(name, deltas.baseline[name], min(changes), max(changes), f"{stem}.svg")


def _shares(found: SensitivityMap, seen: PatientImages, roi: str) -> list[PartShare] | None:
    if seen.parts is None:
        return None
    voxel_ml = float(np.prod(seen.pair.grid.spacing_mm)) / 1000
    return part_shares(found.absolute(), seen.masks[roi], seen.parts, voxel_ml)


def _is_unread(patch: Patch, scans: list[OccludedScan]) -> bool:
    """Whether no scan reads a slice that the patch touches, so that it changes nothing."""
    return all(scan.slices.isdisjoint(patch.frames(len(scan.voxels))) for scan in scans)
