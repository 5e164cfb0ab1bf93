"""How the volumes of two series lie to each other, by their headers alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engram.imaging.dicom.series import Series
from engram.imaging.dicom.stack import Stack


@dataclass(frozen=True, eq=False)
class Scan:
    """A series that is a volume."""

    series: Series
    stack: Stack


def length_mm(scan: Scan) -> float:
    """Along the slices, their thickness included."""
    return scan.stack.grid.shape[0] * scan.stack.grid.spacing_mm[0]


def overlap(ct: Scan, pet: Scan) -> float:
    """Share of the smaller field of view that lies in both."""
    return common_ml(ct, pet) / min(ct.stack.grid.volume_ml, pet.stack.grid.volume_ml)


def common_ml(ct: Scan, pet: Scan) -> float:
    """Volume of the world box that lies in both."""
    a, b = ct.stack.grid.extent_mm, pet.stack.grid.extent_mm
    common_mm = np.clip(np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0]), 0, None)
    return float(np.prod(common_mm)) / 1000.0


def preference(scan: Scan) -> tuple[bool, float, int, str]:
    """Original before derived, then the thinnest slices, then the lowest number."""
    series = scan.series
    return (
        "ORIGINAL" not in series.image_type,
        scan.stack.grid.spacing_mm[0],
        series.number or 0,
        str(series.folder),
    )
