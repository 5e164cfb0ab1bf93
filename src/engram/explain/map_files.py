"""Maps as NIfTI files on the grid of the scan, for any viewer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engram.explain.sensitivity_map import SIGN, SensitivityMap
from engram.imaging.volume import Grid
from engram.imaging.write import write_nifti

SIZE = "mean absolute change of log-risk when occluded"
_UNTRAINED = "UNTRAINED WEIGHTS; "


@dataclass(frozen=True)
class MapFiles:
    """The files of one map."""

    signed: Path
    absolute: Path


def write_map(found: SensitivityMap, grid: Grid, folder: Path, stem: str, *, untrained: bool) -> MapFiles:
    """Write STEM_signed.nii.gz and STEM_absolute.nii.gz: float32, NaN where no patch is.

    NaN, for 0 is a result: a patch that changed nothing. Viewers made with ITK show NaN as 0; Engram's own reader
    of scans refuses such files.
    stem: names no patient but by the number in the study's order. untrained: whether random weights made the map,
    which the headers then say, beside what the numbers are. Raises as `write_nifti`.
    """
    said = _UNTRAINED if untrained else ""
    signed, absolute = folder / f"{stem}_signed.nii.gz", folder / f"{stem}_absolute.nii.gz"
    write_nifti(found.signed(), grid, signed, description=said + SIGN)
    write_nifti(found.absolute(), grid, absolute, description=said + SIZE)
    return MapFiles(signed, absolute)
