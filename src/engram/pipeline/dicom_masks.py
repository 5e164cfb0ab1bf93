"""Masks between DICOM and NIfTI, on the slices of one CT or PET series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engram.errors import ConfigError, ImagingError
from engram.imaging.dicom.body_axes import BodyAxes, body_axes
from engram.imaging.dicom.corrections import series_id
from engram.imaging.dicom.drawn import drawn_on, read_masks
from engram.imaging.dicom.dump import series_problem, walk
from engram.imaging.dicom.headers import IMAGE_CLASSES
from engram.imaging.dicom.polygon import Mask
from engram.imaging.dicom.scan_fit import Scan
from engram.imaging.dicom.seg_write import MadeBy, write_seg
from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import build_stack
from engram.imaging.volume import Grid, read_oriented
from engram.imaging.write import write_nifti
from engram.pipeline.console import Console
from engram.pipeline.init_tables import column_name

_LISTED = 8  # series that a message names


@dataclass(frozen=True)
class WrittenMask:
    """A mask of a DICOM file, now at `path`."""

    name: str
    path: Path
    voxels: int
    volume_ml: float


@dataclass(frozen=True)
class WrittenMasks:
    """What became of a DICOM file of masks. Fields as in `engram.imaging.dicom.drawn.DrawnMasks`."""

    written: tuple[WrittenMask, ...]
    notes: tuple[str, ...]
    left: tuple[ImagingError, ...]


def find_scan(
    folder: Path, *, wanted: str | None, workers: int, console: Console, named: str | None = None
) -> Scan:
    """The CT or PET series in a folder: the one called `wanted`, by UID or short id, else the only one.

    named: the UID that a file of masks names, which decides where there are several and none is wanted. Raises
    ConfigError where there is none or several, ImagingError where its slices are no volume.
    """
    with console.stage("Reading headers") as progress:
        dump = walk(folder, workers=workers, progress=progress)
    found = [one for one in dump.series if one.modality in IMAGE_CLASSES]
    chosen = [one for one in found if wanted in (None, one.uid, series_id(one.uid))]
    if len(chosen) > 1 and wanted is None:
        chosen = [one for one in chosen if one.uid == named]
    if len(chosen) != 1:
        raise ConfigError(_not_one(folder, found, wanted))
    (series,) = chosen
    problem = series_problem(series)
    if problem is not None:
        mend = "Take another series, or export this one again."
        raise ImagingError(
            series.patient_id, "series is no volume", file=str(series.folder), value=problem, mend=mend
        )
    return Scan(series, build_stack(series, patient_id=series.patient_id))


def _not_one(folder: Path, found: Sequence[Series], wanted: str | None) -> str:
    lines = [f"  {series_id(one.uid)}  {one.modality}  {one.description or ''}" for one in found[:_LISTED]]
    more = [f"  and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    what = "no CT or PET series" if not found else f"{len(found)} CT and PET series"
    said = f"{folder}: {what}" + (f", and none is '{wanted}'" if wanted else "")
    mend = "Name one with --series-id:" if found else "Give the folder of the series."
    return "\n".join([f"{said}. {mend}", *lines, *more])


def export_seg(
    masks: Mapping[str, Path], scan: Scan, out: Path, *, made_by: MadeBy, description: str = "Engram regions"
) -> Path:
    """Write NIfTI masks (0 and one other value) on the grid of a series as one DICOM Segmentation.

    Raises ImagingError where a mask is unreadable, empty, has several values or lies on another grid.
    """
    patient_id = scan.series.patient_id
    axes = _axes(scan)
    arrays = {name: _read_mask(path, axes, patient_id, name) for name, path in masks.items()}
    return write_seg(
        arrays, scan.series, scan.stack, out, made_by=made_by, patient_id=patient_id, description=description
    )


def mask_files(arguments: Iterable[str]) -> dict[str, Path]:
    """ "NAME=FILE" or "FILE" by name, which is that of the file without its ending where none is given.

    Raises ConfigError where two have one name.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, _, file = argument.rpartition("=")
        if Path(argument).is_file() or not name:
            name, file = Path(argument).name.removesuffix(".gz").rsplit(".", 1)[0], argument
        if name in found:
            raise ConfigError(f"two masks are called '{name}': {found[name]} and {file}. Use NAME=FILE.")
        found[name] = Path(file)
    return found


def import_masks(
    path: Path,
    folder: Path,
    out: Path,
    *,
    wanted: str | None,
    rois: Collection[str],
    workers: int,
    console: Console,
) -> WrittenMasks:
    """Write the regions of an RT Structure Set or DICOM Segmentation as NIfTI masks, axes as in `Volume`.

    folder: of the series; where it holds several and none is `wanted`, the one that the file names is taken. rois:
    names of those to write; none means all. Raises ImagingError where one of `rois` cannot be written, or nothing
    can; ConfigError as `find_scan`.
    """
    named = drawn_on(path, patient_id="").series_uid
    scan = find_scan(folder, wanted=wanted, workers=workers, console=console, named=named)
    patient_id = scan.series.patient_id
    found = read_masks(path, scan.series, scan.stack, patient_id=patient_id, only=rois)
    if found.left and (rois or not found.masks):
        raise found.left[0]
    axes = _axes(scan)
    written: list[WrittenMask] = []
    for name, mask in found.masks.items():
        target = _free_name(out, name, {one.path for one in written})
        write_nifti(np.ascontiguousarray(axes.turned(mask)), axes.grid, target)
        count = int(mask.sum())
        written.append(WrittenMask(name, target, count, count * axes.grid.voxel_volume_ml))
    return WrittenMasks(tuple(written), (*scan.stack.notes, *found.notes), found.left)


def _free_name(out: Path, name: str, taken: Collection[Path]) -> Path:
    stem = column_name(name) or "mask"
    names = [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 2))]
    return next(path for path in (out / f"{one}.nii.gz" for one in names) if path not in taken)


def _axes(scan: Scan) -> BodyAxes:
    series = scan.series
    return body_axes(scan.stack.grid, patient_id=series.patient_id, what=series.modality, file=str(series.folder))


def _read_mask(path: Path, axes: BodyAxes, patient_id: str, name: str) -> Mask:
    """bool (slices, rows, columns), in the order of the stack."""
    what = f"mask of '{name}'"
    volume = read_oriented(path, patient_id=patient_id, what=what)
    if not volume.grid.matches(axes.grid):
        value = f"{volume.grid.describe()}; the series has {axes.grid.describe()}{_moved(volume.grid, axes.grid)}"
        mend = "Resample it by nearest neighbour to the grid of the series, or give the series it belongs to."
        raise ImagingError(patient_id, f"{what} on another grid", file=str(path), value=value, mend=mend)
    values = np.unique(volume.voxels)
    if values.size > 2 or values[0] != 0:
        value = ", ".join(f"{one:g}" for one in values[:6])
        mend = "A mask is 0 and one other value: threshold it, or write each label to a file of its own."
        raise ImagingError(patient_id, f"{what} is no mask", file=str(path), value=value, mend=mend)
    mask: Mask = axes.as_stored(volume.voxels != 0)
    return mask


def _moved(a: Grid, b: Grid) -> str:
    """How far the corners of two grids of one shape are apart, in words."""
    if a.shape != b.shape:
        return ""
    apart_mm = np.linalg.norm(_corners_mm(a) - _corners_mm(b), axis=1)
    return f"; corners are up to {apart_mm.max():.2f} mm apart"


def _corners_mm(grid: Grid) -> npt.NDArray[np.float64]:
    index = np.stack(np.meshgrid(*([0, n - 1] for n in reversed(grid.shape)), indexing="ij"), axis=-1).reshape(
        -1, 3
    )
    steps = np.reshape(grid.direction, (3, 3)) * np.array(grid.spacing_mm[::-1])
    corners: npt.NDArray[np.float64] = index @ steps.T + np.array(grid.origin_mm)
    return corners
