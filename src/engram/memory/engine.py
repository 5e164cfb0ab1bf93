"""The engine: plans which slices are read for which regions, then reads each slice once for all of them.

A read-out says which entries it needs (`engram.memory.readouts`). Where slices remember, those before a needed one
are read too; where they do not (`prompting: all`), nothing else is. A read-out without memory has its slices read
once more, with their prompts and no recall, from the same image features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engram.memory.contract import Backbone, Frames, SliceFeatures
from engram.memory.propagation import Propagation
from engram.memory.protocol import Protocol
from engram.memory.readouts import Arrays, Entry, Gathering, ReadOut, Region
from engram.memory.spool import FeatureSpool
from engram.memory.tracing import check_backbone, computing

Progress = Callable[[int, int], object]  # slices done, slices in all
Watch = Callable[[int, SliceFeatures], object]  # a slice, 0 being the most superior, and its features


@dataclass(frozen=True, eq=False)
class Wanted:
    """One region and what shall be kept of it. Raises ValueError where nothing is asked."""

    region: Region
    readouts: tuple[ReadOut, ...]

    def __post_init__(self) -> None:
        if not self.readouts:
            raise ValueError("ask for at least one read-out")

    def needed(self) -> frozenset[int]:
        """Places of a pass whose entries a read-out takes."""
        n = len(self.region.prompts)
        return frozenset(place for readout in self.readouts for place in readout.needs(n))

    def apart(self, protocol: Protocol) -> dict[bool, Wanted]:
        """What is read as the protocol says (False), and what is read once more, without memory (True); what nobody
        asks for is not there. Where no slice remembers, the two are one reading."""

        def again(readout: ReadOut) -> bool:
            return readout.without_memory and protocol.remembers

        kinds = sorted({again(readout) for readout in self.readouts})
        return {
            kind: Wanted(self.region, tuple(readout for readout in self.readouts if again(readout) == kind))
            for kind in kinds
        }


@dataclass(frozen=True)
class Visit:
    """One region at one slice. place: in the reading order of the pass; without_memory: read with nothing recalled,
    where the protocol recalls."""

    region: str
    place: int
    without_memory: bool = False


@dataclass(frozen=True)
class Step:
    """One slice, and the regions that it is read for. z: 0 is the most superior."""

    z: int
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class Pass:
    """One way through the body."""

    going_up: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Plan:
    """What will be done, before anything is: `passes` in their order."""

    passes: tuple[Pass, ...]

    @property
    def n_steps(self) -> int:
        """Slices of all passes."""
        return sum(len(one.steps) for one in self.passes)

    @property
    def n_encoded(self) -> int:
        """Slices that the image encoder sees; each once, whatever the regions and passes."""
        return len({step.z for one in self.passes for step in one.steps})

    @property
    def n_read(self) -> int:
        """Readings: a slice counts once for each region and pass, and once more where it is read without memory."""
        return sum(len(step.visits) for one in self.passes for step in one.steps)


def plan(wanted: Mapping[str, Wanted], protocol: Protocol) -> Plan:
    """The least work that gives every read-out of every region."""
    return Plan(tuple(_plan_pass(wanted, protocol, going_up=going_up) for going_up in protocol.ways))


def _plan_pass(wanted: Mapping[str, Wanted], protocol: Protocol, *, going_up: bool) -> Pass:
    visits: dict[int, list[Visit]] = {}
    for name, one in wanted.items():
        slices = one.region.prompts.slices[::-1] if going_up else one.region.prompts.slices
        for without_memory, part in one.apart(protocol).items():
            for place in _places(part.needed(), protocol.without_memory if without_memory else protocol):
                visits.setdefault(int(slices[place]), []).append(Visit(name, place, without_memory))
    order = sorted(visits, reverse=going_up)
    return Pass(going_up, tuple(Step(z, tuple(visits[z])) for z in order))


def _places(needed: frozenset[int], protocol: Protocol) -> Sequence[int]:
    return range(max(needed) + 1) if protocol.remembers else sorted(needed)


def read_regions(
    backbone: Backbone,
    frames: Frames,
    wanted: Mapping[str, Wanted],
    protocol: Protocol,
    *,
    batch: int = 1,
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, Arrays]]:
    """Every read-out of every region: region -> read-out -> its arrays.

    frames: uint8 (n, h, w), most superior first. batch: slices encoded at once; numbers depend on it by rounding.
    watch: is shown each slice's features before they are read, once a pass: what needs them encodes nothing twice.
    Memory use does not grow with the number of slices. Raises ValueError where the model is not the protocol's.
    """
    check_backbone(backbone, protocol)
    todo, shape = plan(wanted, protocol), (frames.shape[1], frames.shape[2])
    gatherings = {
        name: {readout.name: readout.start(one.region) for readout in one.readouts} for name, one in wanted.items()
    }
    done = 0
    with FeatureSpool(keep=len(todo.passes) > 1) as spool:
        for one in todo.passes:
            readers = {
                (name, apart): _Reader(
                    backbone, protocol.without_memory if apart else protocol, part, gatherings[name], one
                )
                for name, w in wanted.items()
                for apart, part in w.apart(protocol).items()
            }
            for step, features in encoded(backbone, frames.__getitem__, one.steps, protocol, spool, batch):
                if watch is not None:
                    watch(step.z, features)
                with computing(backbone, protocol):
                    for visit in step.visits:
                        readers[visit.region, visit.without_memory].read(step.z, visit.place, features, shape)
                done += 1
                if progress is not None:
                    progress(done, todo.n_steps)
    return {name: {key: g.result() for key, g in found.items()} for name, found in gatherings.items()}


class _Reader:
    """One region on one way through the body, as one protocol reads it."""

    def __init__(
        self,
        backbone: Backbone,
        protocol: Protocol,
        wanted: Wanted,
        gatherings: Mapping[str, Gathering[Any]],
        one: Pass,
    ) -> None:
        self._prompts, self._going_up = wanted.region.prompts, one.going_up
        n = len(self._prompts)
        self._needs = {readout.name: readout.needs(n) for readout in wanted.readouts}
        self._gatherings = gatherings
        self._propagation = Propagation(backbone, protocol, n_slices=n)

    def read(self, z: int, place: int, features: SliceFeatures, frame_shape: tuple[int, int]) -> None:
        index = len(self._prompts) - 1 - place if self._going_up else place
        reading = self._propagation.step(features, self._prompts.prompts[index], frame_shape)
        entry = Entry(z, self._going_up, reading)
        for name, needs in self._needs.items():
            if place in needs:
                self._gatherings[name].add(entry)


def encoded(
    backbone: Backbone,
    take: Callable[[list[int]], Frames],
    steps: Sequence[Step],
    protocol: Protocol,
    spool: FeatureSpool,
    batch: int,
) -> Iterator[tuple[Step, SliceFeatures]]:
    """Each step with the features of its slice, from the spool where it has them.

    take: frames of some slices, uint8 (b, h, w).
    """
    for start in range(0, len(steps), batch):
        part = steps[start : start + batch]
        new = [step.z for step in part if step.z not in spool]
        with computing(backbone, protocol):
            made = dict(zip(new, backbone.encode(take(new)) if new else [], strict=True))
        for step in part:
            features = made[step.z] if step.z in made else spool.get(step.z)
            spool.put(step.z, features)
            yield step, features
