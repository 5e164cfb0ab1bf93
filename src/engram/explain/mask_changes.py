"""What is done on purpose to the mask of a region before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engram.errors import ImagingError
from engram.imaging.coverage import bounding_box
from engram.imaging.study import ImagePair
from engram.roi.anatomy import PartMap
from engram.roi.bones import Mask
from engram.roi.distance import Spacing, around, grown, padded_crop, paste, shrunk
from engram.roi.elsewhere import air_shifts, moved
from engram.roi.masks import check_mask
from engram.roi.roughness import roughened

# Raised by hand whenever a change of code changes a disturbed mask, so that no old embedding of one is read back.
CHANGE_VERSION = 1

ChangeKind = Literal["erode", "dilate", "noise", "air"]


@dataclass(frozen=True)
class MaskChange:
    """kind: `erode`, `dilate` by `mm`; `noise`, whose standard deviation is `mm` and which changes over `length_mm`
    (`engram.roi.roughness`); `air`: its slices beside the body (`engram.roi.elsewhere`)."""

    kind: ChangeKind
    mm: float = 0.0
    length_mm: float = 0.0
    seed: int = 0

    @property
    def recipe(self) -> dict[str, Any]:
        """All that decides what becomes of a mask."""
        return {
            "kind": self.kind,
            "mm": self.mm,
            "length_mm": self.length_mm,
            "seed": self.seed,
            "version": CHANGE_VERSION,
        }


@dataclass(frozen=True, eq=False)
class Place:
    """A region and the anatomical parts that go with it; parts: None where no read-out needs them."""

    mask: Mask
    parts: PartMap | None


def changed(change: MaskChange, place: Place, pair: ImagePair, *, patient_id: str, roi: str) -> Place:
    """The region after the change; the parts move with a region that moves, and else stay where they are.

    pair: the scans that the mask lies on. Raises ImagingError naming patient and region where nothing, or a single
    slice, is left, or the shape fits nowhere.
    """
    spacing_mm = pair.grid.spacing_mm
    if change.kind == "air":
        return _in_air(place, pair, patient_id, roi)
    if change.kind == "noise":
        mask = roughened(place.mask, change.mm, change.length_mm, spacing_mm, _generator(change, place.mask))
    else:
        mask = (_eroded if change.kind == "erode" else _dilated)(place.mask, change.mm, spacing_mm)
    return Place(check_mask(mask, patient_id=patient_id, roi=roi), place.parts)


def _in_air(place: Place, pair: ImagePair, patient_id: str, roi: str) -> Place:
    is_ct = pair.ct is not None
    shifts = air_shifts(place.mask, pair.volume("CT" if is_ct else "PET"), is_ct=is_ct)
    if shifts is None:
        raise ImagingError(
            patient_id,
            f"no room for '{roi}' in the air beside the body",
            value=_size(place.mask, pair),
            mend="Set robustness.uninformative to false, or take a region that is smaller.",
        )
    return Place(moved(place.mask, shifts), None if place.parts is None else moved(place.parts, shifts))


def _size(mask: Mask, pair: ImagePair) -> str:
    """Of the widest slice, and of the image."""
    planes = [plane for plane in mask if plane.any()]
    y, x = (max(int(np.ptp(np.flatnonzero(plane.any(axis=axis)))) + 1 for plane in planes) for axis in (1, 0))
    _, dy, dx = pair.grid.spacing_mm
    height, width = mask.shape[1:]
    return (
        f"up to {y * dy:.0f} x {x * dx:.0f} mm on a slice, in an image of {height * dy:.0f} x {width * dx:.0f} mm"
    )


def _generator(change: MaskChange, mask: Mask) -> np.random.Generator:
    """The same mask gives the same noise, another one other noise."""
    ends = [end for side in bounding_box(mask) or () for end in (side.start, side.stop)]
    return np.random.default_rng([change.seed, int(np.count_nonzero(mask)), *ends])


def _eroded(mask: Mask, mm: float, spacing_mm: Spacing) -> Mask:
    box, result = bounding_box(mask), np.zeros_like(mask)
    if box is None:
        return mask
    near = around(box, mm, spacing_mm, mask.shape)
    result[near] = shrunk(mask[near], mm, spacing_mm)
    return result


def _dilated(mask: Mask, mm: float, spacing_mm: Spacing) -> Mask:
    box, result = bounding_box(mask), np.zeros_like(mask)
    if box is None:
        return mask
    crop, margin = padded_crop(mask, box, mm, spacing_mm)
    paste(result, grown(crop, mm, spacing_mm), box, margin)
    return result
