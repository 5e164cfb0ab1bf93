"""The second stage: the embeddings of every patient, kept under their content's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.config_models import Modality
from engram.encoders.contract import Encoder
from engram.errors import ImagingError
from engram.imaging.frames import to_frames
from engram.jobs import Progress, run_jobs, tell_share
from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Frames
from engram.memory.engine import Wanted, Watch, read_regions
from engram.memory.overlay import contact_sheet
from engram.memory.prompts import Spacing, slice_prompts
from engram.memory.protocol import Protocol
from engram.memory.quality import QUALITY
from engram.memory.readouts import Region
from engram.memory.store import EmbeddingStore
from engram.memory.weights import CheckedWeights, check_weights, load_checked
from engram.pipeline.check import CheckedCohort, error_fields
from engram.pipeline.console import Console
from engram.pipeline.embed_encoders import begin, read_encoders, watching
from engram.pipeline.embedded import Embedded, save_embedded
from engram.pipeline.encoder_weights import CheckedEncoders, needs_memory_model
from engram.pipeline.encoders import described, encoder_requests, load_encoders
from engram.pipeline.memory_readouts import check_finite, stored_readout
from engram.pipeline.patients import open_patient
from engram.pipeline.requests import (
    Request,
    image_fields,
    picture_of,
    protocol_fields,
    protocol_of,
    protocol_of_readout,
    readouts_of,
    requests_of,
    weights_of,
    window_of,
)
from engram.roi.anatomy import PartMap
from engram.roi.bones import Mask
from engram.table import ENCODERS


@dataclass(frozen=True)
class _Job:
    record: PatientRecord
    requests: tuple[Request, ...]


def embed(config: StudyConfig, checked: CheckedCohort, *, workers: int, console: Console) -> Embedded:
    """Make every read-out that is not in the store yet, or is damaged there, and write embeddings.json.

    May be killed at any moment: a finished patient is not computed again. Raises WeightsError, StorageError.
    """
    weights = checked.weights or _memory_weights(config)
    models, store = _load(config, weights, checked.encoders), EmbeddingStore(config.store_dir)
    all_jobs = [_Job(r, _requests(config, checked.digests[r.patient_id], models)) for r in checked.cohort.records]
    jobs = [job for job in (_unfinished(job, store, picture_of(config)) for job in all_jobs) if job.requests]
    console.say(f"Embedding with {_named(config, models)}: {len(jobs)} of {len(all_jobs)} patients to do")
    if jobs:
        with store.in_use(), console.stage("Embedding") as progress:
            run_jobs(
                _embed_patient,
                jobs,
                # One process for a GPU: the model fills it, and several would only wait for each other.
                workers=workers if config.embedding.device == "cpu" else min(workers, 1),
                threads=config.embedding.threads,
                prepare=_prepare,
                prepare_with=(config, weights, checked.encoders),
                progress=progress,
            )
    made = _describe(config, checked, models, all_jobs)
    save_embedded(made, config, checked.cohort.digest)
    if jobs:
        store.reindex()
    return made


def _memory_weights(config: StudyConfig) -> CheckedWeights | None:
    return check_weights(weights_of(config), config.embedding.resolution) if needs_memory_model(config) else None


def _requests(config: StudyConfig, digests: dict[str, str], models: _Models) -> tuple[Request, ...]:
    """Of the memory first: its read-outs, then the vectors of the encoders without one."""
    of_memory = requests_of(config, digests, models.backbone) if models.backbone is not None else ()
    return (*of_memory, *encoder_requests(config, digests, models.encoders))


def _named(config: StudyConfig, models: _Models) -> str:
    memory = [models.backbone.name] if models.backbone is not None and readouts_of(config) else []
    return ", ".join([*memory, *models.encoders]) or "nothing"


def _unfinished(job: _Job, store: EmbeddingStore, pictured: str | None) -> _Job:
    """What is absent or damaged, or lacks the picture that the read-out `pictured` shall have."""

    def finished(request: Request) -> bool:
        has_picture = request.readout != pictured or store.picture_path(request.key).is_file()
        return has_picture and store.sound(request.key)

    return _Job(job.record, tuple(request for request in job.requests if not finished(request)))


def _describe(config: StudyConfig, checked: CheckedCohort, models: _Models, jobs: Sequence[_Job]) -> Embedded:
    imaging = [e for e in checked.cohort.excluded if isinstance(e, ImagingError)]
    memory = models.backbone if readouts_of(config) else None
    return Embedded(
        weights=memory.name if memory else None,
        weights_digest=memory.digest if memory else None,
        untrained=memory.untrained if memory else False,
        verified=memory.verified if memory else False,
        protocol=protocol_fields(config, memory) if memory else image_fields(config),
        protocol_digest=protocol_of(config).digest if memory else None,
        keys={job.record.patient_id: {r.name: r.key for r in job.requests} for job in jobs},
        digests=checked.digests,
        unusable=[{"patient_id": e.patient_id, "row": e.row, **error_fields(e)} for e in imaging],
        encoders={name: described(config, name, encoder) for name, encoder in models.encoders.items()},
        absent=dict(checked.encoders.absent),
    )


@dataclass(frozen=True)
class _Models:
    """What reads the slices. backbone: None where neither its memory nor its image encoder is asked for."""

    backbone: Sam2Backbone | None
    encoders: Mapping[str, Encoder]


def _load(config: StudyConfig, weights: CheckedWeights | None, checked: CheckedEncoders) -> _Models:
    wanted = config.embedding
    backbone = load_checked(weights, device=wanted.device, name=wanted.weights_name) if weights else None
    licence = weights.licence if weights else None
    return _Models(backbone, load_encoders(config, checked, backbone, licence=licence))


class _Worker:
    """What a worker process loads once."""

    config: StudyConfig
    models: _Models


def _prepare(config: StudyConfig, weights: CheckedWeights | None, checked: CheckedEncoders) -> None:
    _Worker.config, _Worker.models = config, _load(config, weights, checked)


def _embed_patient(job: _Job) -> None:
    modalities = [m for m in _Worker.config.modalities if any(r.modality == m for r in job.requests)]
    seen = _seen(job.record, modalities)
    for done, modality in enumerate(modalities):
        share = 1 / len(modalities)
        _Modality(job.record.patient_id, seen, modality, job.requests, done * share, share).embed()


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the model is shown of a patient; the scans, four times as large, are gone by then."""

    frames: dict[Modality, Frames]
    masks: dict[str, Mask]
    parts: PartMap | None
    spacing_mm: Spacing


def _seen(record: PatientRecord, modalities: Sequence[Modality]) -> _Seen:
    patient, config = open_patient(record, _Worker.config), _Worker.config
    masks, parts, spacing_mm = patient.masks, patient.parts, patient.pair.grid.spacing_mm
    scans = {modality: patient.pair.volume(modality) for modality in modalities}
    del patient  # so that each scan is gone once its frames are made: of a whole body, a gibibyte
    frames = {modality: to_frames(scans.pop(modality), window_of(config, modality)) for modality in modalities}
    return _Seen(frames, masks, parts, spacing_mm)


@dataclass(frozen=True)
class _Modality:
    """One scan of one patient. before, share: of the job's work, for its progress."""

    patient_id: str
    seen: _Seen
    modality: Modality
    requests: tuple[Request, ...]
    before: float
    share: float

    def embed(self) -> None:
        """Read the scan and store what was asked of it: the memory first, then encoders without one."""
        asked = [request for request in self.requests if request.modality == self.modality]
        of_encoders = [request for request in asked if request.readout in ENCODERS]
        of_memory = [request for request in asked if request.readout not in ENCODERS]
        # One bar for both: a pass of the memory is taken to be as long as the encoders' slices.
        part = 1 / (bool(of_memory) + bool(of_encoders))
        config, models = _Worker.config, _Worker.models
        begun = begin(of_encoders, self.seen.masks, config)
        if of_memory and models.backbone is not None:
            self._remember(of_memory, models.backbone, watching(begun, config), part)
        frames, tell = self.seen.frames[self.modality], self._teller(1 - part, part)
        read_encoders(self.patient_id, frames, self.seen.masks, begun, models.encoders, config, tell)

    def _remember(self, asked: Sequence[Request], backbone: Sam2Backbone, watch: Watch | None, part: float) -> None:
        config, protocol, frames = _Worker.config, protocol_of(_Worker.config), self.seen.frames[self.modality]
        regions = {roi: self._region(roi, protocol) for roi in dict.fromkeys(r.roi for r in asked)}
        readouts = readouts_of(config)
        wanted = {
            roi: Wanted(region, tuple(readouts[r.readout] for r in asked if r.roi == roi))
            for roi, region in regions.items()
        }
        found = read_regions(
            backbone,
            frames,
            wanted,
            protocol,
            batch=config.embedding.batch,
            watch=watch,
            progress=self._teller(0.0, part),
        )
        for roi, region in regions.items():
            drawn, is_pet = found[roi].get(QUALITY), self.modality == "PET"
            picture = contact_sheet(frames, region, protocol, drawn, inverted=is_pet)
            for r in asked:
                if r.roi == roi:
                    check_finite(self.patient_id, r, found[roi][r.readout])
                    shown = picture if r.readout == picture_of(config) else None
                    read_by = protocol_of_readout(config, readouts[r.readout])
                    stored = stored_readout(r, found[roi][r.readout], backbone, read_by, len(region.prompts))
                    EmbeddingStore(config.store_dir).save(r.key, stored, shown)

    def _region(self, roi: str, protocol: Protocol) -> Region:
        mask, spacing_mm = self.seen.masks[roi], self.seen.spacing_mm
        return Region(slice_prompts(mask, protocol, spacing_mm), mask, spacing_mm, self.seen.parts)

    def _teller(self, begun: float, part: float) -> Progress:
        """Tells how much of the job is done. begun, part: of this scan's share."""
        return lambda done, total: tell_share(self.before + self.share * (begun + part * done / total))
