"""Where the headers of a series put its slices: one orientation, one size, and a place of each along one normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.errors import ImagingError
from engram.imaging.dicom.series import ImageSlice, Series
from engram.imaging.orientation import SPACING_RANGE_MM
from engram.imaging.volume import Grid

AGAIN = "Export the series again from the scanner or PACS"
_SAME_DIRECTION = 1e-3  # of a direction cosine: a quarter of a millimetre at the edge of a CT
_SAME_SPACING = 1e-4  # share of a pixel side: a twentieth of a pixel at the edge of a CT
_HEADERS = {
    "rows": "Rows (0028,0010)",
    "columns": "Columns (0028,0011)",
    "pixel_spacing_mm": "Pixel Spacing (0028,0030)",
    "orientation": "Image Orientation (0020,0037)",
    "position_mm": "Image Position (0020,0032)",
}

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """slices: (n) sorted along the normal. positions_mm: (n, 3). axes: (3, 3), unit vectors, a row each: along a
    row of pixels, down a column, and row x column, the normal. pixel_spacing_mm: between rows, between columns."""

    slices: tuple[ImageSlice, ...]
    positions_mm: Vector
    axes: Vector
    pixel_spacing_mm: tuple[float, float]

    @property
    def along_mm(self) -> Vector:
        """Place of each slice on the normal, (n,)."""
        along: Vector = self.positions_mm @ self.axes[2]
        return along

    @property
    def aside_mm(self) -> Vector:
        """What of each position is across the normal, (n, 3)."""
        return self.positions_mm - np.outer(self.along_mm, self.axes[2])

    @property
    def gaps_mm(self) -> Vector:
        """From slice to slice along the normal, (n - 1,)."""
        return np.diff(self.along_mm)

    @property
    def grid(self) -> Grid:
        """From the first slice on, with the mean gap as the spacing of the first axis; no cosine is -0.0."""
        x, y, z = self.positions_mm[0].tolist()
        rows, columns = self.slices[0].rows or 0, self.slices[0].columns or 0
        spacing = (float(self.gaps_mm.mean()), *self.pixel_spacing_mm)
        return Grid(
            (len(self.slices), rows, columns), spacing, (x, y, z), tuple((self.axes.T.ravel() + 0.0).tolist())
        )


def refusal(series: Series, patient_id: str, what: str, *, value: str, file: str, mend: str) -> ImagingError:
    """An ImagingError that calls the series CT or PET, as everywhere."""
    name = "PET" if series.modality == "PT" else series.modality
    return ImagingError(patient_id, f"{name} {what}", file=file, value=value, mend=mend)


def place_slices(series: Series, *, patient_id: str) -> Places:
    """Sort slices by position x normal; paths break ties.

    Raises ImagingError where there are fewer than two, where one lacks a header that places it, and where sizes,
    spacings or orientations are mixed or impossible.
    """
    headers = _Headers(series, patient_id)
    headers.check_count()
    headers.one("image sizes", np.hstack([headers.column("rows"), headers.column("columns")]), 0.0)
    spacings = headers.column("pixel_spacing_mm")
    headers.check_spacings(spacings)
    headers.one("pixel spacings", spacings, _SAME_SPACING * float(spacings[0].min()))
    orientations = headers.column("orientation")
    headers.check_orientations(orientations)
    headers.one("orientations", orientations, _SAME_DIRECTION)
    axes, positions = _axes(orientations[0]), headers.column("position_mm")
    along = positions @ axes[2]
    order = sorted(range(len(along)), key=lambda i: (along[i], str(series.slices[i].path)))
    row_mm, column_mm = spacings[0].tolist()
    return Places(tuple(series.slices[i] for i in order), positions[order], axes, (row_mm, column_mm))


def _axes(orientation: Vector) -> Vector:
    along_row, down_column = orientation.reshape(2, 3)
    along_row = along_row / np.linalg.norm(along_row)
    normal = np.cross(along_row, down_column)
    normal = normal / np.linalg.norm(normal)
    return np.stack([along_row, np.cross(normal, along_row), normal])


@dataclass(frozen=True)
class _Headers:
    series: Series
    patient_id: str

    def check_count(self) -> None:
        slices = self.series.slices
        if len(slices) < 2:
            file = str(slices[0].path if slices else self.series.folder)
            mend = f"{AGAIN}, with all its slices."
            raise refusal(
                self.series,
                self.patient_id,
                "is a single slice",
                value=f"{len(slices)} image(s)",
                file=file,
                mend=mend,
            )

    def column(self, name: str) -> Vector:
        """One header of all slices, (n, values)."""
        values = [getattr(one, name) for one in self.series.slices]
        for index, value in enumerate(values):
            if value is None or value == 0:  # 0 rows or columns
                mend = f"{AGAIN}: without this header nobody knows where the slice lies."
                raise self._refusal("slice has no place", f"{_HEADERS[name]} missing or unreadable", mend, index)
        return np.array(values, dtype=np.float64).reshape(len(values), -1)

    def one(self, what: str, values: Vector, tolerance: float) -> None:
        """All slices have the same values, or the first that differs is named beside the first of all."""
        other = np.flatnonzero((np.abs(values - values[0]) > tolerance).any(axis=1))
        if len(other):
            value = f"{_in_words(values[other[0]])} beside {_in_words(values[0])}"
            mend = f"A localizer or a second acquisition among them? {AGAIN}, each as a series of its own."
            raise self._refusal(f"has mixed {what}", value, mend, int(other[0]))

    def check_spacings(self, spacings: Vector) -> None:
        low, high = SPACING_RANGE_MM
        for index, sides in enumerate(spacings):
            if not (low <= sides.min() and sides.max() <= high):
                value = f"{_HEADERS['pixel_spacing_mm']} = {_in_words(sides)} mm, expected {low:g} to {high:g} mm"
                raise self._refusal("has an impossible voxel size", value, f"{AGAIN}.", index)

    def check_orientations(self, orientations: Vector) -> None:
        for index, cosines in enumerate(orientations):
            vectors = cosines.reshape(2, 3)
            if not np.allclose(vectors @ vectors.T, np.eye(2), rtol=0, atol=_SAME_DIRECTION):
                value = f"{_HEADERS['orientation']} = {_in_words(cosines)}"
                mend = f"{AGAIN}: rows and columns must be perpendicular."
                raise self._refusal("has an impossible orientation", value, mend, index)

    def _refusal(self, what: str, value: str, mend: str, index: int) -> ImagingError:
        file = str(self.series.slices[index].path)
        return refusal(self.series, self.patient_id, what, value=value, file=file, mend=mend)


def _in_words(values: Vector) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
