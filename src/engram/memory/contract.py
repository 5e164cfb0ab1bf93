"""What every memory model offers: the one swap point of the engine, with one file an adapter.

All adapters, and the fake of `engram.memory.fake`, pass one contract test (tests/contracts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch

Frames = npt.NDArray[np.uint8]
_CORNERS = (2, 3)  # SAM 2's labels of the upper left and lower right corner
_INSIDE = 1


@dataclass(frozen=True, eq=False)
class Prompt:
    """What is shown of the region on one slice: labelled points (a box is two of them) or a mask.

    points: float32 (k, 2), x and y in pixels of the frame; labels: int32 (k,) in SAM 2's code: 1 inside, 0 outside,
    2 and 3 the corners of a box. mask: bool (h, w) on the frame. Raises ValueError unless it is one of both, on
    coordinates that are not finite, a box of which one end lies before its start, no points or an empty mask.
    """

    points: npt.NDArray[np.float32] | None = None
    labels: npt.NDArray[np.int32] | None = None
    mask: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if (self.points is None) == (self.mask is None) or (self.points is None) != (self.labels is None):
            raise ValueError("a prompt is either points with their labels or a mask")
        if self.points is not None and self.labels is not None:
            _check_points(self.points, self.labels)
        if self.mask is not None:
            _check_mask(self.mask)
        if self.box is not None and (self.box[2:] < self.box[:2]).any():
            raise ValueError(f"a box is x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, not {self.box.tolist()}")

    @classmethod
    def of_box(cls, box: npt.ArrayLike) -> Prompt:
        """A box as x0, y0, x1, y1 in pixels of the frame."""
        corners = plain_floats(box, "a box")
        if corners.shape != (4,):
            raise ValueError(f"a box is x0, y0, x1, y1, not {corners.shape}")
        return cls(corners.reshape(2, 2), np.array(_CORNERS, dtype=np.int32))

    @classmethod
    def of_points(cls, points: npt.ArrayLike) -> Prompt:
        """Points inside the region: (k, 2), x and y in pixels of the frame."""
        inside = plain_floats(points, "points")
        if inside.ndim != 2:
            raise ValueError(f"points must be (k, 2), x and y, not {inside.shape}")
        return cls(inside, np.full(len(inside), _INSIDE, dtype=np.int32))

    @classmethod
    def of_mask(cls, mask: npt.NDArray[np.bool_]) -> Prompt:
        """The region itself: bool (h, w) on the frame."""
        return cls(mask=mask)

    @property
    def kind(self) -> Literal["box", "points", "mask"]:
        """What it shows."""
        if self.mask is not None:
            return "mask"
        return "points" if self.box is None else "box"

    @property
    def box(self) -> npt.NDArray[np.float32] | None:
        """x0, y0, x1, y1 where the prompt is a box."""
        if self.points is None or self.labels is None or tuple(self.labels) != _CORNERS:
            return None
        return self.points.reshape(4)


def plain_floats(values: object, what: str) -> npt.NDArray[np.float32]:
    """Numbers as float32. Raises ValueError, which names `what`, on anything but integers and floats, and where one
    is not finite in float32."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{what} must be numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        floats = array.astype(np.float32)
    if not np.isfinite(floats).all():
        raise ValueError(f"{what} must be finite: {array[~np.isfinite(floats)].tolist()[:4]} among them")
    return floats


def _check_points(points: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> None:
    if points.shape != (len(labels), 2):
        raise ValueError(f"points must be ({len(labels)}, 2), one a label, not {points.shape}")
    if len(points) == 0:
        raise ValueError("a prompt needs at least one point")
    plain_floats(points, "points")


def _check_mask(mask: npt.NDArray[np.bool_]) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise ValueError(f"a mask must be a NumPy array, bool (h, w), not {found}")
    if not mask.any():
        raise ValueError("the mask of a prompt is empty: leave out the slices without any")


@dataclass(frozen=True)
class SliceFeatures:
    """Image features of one slice: they depend on the slice alone, so all regions of interest share them.

    levels: finest first, each (h * w, 1, channels); position: positional encoding of the coarsest level.
    """

    levels: tuple[torch.Tensor, ...]
    position: torch.Tensor


@dataclass(frozen=True)
class Reading:
    """What the model made of one slice.

    memory: float32 (channels, h, w), the memory entry; pointer: float32 (width,), the object pointer;
    logits: float32 (H, W) of the drawn mask at low resolution; object_score: float32 (), logit that the object is
    present; iou: float32 (), the model's own estimate of the mask's overlap with the object, higher is better.
    """

    memory: torch.Tensor
    pointer: torch.Tensor
    logits: torch.Tensor
    object_score: torch.Tensor
    iou: torch.Tensor


@dataclass(frozen=True)
class BankEntry:
    """A slice read before: `distance` slices ago (in read slices, at least 1)."""

    memory: torch.Tensor
    pointer: torch.Tensor
    distance: int


@dataclass(frozen=True)
class Recall:
    """What a slice may look back on: the prompted first slice, and the later ones, latest first.

    slices_in_study: slices of the whole pass; SAM 2 scales the distance of pointers by it where it is short.
    """

    conditioning: Sequence[BankEntry]
    tracked: Sequence[BankEntry]
    slices_in_study: int
    bank_dtype: torch.dtype = torch.float32


class Backbone(Protocol):
    """A frozen model that reads slices one by one and remembers.

    name: what tables print; digest: SHA-256 of weights and configuration; untrained: random weights; verified: the
    file's bytes are those that its authors publish; image_size: pixels a side that slices are resized to;
    bank_length: slices that a later slice can still look back on; memory_length: of these, the latest, whose
    memories it attends to and not their pointers alone.
    """

    name: str
    digest: str
    untrained: bool
    verified: bool
    image_size: int
    bank_length: int
    memory_length: int

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def encode(self, frames: Frames) -> list[SliceFeatures]:
        """Image features of b grey frames, uint8 (b, h, w), computed as one batch."""

    def read(
        self, features: SliceFeatures, prompt: Prompt | None, recall: Recall | None, frame_shape: tuple[int, int]
    ) -> Reading:
        """Read one slice. prompt: None on a tracked slice; recall: None reads it without any memory."""
