"""One region read from end to end, with everything that the model made of every slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engram.memory.contract import Backbone, Frames, Prompt, Reading
from engram.memory.propagation import Propagation, PropagationState, Remembered, state_after
from engram.memory.protocol import Protocol

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MemoryTrace:
    """What the model made of n slices.

    memory (m, channels, h, w), logits (m, H, W) of the drawn mask at low resolution, pointers (m, width),
    object_scores (m,), ious (m,): all float32. Row i is of frame i, whatever the direction (m = n); with both
    directions the rows of the pass down come first, then those of the pass up (m = 2 n). order: int (m,), the rows
    in the order in which they were read, so that `memory[order[-1]]` is the final entry.
    """

    memory: Float32
    logits: Float32
    pointers: Float32
    object_scores: Float32
    ious: Float32
    order: npt.NDArray[np.intp]

    def state_before(self, place: int, bank_length: int) -> PropagationState:
        """The state in which the slice at this place of the (one) pass was read: to go on from there."""
        read = (Remembered(torch.from_numpy(self.memory[i]), torch.from_numpy(self.pointers[i]))
                for i in self.order[:place])  # fmt: skip
        return state_after(read, bank_length)


def trace(
    backbone: Backbone,
    frames: Frames,
    boxes: npt.ArrayLike | Sequence[Prompt],
    protocol: Protocol,
    *,
    batch: int = 1,
    state: PropagationState | None = None,
    n_slices: int | None = None,
) -> MemoryTrace:
    """Read slices under their prompts (paper 2.3.1).

    frames: uint8 (n, h, w), the slices to read, most superior first; a stride has been applied before.
    boxes: float (n, 4) as x0, y0, x1, y1 in pixels of the frames, shown as they are; or n prompts as
    `engram.memory.prompts.slice_prompts` makes them, which a protocol of masks or points needs.
    batch: slices encoded at once. state, n_slices: to go on with an interrupted pass, its state and the slices that
    it has in all. Raises ValueError on other shapes or types, or where the model is not the protocol's.
    """
    prompts = _checked(frames, boxes, protocol)
    check_backbone(backbone, protocol)
    if state is not None and protocol.direction == "both":
        raise ValueError("a state belongs to one pass: go on in one direction at a time")
    down, up = np.arange(len(frames)), np.arange(len(frames))[::-1]
    orders = {"down": [down], "up": [up], "both": [down, up]}[protocol.direction]
    readings: dict[int, Reading] = {}
    order: list[int] = []
    for number, rows in enumerate(orders):
        propagation = Propagation(backbone, protocol, n_slices=n_slices or len(frames), state=state)
        for row, reading in _read_pass(backbone, propagation, frames, prompts, rows, protocol, batch):
            order.append(row + number * len(frames))
            readings[order[-1]] = reading
    return _stacked([readings[row] for row in sorted(readings)], np.array(order, dtype=np.intp))


def _read_pass(
    backbone: Backbone,
    propagation: Propagation,
    frames: Frames,
    prompts: Sequence[Prompt],
    rows: npt.NDArray[np.intp],
    protocol: Protocol,
    batch: int,
) -> Iterator[tuple[int, Reading]]:
    shape = (frames.shape[1], frames.shape[2])
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        with computing(backbone, protocol):
            encoded = backbone.encode(frames[part])
            read = [
                propagation.step(features, prompts[row], shape) for row, features in zip(part, encoded, strict=True)
            ]
        yield from zip((int(row) for row in part), read, strict=True)


@contextmanager
def computing(backbone: Backbone, protocol: Protocol) -> Iterator[None]:
    """Without gradients, in the precision of the protocol."""
    autocast = torch.autocast(
        backbone.device.type, dtype=torch.bfloat16, enabled=protocol.precision == "bfloat16", cache_enabled=False
    )
    with torch.inference_mode(), autocast:
        yield


def check_backbone(backbone: Backbone, protocol: Protocol) -> None:
    """Raises ValueError where the protocol declares another resolution than the model's."""
    if protocol.resolution not in (None, backbone.image_size):
        raise ValueError(
            f"the protocol reads slices of {protocol.resolution} pixels, but {backbone.name} was loaded for "
            f"{backbone.image_size}: load it with resolution={protocol.resolution}"
        )


def _checked(frames: Frames, boxes: npt.ArrayLike | Sequence[Prompt], protocol: Protocol) -> Sequence[Prompt]:
    if frames.ndim != 3 or frames.dtype != np.uint8 or len(frames) == 0:
        raise ValueError(f"frames must be uint8 (n, h, w) with n > 0, not {frames.dtype} {frames.shape}")
    if isinstance(boxes, Sequence) and boxes and isinstance(boxes[0], Prompt):
        prompts: Sequence[Prompt] = [prompt for prompt in boxes if isinstance(prompt, Prompt)]
        if len(prompts) != len(frames):
            raise ValueError(f"prompts must be {len(frames)}, one a frame, not {len(prompts)}")
        return prompts
    array = np.asarray(boxes, dtype=np.float32)
    if array.shape != (len(frames), 4):
        raise ValueError(f"boxes must be ({len(frames)}, 4), one a frame, not {array.shape}")
    if protocol.prompt in ("mask", "points"):
        raise ValueError(f"a protocol of {protocol.prompt} must be given prompts, not boxes: see slice_prompts")
    return [Prompt.of_box(box) for box in array]


def _stacked(readings: Sequence[Reading], order: npt.NDArray[np.intp]) -> MemoryTrace:
    return MemoryTrace(
        memory=_stack([r.memory for r in readings]),
        logits=_stack([r.logits for r in readings]),
        pointers=_stack([r.pointer for r in readings]),
        object_scores=_stack([r.object_score for r in readings]),
        ious=_stack([r.iou for r in readings]),
        order=order,
    )


def _stack(parts: list[torch.Tensor]) -> Float32:
    return np.asarray(torch.stack(parts).cpu().numpy(), dtype=np.float32)
