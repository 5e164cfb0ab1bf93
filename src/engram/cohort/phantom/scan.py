"""The three image files of one phantom patient."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from engram.cohort.phantom.anatomy import BodyShapes
from engram.cohort.phantom.body import Body
from engram.cohort.phantom.cohort import CT_NOISE, LESIONS, PET_NOISE, Patient, stream
from engram.cohort.phantom.disease import place_lesions
from engram.cohort.phantom.images import make_ct, make_pet
from engram.cohort.phantom.settings import PHANTOM_VERSION, PhantomSettings
from engram.cohort.phantom.shapes import Grid
from engram.cohort.phantom.skeleton import STERNUM
from engram.cohort.phantom.spine import SACRUM
from engram.errors import StorageError
from engram.files import atomic_write, digest, file_digest, read_json, write_json

_PET_SHIFT_MM = np.array([3.7, -7.4, 11.3])  # z, y, x: the PET grid starts elsewhere than the CT grid
_ELSEWHERE_MM = 3000.0
_COMPRESSION = 1


@dataclass(frozen=True)
class ScanTask:
    """All that a worker needs to make the files of one patient."""

    folder: Path
    settings: PhantomSettings
    patient: Patient


def make_scan(task: ScanTask) -> bool:
    """Write CT, PET and labels of one patient unless they are there already; True where they were made.

    The record <id>.json goes first and comes last: it names what the files were made from and their SHA-256, so a
    patient that was cut off, damaged or drawn from other settings is made again.
    """
    if _is_made(task):
        return False
    remove(_record_path(task))
    written = [_write(task, kind, image) for kind, image in _images(task).items()]
    record = {"parameters": _parameters(task), "sha256": {path.name: file_digest(path) for path in written}}
    write_json(_record_path(task), record)
    return True


def remove(path: Path) -> None:
    """Remove a file that may be missing. Raises StorageError where the folder does not let it go."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: could not be removed ({error.strerror}). Choose another folder.") from error


def body_grid(body: Body, spacing_mm: tuple[float, float, float], shift_mm: npt.ArrayLike = (0, 0, 0)) -> Grid:
    """The grid (z, y, x) of one scan of a body, from the vertex to mid-femur, moved by `shift_mm` (z, y, x)."""
    low, high = (corner[::-1] for corner in body.field_mm())
    spacing = np.array(spacing_mm)
    origin, count = np.round(low + np.asarray(shift_mm), 1), np.ceil((high - low) / spacing).astype(int)
    z, y, x = (float(value) for value in origin)
    return Grid(spacing_mm, (z, y, x), (int(count[0]), int(count[1]), int(count[2])))


def _parameters(task: ScanTask) -> str:
    settings, patient = task.settings, task.patient
    return digest(
        {
            "phantom": PHANTOM_VERSION,
            "seed": [settings.seed, patient.index],
            "spacing_mm": [settings.ct_spacing_mm, settings.pet_spacing_mm],
            "lesion_site": settings.lesion_site,
            "body": asdict(patient.body),
            "disease": asdict(patient.disease),
            "image_fault": patient.fault if patient.fault in ("no_pet_file", "pet_elsewhere", "no_bones") else None,
        }
    )


def _is_made(task: ScanTask) -> bool:
    try:
        record = read_json(_record_path(task))
        whole = all(file_digest(task.folder / name) == sha for name, sha in record["sha256"].items())
        return bool(whole and record["parameters"] == _parameters(task))
    except (StorageError, KeyError, TypeError, AttributeError):
        return False


def _record_path(task: ScanTask) -> Path:
    return task.folder / f"{task.patient.id}.json"


def _images(task: ScanTask) -> dict[str, sitk.Image]:
    settings, patient = task.settings, task.patient
    shapes = BodyShapes(patient.body)

    def random(name: int) -> np.random.Generator:
        return stream(settings, patient.index, name)

    sites = place_lesions(patient.disease, shapes, settings.lesion_site, random(LESIONS))
    on_ct = shapes.rasterise(body_grid(patient.body, settings.ct_spacing_mm))
    on_pet = shapes.rasterise(body_grid(patient.body, settings.pet_spacing_mm, _PET_SHIFT_MM))
    labels = on_ct.labels
    if patient.fault == "no_bones":
        labels = np.where((labels >= SACRUM) & (labels <= STERNUM), 0, labels).astype(np.uint8)
    pet = make_pet(on_pet, patient.disease, sites, random(PET_NOISE))
    images = {
        "ct": _image(make_ct(on_ct, patient.disease, sites, random(CT_NOISE)), on_ct.grid),
        "pet": _image(pet, _pet_grid(on_pet.grid, patient)),
        "labels": _image(labels, on_ct.grid),
    }
    if patient.fault == "no_pet_file":
        del images["pet"]
    return images


def _pet_grid(grid: Grid, patient: Patient) -> Grid:
    if patient.fault != "pet_elsewhere":
        return grid
    z, y, x = grid.origin_mm
    return replace(grid, origin_mm=(z + _ELSEWHERE_MM, y, x))


def _image(array: npt.NDArray[Any], grid: Grid) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_mm[::-1])
    image.SetOrigin(grid.origin_mm[::-1])
    return image


def _write(task: ScanTask, kind: str, image: sitk.Image) -> Path:
    """Through a scratch folder: SimpleITK writes to names, not to streams. Its gzip carries no date."""
    path = task.folder / f"{task.patient.id}_{kind}.nii.gz"
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / "image.nii.gz"
        try:
            sitk.WriteImage(image, str(raw), True, _COMPRESSION)
        except RuntimeError as error:
            mend = f"Free some space in {scratch}, or point TMPDIR to another disk, and run again."
            raise StorageError(f"{path}: could not be made ({error}). {mend}") from error
        content = raw.read_bytes()
    return atomic_write(path, lambda stream: stream.write(content))
