"""The second stage: the memory embeddings of every patient, kept under their content's address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engram.cohort.records import PatientRecord
from engram.config import Modality, StudyConfig
from engram.errors import ImagingError
from engram.files import digest
from engram.imaging.frames import to_frames
from engram.jobs import run_jobs
from engram.memory.backbone import Sam2Backbone
from engram.memory.protocol import Protocol
from engram.memory.store import EmbeddingStore, embedding_key
from engram.memory.study import final_memories
from engram.memory.weights import load_backbone
from engram.pipeline.check import CheckedCohort, error_fields
from engram.pipeline.console import Console
from engram.pipeline.embedded import Embedded, save_embedded
from engram.pipeline.patients import IMAGE_VERSION, PatientImages, images_section, open_patient, roi_recipe
from engram.roi.boxes import slice_boxes
from engram.roi.overlay import contact_sheet


@dataclass(frozen=True)
class Request:
    """One embedding of one patient, and its address in the store."""

    modality: Modality
    roi: str
    key: str


@dataclass(frozen=True)
class _Job:
    record: PatientRecord
    requests: tuple[Request, ...]


def protocol_of(config: StudyConfig) -> Protocol:
    """The reading protocol that a study file asks for."""
    return Protocol(prompting=config.embedding.prompting, stride=config.embedding.stride)


def embed(config: StudyConfig, checked: CheckedCohort, *, workers: int, console: Console) -> Embedded:
    """Embed every patient who is not in the store yet, and write embeddings.json.

    May be killed at any moment: a finished patient is not computed again. Raises WeightsError, StorageError.
    """
    backbone, store = _load(config), EmbeddingStore(config.store_dir)
    jobs = [_Job(record, _requests(config, record, checked, backbone)) for record in checked.cohort.records]
    missing = [job for job in jobs if any(r.key not in store for r in job.requests)]
    console.say(f"Embedding with {backbone.name}: {len(missing)} of {len(jobs)} patients to do")
    if missing:
        with console.stage("Embedding") as progress:
            run_jobs(
                _embed_patient,
                missing,
                workers=workers,
                prepare=_prepare,
                prepare_with=(config,),
                progress=progress,
            )
    made = _describe(config, checked, backbone, jobs)
    save_embedded(made, config, checked.cohort.digest)
    return made


def _describe(
    config: StudyConfig, checked: CheckedCohort, backbone: Sam2Backbone, jobs: Sequence[_Job]
) -> Embedded:
    protocol = protocol_of(config)
    imaging = [e for e in checked.cohort.excluded if isinstance(e, ImagingError)]
    return Embedded(
        weights=backbone.name,
        weights_digest=backbone.digest,
        untrained=backbone.untrained,
        protocol=_protocol_fields(config, protocol, backbone),
        protocol_digest=protocol.digest,
        keys={job.record.patient_id: {f"{r.modality}|{r.roi}": r.key for r in job.requests} for job in jobs},
        unusable={e.patient_id: error_fields(e) for e in imaging},
    )


def _load(config: StudyConfig) -> Sam2Backbone:
    wanted = config.embedding
    return load_backbone(
        config.weights_path or wanted.weights, resolution=wanted.resolution, name=wanted.weights_name
    )


def _requests(
    config: StudyConfig, record: PatientRecord, checked: CheckedCohort, backbone: Sam2Backbone
) -> tuple[Request, ...]:
    digests = checked.digests[record.patient_id]
    return tuple(
        Request(modality, roi, _key(config, modality, roi, digests, backbone))
        for modality in config.modalities
        for roi in config.rois
    )


def _key(config: StudyConfig, modality: Modality, roi: str, digests: dict[str, str], backbone: Sam2Backbone) -> str:
    # PET lies on the CT's grid, so it depends on both files; CT depends on itself alone.
    needed = ("ct",) if modality == "CT" else ("ct", "pet")
    return embedding_key(
        modality=modality,
        image_digests={name: digests[name] for name in needed if name in digests},
        window=_window(config, modality),
        roi=roi_recipe(roi, config, digests),
        protocol_digest=digest([protocol_of(config).digest, IMAGE_VERSION]),
        weights_digest=backbone.digest,
    )


def _window(config: StudyConfig, modality: Modality) -> tuple[float, float]:
    images = images_section(config)
    return images.ct_window_hu if modality == "CT" else images.pet_window_suv


class _Worker:
    """What a worker process loads once."""

    config: StudyConfig
    backbone: Sam2Backbone


def _prepare(config: StudyConfig) -> None:
    _Worker.config, _Worker.backbone = config, _load(config)


def _embed_patient(job: _Job) -> None:
    config, store = _Worker.config, EmbeddingStore(_Worker.config.store_dir)
    patient = open_patient(job.record, config)
    for modality in config.modalities:
        wanted = [r for r in job.requests if r.modality == modality and r.key not in store]
        if wanted:
            _embed_modality(patient, modality, wanted, store)


def _embed_modality(
    patient: PatientImages, modality: Modality, wanted: Sequence[Request], store: EmbeddingStore
) -> None:
    config, backbone, protocol = _Worker.config, _Worker.backbone, protocol_of(_Worker.config)
    volume = patient.pair.volume(modality)
    frames = to_frames(volume, _window(config, modality))
    boxes = {r.roi: slice_boxes(patient.masks[r.roi], stride=protocol.stride) for r in wanted}
    memories = final_memories(backbone, frames, boxes, protocol, entries=backbone.memories_seen)
    for r in wanted:
        picture = contact_sheet(frames, patient.masks[r.roi], boxes[r.roi], volume.grid.spacing_mm)
        store.save(r.key, memories[r.roi], picture)


def _protocol_fields(config: StudyConfig, protocol: Protocol, backbone: Sam2Backbone) -> dict[str, Any]:
    images = images_section(config)
    return {
        "prompting": protocol.prompting,
        "prompt": "tight box of each slice",
        "stride": protocol.stride,
        "direction": "superior to inferior",
        "resolution_px": backbone.image_size,
        "bank_dtype": protocol.bank_dtype,
        "ct_window_hu": list(images.ct_window_hu),
        "pet_window_suv": list(images.pet_window_suv),
        "read_out": "final two memory entries",
    }
