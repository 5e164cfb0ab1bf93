"""Reading a stack of slices: the propagation of memory from one to the next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engram.memory.backbone import Backbone, BankEntry, Reading, Recall, SliceFeatures
from engram.memory.protocol import Protocol

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MemoryTrace:
    """What the model made of each of n slices, in reading order.

    memory (n, channels, h, w), logits (n, H, W) of the drawn mask at low resolution, pointers (n, width),
    object_scores (n,): all float32.
    """

    memory: Float32
    logits: Float32
    pointers: Float32
    object_scores: Float32


class Propagation:
    """Memory on its way through one region of interest: feed it the slices in reading order.

    Holds no more than the slices that a later one can still look back on, whatever the length of the study.
    """

    def __init__(self, backbone: Backbone, protocol: Protocol, *, n_slices: int) -> None:
        self._backbone, self._protocol, self._n_slices = backbone, protocol, n_slices
        self._first: Reading | None = None
        self._tracked: deque[Reading] = deque(maxlen=backbone.bank_length)
        self._n_read = 0

    def step(self, features: SliceFeatures, box: Float32, frame_shape: tuple[int, int]) -> Reading:
        """Read the next slice."""
        is_first = self._n_read == 0
        alone = is_first or self._protocol.prompting == "all"
        prompted = is_first or self._protocol.prompting != "first"
        reading = self._backbone.read(
            features, box if prompted else None, None if alone else self._recall(), frame_shape
        )
        if is_first:
            self._first = reading
        else:
            self._tracked.appendleft(reading)
        self._n_read += 1
        return reading

    def _recall(self) -> Recall:
        assert self._first is not None  # the first slice is always read alone
        return Recall(
            conditioning=[BankEntry(self._first, self._n_read)],
            tracked=[BankEntry(reading, distance) for distance, reading in enumerate(self._tracked, start=1)],
            slices_in_study=self._n_slices,
            bank_dtype=getattr(torch, self._protocol.bank_dtype),
        )


def trace(backbone: Backbone, frames: npt.NDArray[np.uint8], boxes: Float32, protocol: Protocol) -> MemoryTrace:
    """Read n slices in the order given.

    frames: uint8 (n, h, w), the slices to read (a stride has been applied before, see `read_slices`);
    boxes: float (n, 4) as x0, y0, x1, y1 in pixels of the frames. Raises ValueError on other shapes or types.
    """
    boxes = _checked(frames, boxes)
    propagation = Propagation(backbone, protocol, n_slices=len(frames))
    readings = [
        propagation.step(backbone.encode(frame), box, frame.shape) for frame, box in zip(frames, boxes, strict=True)
    ]
    return MemoryTrace(
        memory=_stack([r.memory for r in readings]),
        logits=_stack([r.logits for r in readings]),
        pointers=_stack([r.pointer for r in readings]),
        object_scores=_stack([r.object_score for r in readings]),
    )


def _checked(frames: npt.NDArray[np.uint8], boxes: Float32) -> Float32:
    if frames.ndim != 3 or frames.dtype != np.uint8 or len(frames) == 0:
        raise ValueError(f"frames must be uint8 (n, h, w) with n > 0, not {frames.dtype} {frames.shape}")
    boxes = np.asarray(boxes, dtype=np.float32)
    if boxes.shape != (len(frames), 4):
        raise ValueError(f"boxes must be ({len(frames)}, 4), one a frame, not {boxes.shape}")
    return boxes


def _stack(parts: list[torch.Tensor]) -> Float32:
    return np.asarray(torch.stack(parts).cpu().numpy(), dtype=np.float32)
