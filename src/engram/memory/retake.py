"""One region on one way through the body: what is kept of each slice, and which a change makes read again."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from engram.memory.contract import Backbone, Prompt, SliceFeatures
from engram.memory.engine import Wanted
from engram.memory.propagation import Propagation, PropagationState, Remembered
from engram.memory.protocol import Protocol
from engram.memory.readouts import Entry, Gathering


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of one slice that was read.

    remembered: what later slices look back on, None where none does; parts: what each read-out that needs the slice
    takes of it (`Gathering.part`).
    """

    remembered: Remembered | None
    parts: Mapping[str, Any]


class Way:
    """One region on one way through the body, as one protocol reads it. Places are counted in reading order."""

    def __init__(self, backbone: Backbone, protocol: Protocol, wanted: Wanted, *, going_up: bool) -> None:
        self.backbone, self.protocol, self.going_up = backbone, protocol, going_up
        shown = wanted.region.prompts.prompts
        self._prompts: tuple[Prompt, ...] = shown[::-1] if going_up else shown
        self.needs = {readout.name: readout.needs(len(shown)) for readout in wanted.readouts}
        self._takers: dict[str, Gathering[Any]] = {r.name: r.start(wanted.region) for r in wanted.readouts}

    def read(
        self, z: int, place: int, features: SliceFeatures, before: Mapping[int, Kept], frame_shape: tuple[int, int]
    ) -> Kept:
        """Read one slice. before: the places that it can look back on."""
        state = self._state(place, before) if self.protocol.remembers else PropagationState(place)
        propagation = Propagation(self.backbone, self.protocol, n_slices=len(self._prompts), state=state)
        reading = propagation.step(features, self._prompts[place], frame_shape)
        entry = Entry(z, self.going_up, reading)
        parts = {name: taker.part(entry) for name, taker in self._takers.items() if place in self.needs[name]}
        kept = Remembered(reading.memory, reading.pointer) if self.protocol.remembers else None
        return Kept(kept, parts)

    def _state(self, place: int, before: Mapping[int, Kept]) -> PropagationState:
        """As a pass from its first slice on would have it here."""
        if place == 0:
            return PropagationState()
        later = range(place - 1, max(0, place - 1 - self.backbone.bank_length), -1)
        first, *tracked = _remembered(before[i] for i in (0, *later))
        return PropagationState(place, first, tuple(tracked))


def _remembered(kept: Iterable[Kept]) -> list[Remembered]:
    return [one.remembered for one in kept if one.remembered is not None]


class Retake:
    """A way read again where slices changed, over what was kept of it before; nothing of that is written to.

    base: by place, empty for a first reading; tolerance: the relative distance (Euclidean norm) up to which a
    memory or pointer counts as the one that was kept, None for the same bits alone.
    """

    def __init__(self, way: Way, base: Mapping[int, Kept], tolerance: float | None) -> None:
        self._way, self._base, self._tolerance = way, base, tolerance
        self.kept: ChainMap[int, Kept] = ChainMap({}, dict(base))
        self._memories: set[int] = set()  # places whose memory, or pointer, is no longer the one that was kept
        self._pointers: set[int] = set()

    def must_read(self, place: int) -> bool:
        """Whether a slice that did not change itself looks back on one that became another."""
        if not self._way.protocol.remembers:
            return False
        backbone = self._way.backbone
        return _in_view(self._memories, place, backbone.memory_length) or _in_view(
            self._pointers, place, backbone.bank_length
        )

    def read(self, z: int, place: int, features: SliceFeatures, frame_shape: tuple[int, int]) -> None:
        """Read a slice again, and see whether later ones will notice."""
        new = self._way.read(z, place, features, self.kept, frame_shape)
        old = self._base[place].remembered if place in self._base else None
        self.kept[place] = new
        if old is None or new.remembered is None:
            return
        if self._differs(new.remembered.memory, old.memory):
            self._memories.add(place)
        if self._differs(new.remembered.pointer, old.pointer):
            self._pointers.add(place)

    def parts(self, readout: str) -> Iterator[Any]:
        """What a read-out takes of the slices that it needs, in reading order; nothing if it is not of this way."""
        return (self.kept[place].parts[readout] for place in self._way.needs.get(readout, ()))

    def _differs(self, new: torch.Tensor, old: torch.Tensor) -> bool:
        if self._tolerance is None:
            # As integers: 0.0 and -0.0 are equal numbers and other bits.
            return not torch.equal(new.view(torch.int32), old.view(torch.int32))
        change, size = torch.linalg.vector_norm(new - old), torch.linalg.vector_norm(old)
        return not bool(change <= self._tolerance * size)  # what is not finite is never near


def _in_view(places: set[int], place: int, length: int) -> bool:
    """Whether the slice at this place looks back on one of these: the first of the pass, or the latest `length`."""
    return 0 in places or any(place - distance in places for distance in range(1, length + 1))
