"""How far each read-out of a study sees: reach.json, from the scans of some patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.cohort.records import PatientRecord
from engram.evaluation.reach_records import Reach, ReachCurve, save_reach
from engram.explain.cohort_reach import THRESHOLD, cohort_reach
from engram.explain.reach import Scan, mean_grey, reach_of_patient
from engram.imaging.frames import to_frames
from engram.jobs import run_jobs, tell_share
from engram.memory.engine import Wanted
from engram.memory.prompts import slice_prompts
from engram.memory.quality import QUALITY
from engram.memory.readouts import Region
from engram.memory.rereading import Rereader
from engram.memory.weights import CheckedWeights
from engram.pipeline import explain_patient
from engram.pipeline.console import Console
from engram.pipeline.explain_study import ExplainedStudy
from engram.pipeline.folders import RunFolder
from engram.pipeline.patients import open_patient
from engram.pipeline.requests import protocol_of, protocol_of_readout, readouts_of, window_of


@dataclass(frozen=True)
class _Job:
    record: PatientRecord
    number: int


def measure_reach(
    study: ExplainedStudy,
    chosen: Sequence[int],
    weights: CheckedWeights,
    *,
    workers: int,
    console: Console,
) -> Reach:
    """Write reach.json of these patients: every read-out of every region and scan. Raises ImagingError."""
    config, made = study.config, study.results.provenance
    jobs = [_Job(study.inputs.cohort.records[position], position + 1) for position in chosen]
    with console.stage("Measuring the reach") as progress:
        found = run_jobs(
            _reach_of,
            jobs,
            workers=workers if config.embedding.device == "cpu" else min(workers, 1),
            threads=config.embedding.threads,
            prepare=explain_patient.prepare,
            prepare_with=(config, weights),
            progress=progress,
        )
    curves = [curve for of_patient in found for curve in of_patient]
    reach = Reach(
        study=made.study_digest,
        manifest=made.manifest_digest,
        weights=weights.digest,
        untrained=made.untrained_weights,
        stride=config.explain.reach_stride,
        threshold=THRESHOLD,
        curves=curves,
        cohort=cohort_reach(curves),
    )
    save_reach(reach, RunFolder.of(config).reach)
    return reach


def _reach_of(job: _Job) -> list[ReachCurve]:
    config, backbone = explain_patient.loaded()
    seen, protocol = open_patient(job.record, config, parts=True), protocol_of(config)
    readouts = tuple(one for name, one in readouts_of(config).items() if name != QUALITY)
    spacing_mm = seen.pair.grid.spacing_mm
    regions = {
        roi: Region(slice_prompts(mask, protocol, spacing_mm), mask, spacing_mm, seen.parts)
        for roi, mask in seen.masks.items()
    }
    curves: list[ReachCurve] = []
    for done, modality in enumerate(config.modalities):
        frames = to_frames(seen.pair.volume(modality), window_of(config, modality))
        scan = Scan(job.number, modality, str(protocol.fields["prompting"]))
        wanted = {roi: Wanted(region, readouts) for roi, region in regions.items()}
        with Rereader(backbone, frames, wanted, protocol, batch=config.embedding.batch) as reader:
            found = reach_of_patient(
                reader, frames, regions, scan, stride=config.explain.reach_stride, grey=mean_grey(frames)
            )
        for curve in found:
            prompting = str(protocol_of_readout(config, readouts_of(config)[curve.readout]).fields["prompting"])
            curves.append(curve.model_copy(update={"prompting": prompting}))
        tell_share((done + 1) / len(config.modalities))
    return curves
