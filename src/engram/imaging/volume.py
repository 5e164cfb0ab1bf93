"""A scan of one patient as an array with its place in the body.

Array axes are (z, y, x): z grows towards superior, y towards posterior, x towards left, whatever order or
flips the file has on disk (paper 2.2, 2.3.1). World coordinates are (x, y, z) in mm, LPS, as in DICOM.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from engram.errors import ImagingError
from engram.imaging.orientation import nonfinite_error, read_lps

_SAME_PLACE = 0.1  # grids are one where no corner moves by more than this share of the smallest voxel side


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie.

    shape: (z, y, x). spacing_mm: (z, y, x). origin_mm: (x, y, z), centre of voxel [0, 0, 0], LPS.
    direction: 9 numbers, row by row; its columns are the unit vectors of the x, y and z index axes.
    Raises ValueError where a size or a spacing is not positive.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or len(self.spacing_mm) != 3 or len(self.direction) != 9:
            raise ValueError("a grid has 3 sizes, 3 spacings and 9 direction cosines")
        if min(self.shape) < 1 or not min(self.spacing_mm) > 0:
            raise ValueError(f"sizes and spacings must be positive: {self.shape}, {self.spacing_mm} mm")

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def volume_ml(self) -> float:
        """Volume of the whole field of view in millilitres."""
        return self.voxel_volume_ml * float(np.prod(self.shape))

    @property
    def extent_mm(self) -> npt.NDArray[np.float64]:
        """World box (3, 2) around the voxels, edges included: lowest and highest x, y, z in mm."""
        edges = [(-0.5, n - 0.5) for n in reversed(self.shape)]
        corners = self._world_mm(np.array(list(product(*edges))))
        return np.stack([corners.min(axis=0), corners.max(axis=0)], axis=1)

    def matches(self, other: Grid) -> bool:
        """Whether both have one shape and no corner voxel differs in place by over a tenth of a voxel side."""
        if self.shape != other.shape:
            return False
        ends = [(0, n - 1) for n in reversed(self.shape)]
        index = np.array(list(product(*ends)), dtype=np.float64)
        moved_mm = np.linalg.norm(self._world_mm(index) - other._world_mm(index), axis=1).max()
        return bool(moved_mm <= _SAME_PLACE * min(self.spacing_mm))

    def describe(self) -> str:
        """The geometry in one line, for messages: x, y, z order."""
        size = " x ".join(str(n) for n in reversed(self.shape))
        spacing = " x ".join(f"{s:.4g}" for s in reversed(self.spacing_mm))
        ranges = ", ".join(f"{a} {lo:.1f}..{hi:.1f}" for a, (lo, hi) in zip("xyz", self.extent_mm, strict=True))
        return f"{size} voxels of {spacing} mm at {ranges} mm"

    def _world_mm(self, index_xyz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        axes = np.reshape(self.direction, (3, 3)) * np.array(self.spacing_mm[::-1])
        world: npt.NDArray[np.float64] = index_xyz @ axes.T + np.array(self.origin_mm)
        return world


@dataclass(frozen=True, eq=False)
class Volume:
    """voxels: (z, y, x), read-only, on `grid`. source: the file it came from, for messages."""

    voxels: npt.NDArray[Any]
    grid: Grid
    source: str | None = None

    def __post_init__(self) -> None:
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"voxels {self.voxels.shape} are not on a grid of {self.grid.shape}")
        voxels = self.voxels.view()
        voxels.flags.writeable = False
        object.__setattr__(self, "voxels", voxels)


def grid_of(image: sitk.Image) -> Grid:
    """The grid of a 3-D ITK image."""
    x, y, z = image.GetSize()
    dx, dy, dz = image.GetSpacing()
    ox, oy, oz = image.GetOrigin()
    return Grid((z, y, x), (dz, dy, dx), (ox, oy, oz), tuple(image.GetDirection()))


def read_oriented(path: Path, *, patient_id: str, what: str) -> Volume:
    """Read any 3-D image (a scan, a mask, labels) with its own number type, axes as in `Volume`.

    Raises ImagingError as `engram.imaging.orientation.read_lps` does.
    """
    image = read_lps(path, patient_id=patient_id, what=what)
    return Volume(sitk.GetArrayFromImage(image), grid_of(image), str(path))


def read_volume(path: Path, *, patient_id: str, what: str) -> Volume:
    """Read a scan as float32. `what` is "CT" or "PET", as messages and the exclusion flow name it.

    Raises ImagingError as `read_oriented`, and where a voxel is NaN or infinite or all voxels are equal.
    """
    raw = read_oriented(path, patient_id=patient_id, what=what)
    with np.errstate(over="ignore"):
        volume = Volume(raw.voxels.astype(np.float32, copy=False), raw.grid, raw.source)
    lowest, highest = float(volume.voxels.min()), float(volume.voxels.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        count = int(volume.voxels.size - np.isfinite(volume.voxels).sum())
        raise nonfinite_error(count, path, patient_id=patient_id, what=what)
    if lowest == highest:
        mend = "The scan is blank: convert it again."
        raise ImagingError(
            patient_id, f"{what} is constant", file=str(path), value=f"{lowest:g} everywhere", mend=mend
        )
    return volume
