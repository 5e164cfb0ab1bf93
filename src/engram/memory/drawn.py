"""The mask that the model draws on a slice, and how it lies on the region (requirement 16)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

Plane = npt.NDArray[np.bool_]


def drawn_mask(logits: torch.Tensor, frame_shape: tuple[int, ...]) -> Plane:
    """The mask on the frame, bool (h, w): logits (H, W) enlarged bilinearly, as SAM 2 does, above 0."""
    large = functional.interpolate(
        logits[None, None].float(), size=tuple(frame_shape), mode="bilinear", align_corners=False
    )
    return np.asarray((large[0, 0] > 0).cpu().numpy())


def drawn_area_mm2(
    logits: torch.Tensor, frame_shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> float:
    """Area of the drawn mask."""
    return float(drawn_mask(logits, frame_shape).sum()) * spacing_mm[1] * spacing_mm[2]


def coverage(plane: Plane, grid: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Share of each cell of a memory's grid that the mask covers, 0 to 1: (h, w), for the whole frame is resized to
    the model's square. Exact: a pixel that lies in several cells counts in each by its area there."""
    rows, columns = (_overlap(cells, pixels) for cells, pixels in zip(grid, plane.shape, strict=True))
    return np.asarray(rows @ plane.astype(np.float64) @ columns.T)


@lru_cache(maxsize=16)
def _overlap(cells: int, pixels: int) -> npt.NDArray[np.float64]:
    """Share of each cell (cells, pixels) that each pixel makes up, along one axis; rows add up to 1."""
    edges = np.arange(cells + 1) * (pixels / cells)
    left, right = edges[:-1, None], edges[1:, None]
    pixel = np.arange(pixels)[None]
    covered = np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0.0, None)
    return np.asarray(covered * (cells / pixels))


def pack(masks: list[Plane]) -> npt.NDArray[np.uint8]:
    """Masks (n, h, w) as bits, uint8 (n, bytes)."""
    return np.stack([np.packbits(mask) for mask in masks])


def unpack(bits: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The masks again, bool (n, h, w)."""
    flat = np.unpackbits(bits, axis=1, count=shape[0] * shape[1])
    return flat.reshape(len(bits), *shape).astype(bool)
