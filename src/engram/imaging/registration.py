"""How well PET and CT of one patient lie on each other: measured, never mended (requirement 35).

Both are averaged to voxels of about 5 mm. Then two things are compared: the outlines of the body, by their Dice,
and what the scans show, by normalised mutual information at the given place and with the PET moved by up to 25 mm
along each axis. Where another place shows more, the PET may be off by that much: the patient moved or breathed, or
a header is wrong. Along a limb there is little to hold on to, and the best place there may be some mm off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engram.imaging.align import itk_image, on_grid
from engram.imaging.body import BODY_SUV, contour_dice, ct_body, pet_body
from engram.imaging.coarse import Steps, coarse, window
from engram.imaging.coverage import bounding_box
from engram.imaging.information import Scores, binned, over_shifts
from engram.imaging.volume import Volume

STEP_MM = 5.0  # side of the voxels and step of the search; the place between steps is that of a parabola
REACH_MM = 25.0  # the largest shift tried along each axis
_LEAST_STEPS = 2
_FEWEST_VOXELS = 5_000
_LEAST_INFORMATION = 1.02  # 5,000 unrelated voxels show 1.015 by chance; real scans 1.12 to 1.24
_CT_RANGE_HU = (-200.0, 200.0)  # fat, water and muscle apart; all air is one, and all bone
_PET_TOP_PERCENT = 99.0  # brain and bladder are one

NO_CONTOUR = "body outlines not compared: no air or no body in the common field of view"
TOO_SHORT = "best shift not sought: the body in the CT is too short along an axis"
TOO_FEW = "best shift not sought: too few voxels in common"
NOTHING_SHARED = "best shift not sought: PET and CT tell nothing of each other, as where one is uniform"


@dataclass(frozen=True)
class Shift:
    """Where PET and CT agree best.

    best_mm: (x, y, z) along the CT's axes towards left, posterior, superior: moving the PET by it gives `best`.
    here, best: normalised mutual information, 1 to 2, at the given place and at the best one tried.
    at_edge: the best one is the farthest tried along an axis, so the true one may be farther yet.
    """

    best_mm: tuple[float, float, float]
    here: float
    best: float
    at_edge: bool

    @property
    def distance_mm(self) -> float:
        """Length of the shift."""
        return float(np.linalg.norm(self.best_mm))


@dataclass(frozen=True)
class RegistrationQuality:
    """What could be measured, and in `notes` why the rest (None) could not."""

    body_dice: float | None
    shift: Shift | None
    notes: tuple[str, ...]


def registration_quality(pet: Volume, ct: Volume) -> RegistrationQuality:
    """Measure how well a PET (SUVbw, on its own grid) lies on a CT (HU)."""
    small, small_pet = coarse(ct, STEP_MM), coarse(pet, STEP_MM)
    body, on_ct = ct_body(small.voxels), on_grid(itk_image(small_pet), small.grid)
    dice = contour_dice(body, pet_body(on_ct, small.grid.spacing_mm), ~np.isnan(on_ct))
    whole = tuple(slice(0, n) for n in body.shape)
    shift = _best_shift(small, small_pet, bounding_box(body) or whole)
    notes = [] if dice is not None else [NO_CONTOUR]
    if isinstance(shift, str):
        return RegistrationQuality(dice, None, (*notes, shift))
    return RegistrationQuality(dice, shift, tuple(notes))


def _best_shift(ct: Volume, pet: Volume, box: tuple[slice, ...]) -> Shift | str:
    """The best shift of a coarse PET against the part of the CT in `box` and around it, or why there is none."""
    reach, wide = _reach(ct, box)
    if min(reach) < _LEAST_STEPS:
        return TOO_SHORT
    fixed = binned(ct.voxels[wide], *_CT_RANGE_HU)
    uptake = np.sqrt(np.maximum(on_grid(itk_image(pet), window(ct.grid, wide, reach)), 0))  # for it is skew
    scores = over_shifts(fixed, binned(uptake, 0.0, _top_suv(pet) ** 0.5), reach, _FEWEST_VOXELS)
    if np.isnan(scores[reach]):
        return TOO_FEW
    at = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
    if scores[at] < _LEAST_INFORMATION:
        return NOTHING_SHARED
    z, y, x = (
        (at[axis] - reach[axis] + _between(scores, at, axis)) * ct.grid.spacing_mm[axis] for axis in range(3)
    )
    edge = any(i in (0, 2 * r) for i, r in zip(at, reach, strict=True))
    return Shift((float(x), float(y), float(z)), float(scores[reach]), float(scores[at]), edge)


def _reach(ct: Volume, box: tuple[slice, ...]) -> tuple[Steps, tuple[slice, ...]]:
    """How many voxels the PET is moved along each axis, at most a third of the body; the body with that margin."""
    wanted = [round(REACH_MM / side) for side in ct.grid.spacing_mm]
    z, y, x = (min(w, (part.stop - part.start) // 3) for w, part in zip(wanted, box, strict=True))
    wide = tuple(
        slice(max(part.start - r, 0), min(part.stop + r, n))
        for part, r, n in zip(box, (z, y, x), ct.grid.shape, strict=True)
    )
    return (z, y, x), wide


def _top_suv(pet: Volume) -> float:
    """Uptake of the last bin, the same wherever the PET lies."""
    body = pet.voxels[pet.voxels > BODY_SUV]
    return float(np.percentile(body, _PET_TOP_PERCENT)) if body.size else BODY_SUV


def _between(scores: Scores, at: tuple[np.intp, ...], axis: int) -> float:
    """The top of the parabola through the best score and its neighbours along an axis, -0.5 to 0.5 from it."""
    line = np.moveaxis(scores, axis, -1)[tuple(i for k, i in enumerate(at) if k != axis)]
    i = int(at[axis])
    if not 0 < i < len(line) - 1:
        return 0.0
    low, top, high = line[i - 1 : i + 2]
    bend = low - 2 * top + high
    return float(0.5 * (low - high) / bend) if bend < 0 else 0.0
