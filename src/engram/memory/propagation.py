"""The propagation of memory from slice to slice through one region of interest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from engram.errors import StorageError
from engram.files import atomic_write
from engram.memory.contract import Backbone, BankEntry, Prompt, Reading, Recall, SliceFeatures
from engram.memory.protocol import Protocol


@dataclass(frozen=True, eq=False)
class Remembered:
    """What is kept of a slice that was read. memory: float32 (channels, h, w); pointer: float32 (width,)."""

    memory: torch.Tensor
    pointer: torch.Tensor


@dataclass(frozen=True, eq=False)
class PropagationState:
    """All that the slices to come depend on: from here, a pass goes on as if it had never stopped.

    n_read: slices read before; first: of the pass, None before anything was read; tracked: later ones, latest
    first, no more than the bank can hold.
    """

    n_read: int = 0
    first: Remembered | None = None
    tracked: tuple[Remembered, ...] = ()

    def after(self, latest: Remembered, bank_length: int) -> PropagationState:
        """The state once this slice was read, too. bank_length: slices that a later one can look back on."""
        n_read = self.n_read + 1
        if self.n_read == 0:
            return PropagationState(n_read, latest)
        if self.first is None:  # of a pass that keeps nothing
            return PropagationState(n_read)
        return PropagationState(n_read, self.first, (latest, *self.tracked)[:bank_length])

    def save(self, path: Path) -> Path:
        """Write the state as safetensors, atomically."""
        kept = [] if self.first is None else [self.first, *self.tracked]
        tensors = {"n_read": torch.tensor(self.n_read)}
        for i, entry in enumerate(kept):
            tensors |= {f"memory_{i}": entry.memory.contiguous(), f"pointer_{i}": entry.pointer.contiguous()}
        return atomic_write(path, lambda stream: stream.write(save(tensors)))

    @classmethod
    def load(cls, path: Path) -> PropagationState:
        """Read a state. Raises StorageError where it is absent or damaged."""
        try:
            tensors = load_file(path)
            n_kept = (len(tensors) - 1) // 2
            kept = [Remembered(tensors[f"memory_{i}"], tensors[f"pointer_{i}"]) for i in range(n_kept)]
            return cls(int(tensors["n_read"]), kept[0] if kept else None, tuple(kept[1:]))
        except (OSError, SafetensorError, KeyError) as error:
            raise StorageError(f"{path}: not the state of a propagation ({error}). Read from the start.") from error


class Propagation:
    """Memory on its way through one region of interest: feed it the slices in reading order.

    Holds no more than the slices that a later one can still look back on, whatever the length of the study.
    n_slices: of the whole pass; state: where it goes on, by default at its first slice.
    """

    def __init__(
        self, backbone: Backbone, protocol: Protocol, *, n_slices: int, state: PropagationState | None = None
    ) -> None:
        self._backbone, self._protocol, self._n_slices = backbone, protocol, n_slices
        self.state = state or PropagationState()

    def step(self, features: SliceFeatures, prompt: Prompt, frame_shape: tuple[int, int]) -> Reading:
        """Read the next slice; the protocol decides whether its prompt is shown."""
        position = self.state.n_read
        alone = position == 0 or not self._protocol.remembers
        shown = prompt if self._protocol.is_prompted(position) else None
        reading = self._backbone.read(features, shown, None if alone else self._recall(), frame_shape)
        self.state = self._after(Remembered(reading.memory, reading.pointer))
        return reading

    def _after(self, latest: Remembered) -> PropagationState:
        if not self._protocol.remembers:
            return PropagationState(self.state.n_read + 1)
        return self.state.after(latest, self._backbone.bank_length)

    def _recall(self) -> Recall:
        state = self.state
        if state.first is None:
            raise ValueError(f"the state says that {state.n_read} slices were read, but holds none of them")
        return Recall(
            conditioning=[BankEntry(state.first.memory, state.first.pointer, state.n_read)],
            tracked=[BankEntry(e.memory, e.pointer, distance) for distance, e in enumerate(state.tracked, start=1)],
            slices_in_study=self._n_slices,
            bank_dtype=getattr(torch, self._protocol.bank_dtype),
        )
