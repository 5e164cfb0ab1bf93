"""What nuclear medicine measures in a region of a PET: SUVmean, SUVmax, SUVpeak, MTV, TLG.

All are of voxels of the PET as it was reconstructed; masks of the CT's grid are brought to it (`imaging.coverage`):
a voxel belongs to a region that covers at least half of it. A region too small for that is measured where it covers
most, in one voxel at least, so that only a region outside the PET has no numbers; its volume is then too large.

- SUVpeak: the highest mean of a 1 mL sphere whose centre is a voxel of the region, over the voxels whose centres
  lie in the sphere, whether in the region or not. It is the "global intensity peak" of the Image Biomarker
  Standardisation Initiative (0F91; Zwanenburg et al., Radiology 2020), and what PERCIST names a 1 cm3 sphere in
  the hottest place (Wahl et al., J Nucl Med 2009). Its sphere has a radius of 6.2 mm.
- MTV: the volume of the region's voxels at or above a threshold; TLG: their mean SUV x that volume.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from engram.imaging.coverage import Mask, best_covered, half_covered
from engram.imaging.volume import Grid, Volume
from engram.roi.peak import sphere_means

LIVER_FACTOR, LIVER_SDS = 1.5, 2.0  # PERCIST: 1.5 x mean of the liver + 2 standard deviations
MIN_LIVER_ML = 14.0  # the 3 cm sphere in which PERCIST measures the liver


@dataclass(frozen=True)
class Threshold:
    """At which SUV a voxel counts as avid.

    kind: "suv", a fixed SUV; "share_of_max", a share of the region's own SUVmax; "liver", 1.5 x mean + 2 SD of the
    liver. value: the SUV or the share; of no use for the liver. Raises ValueError where it is not positive.
    """

    kind: Literal["suv", "share_of_max", "liver"] = "suv"
    value: float = 4.0

    def __post_init__(self) -> None:
        if not self.value > 0 or (self.kind == "share_of_max" and self.value > 1):
            raise ValueError(f"a threshold of kind {self.kind} cannot be {self.value}")


@dataclass(frozen=True)
class PetNumbers:
    """One region of one patient. SUVs in g/mL, volumes in mL, TLG in g; NaN where the region lies outside the PET.

    volume_ml: of the region's voxels on the PET's grid. suv_sd: over them. threshold_suv: of MTV and TLG; NaN, as
    they are, where it is the liver's and no liver was given.
    """

    region: str
    volume_ml: float
    suv_mean: float
    suv_sd: float
    suv_max: float
    suv_peak: float
    threshold_suv: float
    mtv_ml: float
    tlg_g: float


@dataclass(frozen=True)
class Liver:
    """SUV of the liver: mean and standard deviation of its voxels on the PET's grid."""

    mean: float
    sd: float


def liver_suv(pet: Volume, liver: Mask, grid: Grid) -> Liver | None:
    """Of a liver mask bool (z, y, x) on `grid`; None where less than 14 mL of it lie in the PET's field of view."""
    suv = pet.voxels[half_covered(liver, grid, pet.grid)]
    if suv.size * pet.grid.voxel_volume_ml < MIN_LIVER_ML:
        return None
    return Liver(float(suv.mean(dtype=np.float64)), float(suv.std(dtype=np.float64)))


def pet_numbers(
    pet: Volume, masks: Iterable[tuple[str, Mask]], grid: Grid, *, threshold: Threshold, liver: Liver | None = None
) -> list[PetNumbers]:
    """The numbers of each region, in the order of `masks`.

    pet: SUVbw on its own grid. masks: regions by name, bool (z, y, x) on `grid`, which may overlap; they are taken
    one after another, so that a generator need not hold them all.
    Raises ValueError where a mask is not on `grid`.
    """
    regions = {name: np.flatnonzero(best_covered(mask, grid, pet.grid)) for name, mask in masks}
    used = np.unique(np.concatenate([np.empty(0, dtype=np.intp), *regions.values()]))
    peaks = sphere_means(pet, used)
    suv = pet.voxels.ravel()
    return [
        _numbers(name, suv[index], peaks[np.searchsorted(used, index)], pet.grid.voxel_volume_ml, threshold, liver)
        for name, index in regions.items()
    ]


def _numbers(
    region: str,
    suv: npt.NDArray[np.float32],
    peaks: npt.NDArray[np.float64],
    voxel_ml: float,
    threshold: Threshold,
    liver: Liver | None,
) -> PetNumbers:
    if not suv.size:
        nothing = float("nan")
        return PetNumbers(region, 0.0, *[nothing] * 7)
    values = suv.astype(np.float64)
    limit = _limit(threshold, float(values.max()), liver)
    avid = values[values >= limit]
    known = not np.isnan(limit)
    return PetNumbers(
        region=region,
        volume_ml=values.size * voxel_ml,
        suv_mean=float(values.mean()),
        suv_sd=float(values.std()),
        suv_max=float(values.max()),
        suv_peak=float(peaks.max()),
        threshold_suv=limit,
        mtv_ml=avid.size * voxel_ml if known else limit,
        tlg_g=float(avid.sum()) * voxel_ml if known else limit,
    )


def _limit(threshold: Threshold, highest: float, liver: Liver | None) -> float:
    if threshold.kind == "suv":
        return threshold.value
    if threshold.kind == "share_of_max":
        return threshold.value * highest
    return float("nan") if liver is None else LIVER_FACTOR * liver.mean + LIVER_SDS * liver.sd
