"""Label maps of a study by a segmenter that the user has: one run a patient, each kept as soon as it is done."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from engram.config import StudyConfig
from engram.errors import ConfigError, PatientError
from engram.pipeline.console import Console
from engram.pipeline.segment_manifest import study_lines, write_manifest
from engram.pipeline.segment_table import Candidate, read_candidates
from engram.segmenters.installed import segmenter
from engram.segmenters.preflight import Preflight, Ready, Said, preflight
from engram.segmenters.product import Maker, make_labels, place_of
from engram.segmenters.segmenter import Request

_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class SegmentOptions:
    """What the command line asks for. task: None: the usual one of the tool. workers: runs at once."""

    tool: str
    task: str | None = None
    said: Said = field(default_factory=Said)
    fast: bool = False
    device: str | None = None
    workers: int = 1
    time_limit_min: float = 240.0

    @property
    def request(self) -> Request:
        """What is asked of the tool. Raises ConfigError where there is no such tool or task."""
        tool = segmenter(self.tool)
        task = self.task or tool.tasks[0]
        if task not in tool.tasks:
            raise ConfigError(f"--task {task!r}: {tool.name} has {', '.join(tool.tasks)}.")
        return Request(task, self.fast, self.device)


@dataclass(frozen=True)
class Segmented:
    """made, kept: patients whose map is new, or was there. failed: the others.

    manifest: the table that names all maps; None where there is no map. study_lines: for the study file.
    """

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failed: tuple[PatientError, ...]
    manifest: Path | None
    study_lines: tuple[str, ...] = ()


def labels_dir(config: StudyConfig) -> Path:
    """Where label maps go."""
    return config.run_dir / "labels"


def check_segmenter(options: SegmentOptions, output: Path, console: Console) -> Preflight:
    """Tell what a run needs, and what of it is there."""
    request = options.request
    found = preflight(segmenter(options.tool), request, output, options.said)
    console.say(f"{options.tool}, task {request.task}")
    for finding in found.findings:
        console.say(f"  {finding}")
    return found


def segment(config: StudyConfig, options: SegmentOptions, console: Console) -> Segmented:
    """A label map for every patient with a CT and without one; one bad patient stops no other.

    Finished maps of the same CT, tool, version and task are kept. Raises ConfigError where the segmenter is not
    ready, ManifestError where the table is wrong as a whole, StorageError where nothing can be written.
    """
    folder = labels_dir(config)
    ready = check_segmenter(options, folder, console).ready
    if ready is None:
        raise ConfigError("the segmenter is not ready: see what is missing above, and docs/segmenters.md.")
    found = read_candidates(config, ready.scheme.name)
    wanted = [patient for patient in found.patients if not patient.has_map]
    made, kept, failed = _all(wanted, folder, options, ready, console)
    failed = [*found.problems, *failed]
    for error in failed:
        console.say(f"without a map: {error}")
    maps = {patient: place_of(folder, patient, ready.scheme).labels for patient in (*made, *kept)}
    manifest = write_manifest(config, folder, ready.scheme.name, maps) if maps else None
    lines = study_lines(config, folder, manifest) if manifest is not None else []
    return Segmented(tuple(made), tuple(kept), tuple(failed), manifest, tuple(lines))


def _all(
    patients: list[Candidate], folder: Path, options: SegmentOptions, ready: Ready, console: Console
) -> tuple[list[str], list[str], list[PatientError]]:
    """Every patient, `options.workers` at once: a run is a process of its own, so threads only wait for it."""
    stop = Event()
    made: list[str] = []
    kept: list[str] = []
    failed: dict[str, PatientError] = {}
    seconds = options.time_limit_min * _SECONDS_PER_MINUTE
    maker = Maker(segmenter(options.tool), ready, options.request, seconds, stop)
    with console.stage("Segmenting") as progress, ThreadPoolExecutor(options.workers) as pool:
        try:
            runs: dict[Future[bool], str] = {
                pool.submit(make_labels, p.ct, p.patient_id, folder, maker): p.patient_id for p in patients
            }
            for done, run in enumerate(as_completed(runs), start=1):
                try:
                    (made if run.result() else kept).append(runs[run])
                except PatientError as error:
                    failed[runs[run]] = error
                progress(done, len(runs))
        except BaseException:
            stop.set()  # runs under way are ended, and nobody waits for those not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    order = {p.patient_id: index for index, p in enumerate(patients)}
    return (
        sorted(made, key=order.__getitem__),
        sorted(kept, key=order.__getitem__),
        [failed[patient_id] for patient_id in sorted(failed, key=order.__getitem__)],
    )
