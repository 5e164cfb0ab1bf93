"""The propagation of memory from slice to slice through one region of interest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engram.errors import StorageError
from engram.files import atomic_write
from engram.memory.contract import Backbone, BankEntry, Prompt, Reading, Recall, SliceFeatures
from engram.memory.protocol import Protocol
from engram.memory.store_format import seal


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
        """Write the state as safetensors, atomically, sealed with a checksum."""
        arrays = {"n_read": np.array(self.n_read, dtype=np.int64)}
        for i, entry in enumerate([] if self.first is None else [self.first, *self.tracked]):
            arrays |= {f"memory_{i}": entry.memory.cpu().numpy(), f"pointer_{i}": entry.pointer.cpu().numpy()}
        plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        content = save(plain, metadata={_SEAL: seal({}, plain)})
        return atomic_write(path, lambda stream: stream.write(content))

    @classmethod
    def load(cls, path: Path) -> PropagationState:
        """Read a state. Raises StorageError where it is absent, damaged or another file."""
        try:
            arrays = _sealed_arrays(path)
            n_kept = _checked_entries(arrays)
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise StorageError(f"{path}: not the state of a propagation ({error}). Read from the start.") from error
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        kept = [Remembered(tensors[f"memory_{i}"], tensors[f"pointer_{i}"]) for i in range(n_kept)]
        return cls(int(arrays["n_read"]), kept[0] if kept else None, tuple(kept[1:]))


_SEAL = "engram_state_sha256"


def _sealed_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    with safe_open(path, framework="numpy") as content:
        sealed = (content.metadata() or {}).get(_SEAL)
        arrays = {name: np.array(content.get_tensor(name)) for name in content.keys()}  # noqa: SIM118
    if sealed is None:
        raise ValueError("it has no checksum of a state: another file, or of an older version")
    if sealed != seal({}, arrays):
        raise ValueError("it is damaged: its checksum is not that of its content")
    return arrays


def _checked_entries(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    """How many slices are kept. Raises ValueError where names, types or shapes are not those of a state."""
    n_kept = (len(arrays) - 1) // 2
    expected = {"n_read", *(f"{kind}_{i}" for kind in ("memory", "pointer") for i in range(n_kept))}
    if set(arrays) != expected:
        raise ValueError(f"its arrays are {', '.join(sorted(arrays)) or 'none'}")
    n_read = arrays["n_read"]
    if n_read.shape != () or n_read.dtype != np.int64 or n_read < n_kept:
        raise ValueError(f"n_read is {n_read.dtype} {n_read.tolist()} where {n_kept} slices are kept")
    for kind, axes in (("memory", 3), ("pointer", 1)):
        found = {(arrays[f"{kind}_{i}"].dtype.name, arrays[f"{kind}_{i}"].shape) for i in range(n_kept)}
        if len(found) > 1 or any(dtype != "float32" or len(shape) != axes for dtype, shape in found):
            raise ValueError(f"{kind} must be float32 of {axes} axes and one shape, not {sorted(found)}")
    return n_kept


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
