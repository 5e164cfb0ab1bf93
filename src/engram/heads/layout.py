"""From the memory as the model makes it to the layout that the paper prints, 2 x 32 x 64 x 64 (paper 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

FloatArray = npt.NDArray[np.float32]

PAPER_ENTRIES = 2
PAPER_CHANNELS = 32
PAPER_PIXELS = 64


@dataclass(frozen=True)
class PaperLayout:
    """memory: float32 (n, 2, 32, 64, 64). padded_entries: entries of zeros put in front of each patient's own."""

    memory: FloatArray
    padded_entries: int


def paper_layout(memory: FloatArray) -> PaperLayout:
    """The last two entries, the mean of pairs of channels, stretched to 64 x 64.

    memory: (n, entries, 64, h, w), oldest entry first; fewer than two entries are padded with zeros in front.
    No shipped model has 32 channels, so neighbouring channels are averaged; the averaged map does not depend on how
    they are paired. Raises ValueError for another shape.
    """
    if memory.ndim != 5 or memory.shape[2] != 2 * PAPER_CHANNELS:
        raise ValueError(f"expected memory (n, entries, {2 * PAPER_CHANNELS}, h, w), got {memory.shape}")
    last = memory[:, -PAPER_ENTRIES:]
    padded = PAPER_ENTRIES - last.shape[1]
    whole = np.pad(last, [(0, 0), (padded, 0), (0, 0), (0, 0), (0, 0)])
    n, _, _, height, width = whole.shape
    pairs = whole.reshape(n, PAPER_ENTRIES, PAPER_CHANNELS, 2, height, width).mean(axis=3)
    flat = stretch(pairs.reshape(n, PAPER_ENTRIES * PAPER_CHANNELS, height, width))
    return PaperLayout(flat.reshape(n, PAPER_ENTRIES, PAPER_CHANNELS, PAPER_PIXELS, PAPER_PIXELS), padded)


def stretch(maps: FloatArray, pixels: int = PAPER_PIXELS) -> FloatArray:
    """Bilinear interpolation of (n, channels, h, w) to (n, channels, pixels, pixels), pixel centres aligned.

    Interpolation and averaging commute, so a map may be averaged first; one of that size comes back unchanged.
    """
    tensor = torch.tensor(maps, dtype=torch.float32)
    stretched = interpolate(tensor, size=(pixels, pixels), mode="bilinear", align_corners=False)
    return np.asarray(stretched.numpy(), dtype=np.float32)
