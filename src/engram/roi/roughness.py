"""A mask whose surface is moved in and out by smooth noise, as two readers or two segmenters would draw it."""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.imaging.coverage import bounding_box
from engram.roi.bones import Mask
from engram.roi.distance import Spacing, padded_crop, paste, slabs

_MOST = 3.0  # standard deviations, beyond which noise is cut: so what is far from the surface decides nothing

Floats = npt.NDArray[np.float64]


def roughened(
    mask: Mask, sd_mm: float, length_mm: float, spacing_mm: Spacing, generator: np.random.Generator
) -> Mask:
    """The mask, bool (z, y, x), with its surface moved out by noise of this standard deviation (in, below 0).

    The noise is normal at the nodes of a lattice of sides `length_mm`, interpolated between them and scaled so that
    its standard deviation is the same everywhere; it is cut at three of them. Noise of less than a voxel's side
    moves nothing. An empty mask stays empty.
    """
    box = bounding_box(mask)
    if box is None:
        return mask
    reach_mm, result = _MOST * sd_mm, np.zeros_like(mask)
    crop, margin = padded_crop(mask, box, reach_mm, spacing_mm)
    nodes = [ceil(n * side / length_mm) + 1 for n, side in zip(crop.shape, spacing_mm, strict=True)]
    lattice = generator.standard_normal(nodes)
    rough = crop.copy()
    for near, inner, slab in slabs(crop.shape, reach_mm, spacing_mm):
        if (part := crop[near]).any() and not part.all():
            moved_mm = np.clip(
                sd_mm * _noise(lattice, slab, crop.shape, spacing_mm, length_mm), -reach_mm, reach_mm
            )
            rough[slab] = _outside_mm(part, spacing_mm)[inner] <= moved_mm
    paste(result, rough, box, margin)
    return result


def _outside_mm(mask: Mask, spacing_mm: Spacing) -> Floats:
    """Distance to the nearest voxel of the mask, or, below 0, to the nearest one outside of it."""
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    return np.asarray(outside - ndimage.distance_transform_edt(mask, sampling=spacing_mm))


def _noise(lattice: Floats, slab: slice, shape: tuple[int, ...], spacing_mm: Spacing, length_mm: float) -> Floats:
    """Noise with standard deviation 1 at each voxel of a slab: linear between nodes, axis by axis."""
    voxels = [np.arange(slab.start, slab.stop), np.arange(shape[1]), np.arange(shape[2])]
    field = lattice
    for axis, (index, side_mm) in enumerate(zip(voxels, spacing_mm, strict=True)):
        node, share = np.divmod(index * (side_mm / length_mm), 1.0)
        first, scale = node.astype(np.intp), np.hypot(1 - share, share)
        near, far = (_along(axis, part / scale) for part in (1 - share, share))
        field = near * field.take(first, axis) + far * field.take(first + 1, axis)
    return field


def _along(axis: int, values: Floats) -> Floats:
    """Values (n,) so that they lie along one axis of three."""
    return values.reshape([-1 if i == axis else 1 for i in range(3)])
