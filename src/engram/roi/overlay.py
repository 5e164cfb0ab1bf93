"""A picture of what the model is shown: some slices, the outline of the region, and the box of each."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from engram.roi.boxes import SliceBoxes
from engram.roi.regions import Mask

_OUTLINE_RGB = (0, 158, 115)
_BOX_RGB = (230, 159, 0)
_TILE_PX, _COLUMNS = 200, 4


def contact_sheet(
    frames: npt.NDArray[np.uint8],
    mask: Mask,
    read: SliceBoxes,
    spacing_mm: tuple[float, float, float],
    *,
    tiles: int = 8,
) -> bytes:
    """PNG of `tiles` of the slices read, evenly from the most superior to the most inferior.

    frames: uint8 (n, h, w), superior first; mask: bool (z, y, x) with z towards superior; spacing_mm: (z, y, x).
    """
    chosen = np.unique(np.linspace(0, len(read) - 1, tiles).round().astype(int))
    drawn = [_tile(frames, mask, int(read.slices[i]), read.boxes[i], spacing_mm) for i in chosen]
    width, height = drawn[0].size
    columns = min(_COLUMNS, len(drawn))
    sheet = Image.new("RGB", (columns * width, -(-len(drawn) // columns) * height))
    for place, tile in enumerate(drawn):
        sheet.paste(tile, (place % columns * width, place // columns * height))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _tile(
    frames: npt.NDArray[np.uint8],
    mask: Mask,
    z: int,
    box: npt.NDArray[np.float32],
    spacing_mm: tuple[float, float, float],
) -> Image.Image:
    height, width = frames.shape[1:]
    rgb = np.repeat(frames[z][..., None], 3, axis=2)
    plane = mask[::-1][z]
    rgb[plane & ~ndimage.binary_erosion(plane)] = _OUTLINE_RGB
    # Isotropic pixels, whatever the voxel's shape; the tile's height is fixed.
    size = (max(1, round(_TILE_PX * width * spacing_mm[2] / (height * spacing_mm[1]))), _TILE_PX)
    tile = Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR)
    across, down = size[0] / width, size[1] / height
    corners = (box[0] * across, box[1] * down, (box[2] + 1) * across - 1, (box[3] + 1) * down - 1)
    ImageDraw.Draw(tile).rectangle([float(c) for c in corners], outline=_BOX_RGB, width=2)
    return tile
