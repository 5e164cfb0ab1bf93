"""One region read from end to end, with everything that the model made of every slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from engram.memory.contract import Backbone, Frames, Prompt, Reading
from engram.memory.prompts import checked_prompts
from engram.memory.propagation import Propagation, PropagationState, Remembered
from engram.memory.protocol import Protocol

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MemoryTrace:
    """What the model made of n slices.

    memory (m, channels, h, w), logits (m, H, W) of the drawn mask at low resolution, pointers (m, width),
    object_scores (m,), ious (m,): all float32. Row i is of frame i, whatever the direction (m = n); with both
    directions the rows of the pass down come first, then those of the pass up (m = 2 n). order: int (m,), the rows
    in the order in which they were read, so that `memory[order[-1]]` is the final entry. start: the state that
    the pass went on from, empty where it began with its first slice. passes: 2 with both directions, else 1.
    """

    memory: Float32
    logits: Float32
    pointers: Float32
    object_scores: Float32
    ious: Float32
    order: npt.NDArray[np.intp]
    start: PropagationState = field(default_factory=PropagationState)
    passes: int = 1

    def state_before(self, place: int, bank_length: int) -> PropagationState:
        """The state in which the slice at this place was read: to go on from there.

        place: in reading order, from 0 for the first slice of this trace; n gives the state after the last.
        bank_length: the backbone's. Raises ValueError on a trace of two passes, a place out of range, or where the
        state that the trace went on from holds less than such a bank.
        """
        if self.passes != 1:
            raise ValueError("a state belongs to one pass: trace one direction at a time, not both")
        if not 0 <= place <= len(self.order):
            raise ValueError(f"place must be 0 to {len(self.order)}, the slices of this trace, not {place}")
        _check_bank(self.start, bank_length)
        state = self.start
        for i in self.order[:place]:
            entry = Remembered(torch.from_numpy(self.memory[i]), torch.from_numpy(self.pointers[i]))
            state = state.after(entry, bank_length)
        return state


def _check_bank(state: PropagationState, bank_length: int) -> None:
    if bank_length < 1:
        raise ValueError(f"bank_length must be at least 1, as the backbone says, not {bank_length}")
    needed = min(state.n_read - 1, bank_length) if state.first is not None else 0
    if len(state.tracked) < needed:
        raise ValueError(
            f"the state keeps {len(state.tracked)} later slices, but a bank of {bank_length} needs {needed}"
        )


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
    it has in all. Raises ValueError on other shapes or types, on prompts that are not the protocol's or lie off the
    frame, on fewer n_slices than are read, or where the model is not the protocol's.
    """
    frames = _checked_frames(frames)
    prompts = checked_prompts(boxes, frames.shape, protocol)
    check_backbone(backbone, protocol)
    if batch < 1:
        raise ValueError(f"batch must be at least 1 slice, not {batch}")
    if state is not None and protocol.direction == "both":
        raise ValueError("a state belongs to one pass: go on in one direction at a time")
    begun = state or PropagationState()
    n_in_all = _slices_in_all(n_slices, begun.n_read, len(frames))
    down = np.arange(len(frames))
    orders = [down[::-1] if going_up else down for going_up in protocol.ways]
    readings: dict[int, Reading] = {}
    order: list[int] = []
    for number, rows in enumerate(orders):
        propagation = Propagation(backbone, protocol, n_slices=n_in_all, state=begun)
        for row, reading in _read_pass(backbone, propagation, frames, prompts, rows, protocol, batch):
            order.append(row + number * len(frames))
            readings[order[-1]] = reading
    in_rows = [readings[row] for row in sorted(readings)]
    return _stacked(in_rows, np.array(order, dtype=np.intp), begun, len(orders))


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


def _checked_frames(frames: Frames) -> Frames:
    if not isinstance(frames, np.ndarray):
        raise ValueError(f"frames must be a NumPy array, uint8 (n, h, w), not {type(frames).__name__}")
    if frames.ndim != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ValueError(f"frames must be uint8 (n, h, w), each at least 1, not {frames.dtype} {frames.shape}")
    return np.ascontiguousarray(frames)


def _slices_in_all(n_slices: int | None, n_read: int, n_now: int) -> int:
    in_all = n_now if n_slices is None else n_slices
    if in_all < n_read + n_now:
        raise ValueError(
            f"n_slices must be at least {n_read + n_now} ({n_read} read before and {n_now} now), not {in_all}: "
            "give the slices of the whole pass"
        )
    return in_all


def _stacked(
    readings: Sequence[Reading], order: npt.NDArray[np.intp], start: PropagationState, passes: int
) -> MemoryTrace:
    return MemoryTrace(
        memory=_stack([r.memory for r in readings]),
        logits=_stack([r.logits for r in readings]),
        pointers=_stack([r.pointer for r in readings]),
        object_scores=_stack([r.object_score for r in readings]),
        ious=_stack([r.iou for r in readings]),
        order=order,
        start=start,
        passes=passes,
    )


def _stack(parts: list[torch.Tensor]) -> Float32:
    return np.asarray(torch.stack(parts).cpu().numpy(), dtype=np.float32)
