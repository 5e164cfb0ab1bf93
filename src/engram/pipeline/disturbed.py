"""The embeddings of every patient under every variant, kept under their content's address like the study's own.

All variants of a scan are read in one pass, which encodes each slice once: they differ in what prompts, not in what
is read. A PET that was shifted is another scan, and has a pass of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.config_models import Modality
from engram.errors import ImagingError, StorageError
from engram.explain.mask_changes import Place, changed
from engram.explain.prompt_variants import PromptVariant
from engram.files import file_digest
from engram.imaging.align import pet_on_ct_grid
from engram.imaging.frames import to_frames
from engram.imaging.study import ImagePair
from engram.imaging.volume import Volume, read_volume
from engram.jobs import run_jobs, tell_share
from engram.memory.backbone import Sam2Backbone
from engram.memory.contract import Frames
from engram.memory.engine import Wanted, read_regions
from engram.memory.prompts import Spacing, slice_prompts
from engram.memory.readouts import Region
from engram.memory.store import EmbeddingStore
from engram.memory.weights import CheckedWeights, load_checked
from engram.pipeline.console import Console
from engram.pipeline.inspection import image_files
from engram.pipeline.memory_readouts import check_finite, stored_readout
from engram.pipeline.patients import open_patient
from engram.pipeline.requests import Request, protocol_of, protocol_of_readout, readouts_of, window_of

Shift = tuple[float, float, float]


@dataclass(frozen=True)
class Asked:
    """What one variant asks of one patient."""

    variant: PromptVariant
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class DisturbedJob:
    """One patient. digests: of his files when the study was embedded; asked: what is not in the store yet."""

    record: PatientRecord
    digests: Mapping[str, str]
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class LeftOut:
    """A variant that cannot be made of a patient's region. error: says why, and names the patient."""

    patient_id: str
    variant: str
    roi: str
    error: ImagingError


def embed_disturbed(
    config: StudyConfig,
    weights: CheckedWeights,
    jobs: Sequence[DisturbedJob],
    *,
    workers: int,
    console: Console,
) -> list[LeftOut]:
    """Read what every job asks for, and say what could not be made.

    May be killed at any moment: a finished patient is not computed again. Raises StorageError where a file is not
    the one that the study embedded, and as 'engram embed'.
    """
    if not jobs:
        return []
    with EmbeddingStore(config.store_dir).in_use(), console.stage("Reading variants") as progress:
        found = run_jobs(
            _embed_patient,
            jobs,
            workers=workers if config.embedding.device == "cpu" else min(workers, 1),
            threads=config.embedding.threads,
            prepare=_prepare,
            prepare_with=(config, weights),
            progress=progress,
        )
    EmbeddingStore(config.store_dir).reindex()
    return [one for left_out in found for one in left_out]


class _Worker:
    """What a worker process loads once."""

    config: StudyConfig
    backbone: Sam2Backbone


def _prepare(config: StudyConfig, weights: CheckedWeights) -> None:
    wanted = config.embedding
    _Worker.config = config
    _Worker.backbone = load_checked(weights, device=wanted.device, name=wanted.weights_name)


def _embed_patient(job: DisturbedJob) -> list[LeftOut]:
    _refuse_replaced(job)
    seen, left_out = _seen(job)
    passes = dict.fromkeys(scan_of(one, r.modality) for one in job.asked for r in one.requests)
    for done, one in enumerate(passes):
        if one in seen.frames:
            _Pass(job, seen, *one, done / len(passes), 1 / len(passes)).read()
    return left_out


def _refuse_replaced(job: DisturbedJob) -> None:
    """An address is made of what the study embedded: other bytes must not come to lie there."""
    for use, path in image_files(job.record).items():
        if use in job.digests and file_digest(path) != job.digests[use]:
            raise StorageError(
                f"patient {job.record.patient_id}: {use}: {path} was replaced since 'engram embed'. Run 'engram "
                "embed' again, then 'engram sensitivity'."
            )


def scan_of(asked: Asked, modality: Modality) -> tuple[Modality, Shift | None]:
    """Scan and shift: what is read in one go."""
    return modality, asked.variant.pet_shift_mm if modality == "PET" else None


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the model is shown of a patient. places: of each variant and region that can be made."""

    frames: dict[tuple[Modality, Shift | None], Frames]
    places: dict[tuple[str, str], Place]
    spacing_mm: Spacing


def _seen(job: DisturbedJob) -> tuple[_Seen, list[LeftOut]]:
    record, config = job.record, _Worker.config
    patient = open_patient(record, config)
    seen, left_out = _Seen({}, {}, patient.pair.grid.spacing_mm), []
    for one in job.asked:
        for roi in dict.fromkeys(r.roi for r in one.requests):
            own = Place(patient.masks[roi], patient.parts)
            try:
                place = _changed(one.variant, own, patient.pair, record.patient_id, roi)
                for scan in dict.fromkeys(scan_of(one, r.modality) for r in one.requests if r.roi == roi):
                    if scan not in seen.frames:
                        voxels = _scan(record, patient.pair, *scan)
                        seen.frames[scan] = to_frames(voxels, window_of(config, scan[0]))
            except ImagingError as error:
                left_out.append(LeftOut(record.patient_id, one.variant.name, roi, error))
            else:
                seen.places[one.variant.name, roi] = place
    return seen, left_out


def _changed(variant: PromptVariant, own: Place, pair: ImagePair, patient_id: str, roi: str) -> Place:
    return own if variant.mask is None else changed(variant.mask, own, pair, patient_id=patient_id, roi=roi)


def _scan(record: PatientRecord, pair: ImagePair, modality: Modality, shift_mm: Shift | None) -> Volume:
    """The scan on the study's grid; a shifted PET is interpolated once, from where it lies now."""
    if shift_mm is None:
        return pair.volume(modality)
    if record.pet is None:
        raise ValueError("a patient without a PET has none to shift")
    pet = read_volume(record.pet, patient_id=record.patient_id, what="PET")
    x, y, z = (place + mm for place, mm in zip(pet.grid.origin_mm, shift_mm, strict=True))
    moved = replace(pet, grid=replace(pet.grid, origin_mm=(x, y, z)))
    return pet_on_ct_grid(moved, pair.volume("CT"), patient_id=record.patient_id).volume


@dataclass(frozen=True)
class _Pass:
    """One reading of one scan for all variants that see it. before, share: of the job, for its progress."""

    job: DisturbedJob
    seen: _Seen
    modality: Modality
    shift_mm: Shift | None
    before: float
    share: float

    def read(self) -> None:
        """Read the scan, and store what was asked of it."""
        config, backbone = _Worker.config, _Worker.backbone
        asked = {(one.variant, roi): rs for one in self.job.asked for roi, rs in self._by_roi(one).items()}
        readouts = readouts_of(config)
        wanted = {
            f"{variant.name}|{roi}": Wanted(
                self._region(variant, roi), tuple(readouts[r.readout] for r in requests)
            )
            for (variant, roi), requests in asked.items()
        }
        # Variants differ in their prompts, which are made; how slices are read is the study's.
        found = read_regions(
            backbone,
            self.seen.frames[self.modality, self.shift_mm],
            wanted,
            protocol_of(config),
            batch=config.embedding.batch,
            progress=lambda done, total: tell_share(self.before + self.share * done / total),
        )
        store = EmbeddingStore(config.store_dir)
        for (variant, roi), requests in asked.items():
            name, disturbed = f"{variant.name}|{roi}", variant.of(config)
            for r in requests:
                arrays = found[name][r.readout]
                check_finite(self.job.record.patient_id, r, arrays)
                read_by = protocol_of_readout(disturbed, readouts_of(disturbed)[r.readout])
                slices = len(wanted[name].region.prompts)
                store.save(r.key, stored_readout(r, arrays, backbone, read_by, slices))

    def _by_roi(self, asked: Asked) -> dict[str, list[Request]]:
        """What a variant asks of this pass, of regions that could be made."""
        found: dict[str, list[Request]] = {}
        for r in asked.requests:
            here = scan_of(asked, r.modality) == (self.modality, self.shift_mm)
            if here and (asked.variant.name, r.roi) in self.seen.places:
                found.setdefault(r.roi, []).append(r)
        return found

    def _region(self, variant: PromptVariant, roi: str) -> Region:
        place, spacing_mm = self.seen.places[variant.name, roi], self.seen.spacing_mm
        protocol = protocol_of(variant.of(_Worker.config))
        return Region(slice_prompts(place.mask, protocol, spacing_mm), place.mask, spacing_mm, place.parts)
