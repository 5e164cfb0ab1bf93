"""A patient on one picture: the scan seen from the front and from the side, with its regions and their boxes.

The PET as maximum intensity projection, dark where it is hot; where there is no PET, the CT likewise. Colours of
regions are those of `REGION_RGB`, in order.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from engram.imaging.coverage import Mask
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume

# Okabe and Ito (2008), for the colour-blind, without its yellow; regions beyond six take the first again.
REGION_RGB = (
    (213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
    (117, 76, 41), (106, 61, 154), (120, 120, 0), (194, 24, 91), (0, 77, 64), (26, 35, 126),
)  # fmt: skip
_BOX_SHARE = 0.45  # of a region's colour, in the lines of its boxes; the rest is white
_GREYS = 128
_INK, _LETTER_PX = 40, 18  # a dark grey; legible in a thumbnail
_MAX_HEIGHT_PX, _MAX_WIDTH_PX, _MAX_PX_PER_MM = 800, 900, 3.0
_GAP_PX = 14
_BESIDE_PX = 3  # a box ends where its region does: drawn in place, it would lie under the outline

_Plane = npt.NDArray[np.float32]


def patient_sheet(
    pair: ImagePair,
    masks: Mapping[str, Mask],
    *,
    pet_window_suv: tuple[float, float],
    ct_window_hu: tuple[float, float],
) -> bytes:
    """PNG: seen from the front (the patient's right, R, on the left) and from the side (front, A, on the left).

    masks: bool (z, y, x) on `pair.grid`. A region is outlined in its colour; in a paler tone, 3 pixels outside, the
    sides of the box of each of its slices. Millimetres are square. The windows are those of the study.
    Raises ValueError where a mask is not on the grid, or a window does not go from low to high.
    """
    window = ct_window_hu if pair.pet is None else pet_window_suv
    if not window[0] < window[1]:
        raise ValueError(f"a window goes from low to high, not from {window[0]} to {window[1]}")
    for name, mask in masks.items():
        if mask.shape != pair.grid.shape:
            raise ValueError(f"mask '{name}' {mask.shape} is not on a grid of {pair.grid.shape}")
    scan = pair.volume("CT" if pair.pet is None else "PET")
    sizes = _sizes_px(pair.grid)
    views = [_grey(plane, window, size) for plane, size in zip(_projected(scan), sizes, strict=True)]
    # The largest first: a spine within a skeleton is drawn over it.
    for i, mask in sorted(enumerate(masks.values()), key=lambda found: -np.count_nonzero(found[1])):
        for view, shadow in zip(views, _shadows(mask), strict=True):
            _draw(view, shadow, i % len(REGION_RGB))
    return _png(views)


def _projected(volume: Volume) -> Iterator[_Plane]:
    """Maxima over y, float32 (z, x), and over x, (z, y); superior first. One slice at a time."""
    for axis in (0, 1):
        yield np.stack([plane.max(axis=axis) for plane in volume.voxels[::-1]]).astype(np.float32)


def _shadows(mask: Mask) -> Iterator[Mask]:
    for axis in (0, 1):
        yield np.stack([plane.any(axis=axis) for plane in mask[::-1]])


def _sizes_px(grid: Grid) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height in pixels of both views, with one scale."""
    high, deep, wide = (n * side for n, side in zip(grid.shape, grid.spacing_mm, strict=True))
    scale = min(_MAX_HEIGHT_PX / high, (_MAX_WIDTH_PX - _GAP_PX) / (wide + deep), _MAX_PX_PER_MM)
    width, depth, height = (max(1, round(mm * scale)) for mm in (wide, deep, high))
    return (width, height), (depth, height)


def _grey(plane: _Plane, window: tuple[float, float], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Indices into the palette: the window's low is white, its high black."""
    low, high = window
    large = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
    share = np.clip((large - low) / (high - low), 0.0, 1.0)
    return np.rint((1.0 - share) * (_GREYS - 1)).astype(np.uint8)


def _draw(view: npt.NDArray[np.uint8], shadow: Mask, colour: int) -> None:
    """The sides of the boxes of each slice, and over them the outline."""
    height, width = view.shape
    large = np.asarray(Image.fromarray(shadow).resize((width, height), Image.Resampling.NEAREST))
    rows = np.flatnonzero(large.any(axis=1))
    left, right = large[rows].argmax(axis=1), width - 1 - large[rows, ::-1].argmax(axis=1)
    for side in (np.maximum(left - _BESIDE_PX, 0), np.minimum(right + _BESIDE_PX, width - 1)):
        view[rows, side] = _GREYS + 2 * colour + 1
    view[_outline(large)] = _GREYS + 2 * colour


def _outline(mask: Mask) -> Mask:
    """Pixels of the mask that touch its outside with a side; the edge of the picture is no outside."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)


def _png(views: list[npt.NDArray[np.uint8]]) -> bytes:
    """The views side by side, each with the letters of its sides."""
    gap = np.full((views[0].shape[0], _GAP_PX), _GREYS - 1, dtype=np.uint8)
    image = Image.fromarray(np.hstack([views[0], gap, views[1]]))
    image.putpalette(_palette())
    canvas, second, font = ImageDraw.Draw(image), views[0].shape[1] + _GAP_PX, ImageFont.load_default(_LETTER_PX)
    ends = (
        (2, "R", "la"),
        (views[0].shape[1] - 2, "L", "ra"),
        (second + 2, "A", "la"),
        (image.width - 2, "P", "ra"),
    )
    for x, letter, anchor in ends:
        canvas.text((x, 2), letter, fill=_INK, font=font, anchor=anchor)
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _palette() -> list[int]:
    greys = [level for i in range(_GREYS) for level in 3 * [round(255 * i / (_GREYS - 1))]]
    colours = [level for rgb in REGION_RGB for level in (*rgb, *(_pale(channel) for channel in rgb))]
    return greys + colours


def _pale(channel: int) -> int:
    return round(255 - _BOX_SHARE * (255 - channel))
