"""Whether a region can be what it is called: volume, pieces, and how much of it the field of view holds.

Numbers are those of one patient alone. z-scores compare patients, so they may flag but must never exclude: who is
left out would then depend on patients of the test folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engram.imaging.coverage import Mask
from engram.imaging.volume import Grid
from engram.roi.pieces import Pieces, pieces_of

MIN_LARGEST_SHARE = 0.5  # of a region in one piece: a spine of which half lies elsewhere is no spine
SPECK_ML = 0.5  # pieces below it are specks: smaller than the smallest neck vertebra by far
MAX_SPECKS_SHARE = 0.05  # of the volume
MAD_TO_SD = 1.4826  # of a normal distribution
HIGH_Z = 3.5  # Iglewicz and Hoaglin (1993)


@dataclass(frozen=True)
class MaskQuality:
    """One region of one patient.

    volume_ml: 0 where it is empty. pieces: connected ones. largest_share: of the volume, in the largest piece.
    specks: pieces below `SPECK_ML`; specks_share: of the volume, in them. extent_mm: from its first slice to its
    last. cut_above, cut_below: whether it reaches the most superior or inferior slice, so that more may lie beyond.
    flags: what is wrong, in words; empty where nothing is.
    """

    roi: str
    volume_ml: float
    pieces: int
    largest_share: float
    specks: int
    specks_share: float
    extent_mm: float
    cut_above: bool
    cut_below: bool
    flags: tuple[str, ...]


def mask_quality(roi: str, mask: Mask, grid: Grid, *, one_piece: bool = False) -> MaskQuality:
    """Measure a mask bool (z, y, x) on `grid`. one_piece: whether such a region hangs together (a dilated spine).

    Raises ValueError where the mask is not on the grid.
    """
    if mask.shape != grid.shape:
        raise ValueError(f"mask {mask.shape} is not on a grid of {grid.shape}")
    pieces = pieces_of(mask)
    if not len(pieces):
        return MaskQuality(roi, 0.0, 0, 0.0, 0, 0.0, 0.0, False, False, (f"{roi}: empty",))
    lowest, highest = int(pieces.low[:, 0].min()), int(pieces.high[:, 0].max())
    volumes_ml = pieces.voxels * grid.voxel_volume_ml
    specks = volumes_ml < SPECK_ML
    shares = volumes_ml / volumes_ml.sum()
    return MaskQuality(
        roi=roi,
        volume_ml=float(volumes_ml.sum()),
        pieces=len(pieces),
        largest_share=float(shares[0]),
        specks=int(specks.sum()),
        specks_share=float(shares[specks].sum()),
        extent_mm=(highest - lowest + 1) * grid.spacing_mm[0],
        cut_above=highest == grid.shape[0] - 1,
        cut_below=lowest == 0,
        flags=tuple(_flags(roi, pieces, shares, specks, one_piece=one_piece)),
    )


def _flags(
    roi: str, pieces: Pieces, shares: npt.NDArray[np.float64], specks: npt.NDArray[np.bool_], *, one_piece: bool
) -> list[str]:
    flags = []
    if one_piece and shares[0] < MIN_LARGEST_SHARE:
        flags.append(f"{roi}: in {len(pieces)} pieces, the largest holds {shares[0]:.0%}")
    if shares[specks].sum() > MAX_SPECKS_SHARE:
        flags.append(f"{roi}: {specks.sum()} specks hold {shares[specks].sum():.0%} of it")
    return flags


def cohort_z_scores(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Robust z-scores (n,): distance from the median in units of 1.4826 x the median absolute deviation.

    values: one a patient, NaN where there is none, which stays NaN. NaN everywhere where half of the patients or
    more have one value, so that there is no spread to measure by.
    """
    found = np.asarray(values, dtype=np.float64)
    if np.isnan(found).all():
        return np.full(found.shape, np.nan)
    distance = found - np.nanmedian(found)
    spread = MAD_TO_SD * np.nanmedian(np.abs(distance))
    return distance / spread if spread > 0 else np.full(found.shape, np.nan)
