"""The outline of the body in CT and in PET, on coarse voxels, and how well both agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BODY_HU = -500.0  # half-way from air to tissue
BODY_SUV = 0.2  # of 14 real PET/CT and phantoms: air below 0.03 in the median, body over 0.4
_SMOOTH_MM = 3.0  # standard deviation, of PET noise in air
_SMALLEST_PART = 0.1  # of the largest; legs apart are two bodies, a table is none
_SHARES = (0.02, 0.95)  # of the common field of view that the body may fill, for a contour to be there

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Spacing = tuple[float, float, float]


def ct_body(ct: Floats) -> Mask:
    """The body in a CT (HU, voxels of some mm): tissue with its lungs filled, without table and small parts."""
    return _solid(ct > BODY_HU)


def pet_body(pet: Floats, spacing_mm: Spacing) -> Mask:
    """The body in a PET (SUVbw; NaN where it was not measured): more than BODY_SUV after smoothing."""
    known = np.nan_to_num(pet)
    return _solid(ndimage.gaussian_filter(known, [_SMOOTH_MM / side for side in spacing_mm]) > BODY_SUV)


def contour_dice(ct: Mask, pet: Mask, field: Mask) -> float | None:
    """Dice of both bodies where `field` is True; None where the CT shows no air or no body there, as in a crop."""
    inside = float(ct[field].mean()) if field.any() else 0.0
    if not _SHARES[0] <= inside <= _SHARES[1]:
        return None
    both = 2.0 * float((ct & pet & field).sum())
    return both / float((ct & field).sum() + (pet & field).sum())


def _solid(tissue: Mask) -> Mask:
    kept = _large_parts(ndimage.binary_opening(tissue))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in kept])


def _large_parts(mask: Mask) -> Mask:
    parts, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept: Mask = (sizes >= _SMALLEST_PART * sizes.max())[parts]
    return kept
