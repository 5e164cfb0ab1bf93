"""A synthetic cohort as a folder: images, cohort.csv and study.yaml."""

from __future__ import annotations

from pathlib import Path

from engram.cohort.phantom.cohort import draw_cohort, manifest
from engram.cohort.phantom.scan import ScanTask, make_scan, remove
from engram.cohort.phantom.settings import PhantomSettings
from engram.cohort.phantom.study_file import MARK, study_text
from engram.errors import StorageError
from engram.files import write_text
from engram.jobs import Progress, run_jobs

_TRUTH_COLUMNS = "true_clinical,true_imaging,true_total"


def write_cohort(
    folder: Path, settings: PhantomSettings, *, workers: int = 0, progress: Progress | None = None
) -> Path:
    """Write a synthetic cohort into `folder` and return the path of its study.yaml.

    Writes images/<id>_ct.nii.gz (int16, HU), _pet.nii.gz (float32, SUVbw), _labels.nii.gz (uint8,
    TotalSegmentator v2), cohort.csv and, last, study.yaml: a folder with a study file is a whole cohort. Cut off
    at any moment, it goes on where it was; the same settings give the same bytes, with any number of `workers`
    (processes; 0 is this one). `progress(done, total)` is called after each patient, in this process.
    Raises StorageError where the folder holds somebody else's study, or cannot be written.
    """
    study, table = folder / "study.yaml", folder / "cohort.csv"
    _refuse_foreign(study, table)
    cohort = draw_cohort(settings)
    contents = {table: manifest(cohort).to_csv(index=False, lineterminator="\n"), study: study_text(settings)}
    if any(_text(path) != text for path, text in contents.items()):
        # A study file beside images of other settings would be a lie; without one there is no study.
        remove(study)
    tasks = [ScanTask(folder / "images", settings, patient) for patient in cohort.patients]
    run_jobs(make_scan, tasks, workers=workers, progress=progress)
    for path, text in contents.items():
        write_text(path, text)
    return study


def _refuse_foreign(study: Path, table: Path) -> None:
    for path, sign in ((study, MARK), (table, _TRUTH_COLUMNS)):
        text = _text(path)
        if text is not None and sign not in text.partition("\n")[0]:
            raise StorageError(
                f"{path}: is not of a synthetic cohort, and it is not overwritten. Choose an empty folder."
            )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path}: cannot be read ({error}). Choose an empty folder.") from error
