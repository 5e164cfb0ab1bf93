"""A picture of what the model is shown and what it draws: some slices, the region, its prompt, the drawn mask."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from engram.memory.contract import Frames, Prompt
from engram.memory.protocol import Protocol
from engram.memory.quality import drawn_planes
from engram.memory.readouts import Arrays, Region

REGION_RGB = (0, 158, 115)
PROMPT_RGB = (230, 159, 0)
DRAWN_RGB = (204, 121, 167)
_TILE_PX, _COLUMNS = 200, 4


def contact_sheet(
    frames: Frames,
    region: Region,
    protocol: Protocol,
    quality: Arrays | None = None,
    *,
    tiles: int = 8,
    inverted: bool = False,
) -> bytes:
    """PNG of `tiles` of the slices read, evenly from the most superior to the most inferior.

    frames: uint8 (n, h, w), superior first. A prompt is drawn where the protocol shows it to the model (of two
    passes, in the pass down). quality: what the read-out of that name kept, to show the drawn masks. inverted: in
    inverse grey, high values dark, as PET is looked at.
    """
    n = len(region.prompts)
    drawn = drawn_planes(quality) if quality is not None else [None] * n
    chosen = np.unique(np.linspace(0, n - 1, tiles).round().astype(int))
    places = range(n)[::-1] if protocol.direction == "up" else range(n)
    planes = {int(i): frames[region.prompts.slices[i]] for i in chosen}
    shown = {i: 255 - plane for i, plane in planes.items()} if inverted else planes
    return _sheet(
        [_tile(plane, region, i, drawn[i], prompted=protocol.is_prompted(places[i])) for i, plane in shown.items()]
    )


def _sheet(tiles: list[Image.Image]) -> bytes:
    width, height = tiles[0].size
    columns = min(_COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % columns * width, place // columns * height))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG")
    return stream.getvalue()


def _tile(
    frame: npt.NDArray[np.uint8],
    region: Region,
    index: int,
    drawn: npt.NDArray[np.bool_] | None,
    *,
    prompted: bool,
) -> Image.Image:
    z = int(region.prompts.slices[index])
    height, width = frame.shape
    # Isotropic pixels, whatever the voxel's shape; the tile's height is fixed.
    size = (max(1, round(_TILE_PX * width * region.spacing_mm[2] / (height * region.spacing_mm[1]))), _TILE_PX)
    pixels = np.array(Image.fromarray(frame).convert("RGB").resize(size, Image.Resampling.BILINEAR))
    if drawn is not None:
        pixels[_outline(drawn, size)] = DRAWN_RGB
    pixels[_outline(region.plane(z), size)] = REGION_RGB
    tile = Image.fromarray(pixels)
    if prompted:
        _draw_prompt(tile, region.prompts.prompts[index], size[0] / width, size[1] / height)
    return tile


def _outline(plane: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    large = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.NEAREST))
    edge: npt.NDArray[np.bool_] = large & ~ndimage.binary_erosion(large)
    return edge


def _draw_prompt(tile: Image.Image, prompt: Prompt, across: float, down: float) -> None:
    """A box as a rectangle around its pixels, points as dots; a mask is the region, which is drawn already."""
    canvas = ImageDraw.Draw(tile)
    if prompt.box is not None:
        x0, y0, x1, y1 = (float(side) for side in prompt.box)
        corners = (x0 * across, y0 * down, (x1 + 1) * across - 1, (y1 + 1) * down - 1)
        canvas.rectangle(corners, outline=PROMPT_RGB, width=2)
    elif prompt.points is not None:
        for x, y in prompt.points:
            centre = ((float(x) + 0.5) * across, (float(y) + 0.5) * down)
            canvas.circle(centre, radius=4, fill=PROMPT_RGB)
