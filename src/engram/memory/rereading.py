"""A scan read again in which some slices changed: only what the change can reach is computed, and to the same bits.

A changed slice alone is encoded again. Where slices remember, those after it are read again until what they look
back on is what it was; the image features of the unchanged wait on disk. Each read-out is gathered anew, in reading
order, from what was kept of each slice, so rounding is that of a reading from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from engram.memory.contract import Backbone, Frames, SliceFeatures
from engram.memory.engine import Progress, Step, Wanted, encoded, plan
from engram.memory.protocol import Protocol
from engram.memory.readouts import Arrays, ReadOut, Region
from engram.memory.retake import Kept, Retake, Way
from engram.memory.spool import FeatureSpool
from engram.memory.tracing import check_backbone, computing

Found = dict[str, dict[str, Arrays]]


@dataclass(frozen=True)
class WayKey:
    """Which way through the body: of a region, up or down, with the protocol's memory or without any."""

    going_up: bool
    region: str
    without_memory: bool


class Rereader:
    """Reads a scan once, then again and again with some slices changed (requirement 34: occlusion).

    frames: uint8 (n, h, w), most superior first, not copied; wanted, protocol, batch: as `read_regions` takes them.
    tolerance: None is exact, the numbers of `read_regions` on the changed frames: to the bit with batch 1, else to
    the rounding of another batch. A number is faster: a slice is not read again once each memory and pointer that
    it looks back on lies within this relative distance (Euclidean norm) of the baseline's. It may be set anew
    between readings, for the baseline does not depend on it. progress: of the baseline.

    Memory, for each slice, region and pass: what the read-outs take of it and, where slices remember, what later
    ones look back on (0.26 MB for a SAM 2 at 512 px). Image features (5.2 MB a slice at 512 px) lie in an unnamed
    temporary file, which is gone at the end of the context. Not for several threads at once.
    Raises ValueError where the model is not the protocol's, or on a tolerance that is not positive and finite.
    """

    def __init__(
        self,
        backbone: Backbone,
        frames: Frames,
        wanted: Mapping[str, Wanted],
        protocol: Protocol,
        *,
        batch: int = 1,
        tolerance: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        check_backbone(backbone, protocol)
        self.tolerance = tolerance
        self._backbone, self._frames, self._wanted, self._protocol = backbone, frames, wanted, protocol
        self._batch = batch
        self._plan = plan(wanted, protocol)
        self._ways = _ways(backbone, wanted, protocol)
        self._base: dict[WayKey, Mapping[int, Kept]] = {key: {} for key in self._ways}
        self._spool = FeatureSpool(keep=protocol.remembers or len(self._plan.passes) > 1)
        with ExitStack() as stack:
            stack.enter_context(self._spool)
            retakes = self._retakes(frames.__getitem__, range(len(frames)), self._spool, progress)
            self._base = {key: dict(retake.kept) for key, retake in retakes.items()}
            self.baseline: Found = self._gathered(retakes)
            self._closing: ExitStack | None = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._closing is not None:
            self._closing.close()
            self._closing = None

    @property
    def tolerance(self) -> float | None:
        """None is exact; a number is the relative distance that is as good as none."""
        return self._tolerance

    @tolerance.setter
    def tolerance(self, tolerance: float | None) -> None:
        if tolerance is not None and not (isfinite(tolerance) and tolerance > 0):
            raise ValueError(f"tolerance must be a positive, finite number, not {tolerance}: None is exact")
        self._tolerance = tolerance

    @property
    def bytes_on_disk(self) -> int:
        """Size of the temporary file."""
        return self._spool.n_bytes

    def reread(self, changed: Mapping[int, npt.NDArray[np.uint8]]) -> Found:
        """Every read-out of every region, of the frames with these slices replaced: as `baseline`.

        changed: slice (0 is the most superior) -> uint8 (h, w). A slice that nobody reads, or that is what it was,
        costs nothing. Raises ValueError on a slice that is not there, another shape or type, or after the context.
        """
        if self._closing is None:
            raise ValueError("the features of this scan are gone: reread inside the context of the Rereader")
        for z, plane in changed.items():
            self._check_plane(z, plane)
        news = {z: plane for z, plane in changed.items() if not np.array_equal(plane, self._frames[z])}
        with FeatureSpool(keep=len(self._plan.passes) > 1) as spool:
            return self._gathered(self._retakes(lambda zs: np.stack([news[z] for z in zs]), news.keys(), spool))

    def _retakes(
        self,
        take: Callable[[list[int]], Frames],
        changed: Collection[int],
        spool: FeatureSpool,
        progress: Progress | None = None,
    ) -> dict[WayKey, Retake]:
        """What became of every way. take: frames of changed slices; spool: has their features for the next pass."""
        retakes = {key: Retake(way, self._base[key], self._tolerance) for key, way in self._ways.items()}
        done = 0
        for one in self._plan.passes:
            steps = [step for step in one.steps if step.z in changed]
            fresh = encoded(self._backbone, take, steps, self._protocol, spool, self._batch)
            for step in one.steps:
                self._reread_step(step, one.going_up, retakes, next(fresh)[1] if step.z in changed else None)
                done += 1
                if progress is not None:
                    progress(done, self._plan.n_steps)
        return retakes

    def _reread_step(
        self, step: Step, going_up: bool, retakes: Mapping[WayKey, Retake], fresh: SliceFeatures | None
    ) -> None:
        """fresh: the features of a slice that changed; all regions read it."""
        visits = [
            (visit.place, retakes[WayKey(going_up, visit.region, visit.without_memory)]) for visit in step.visits
        ]
        reached = [(place, retake) for place, retake in visits if fresh is not None or retake.must_read(place)]
        if not reached:
            return
        features = self._spool.get(step.z) if fresh is None else fresh
        with computing(self._backbone, self._protocol):
            for place, retake in reached:
                retake.read(step.z, place, features, (self._frames.shape[1], self._frames.shape[2]))

    def _gathered(self, retakes: Mapping[WayKey, Retake]) -> Found:
        return {
            name: {readout.name: _gathered(readout, name, one.region, retakes) for readout in one.readouts}
            for name, one in self._wanted.items()
        }

    def _check_plane(self, z: int, plane: npt.NDArray[np.uint8]) -> None:
        n, *shape = self._frames.shape
        if not 0 <= z < n:
            raise ValueError(f"slice {z} is not there: the scan has {n}, from 0, the most superior, on")
        if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8 or plane.shape != tuple(shape):
            found = f"{plane.dtype} {plane.shape}" if isinstance(plane, np.ndarray) else type(plane).__name__
            raise ValueError(f"slice {z} must be a NumPy array, uint8 {tuple(shape)}, not {found}")


def _gathered(readout: ReadOut, name: str, region: Region, retakes: Mapping[WayKey, Retake]) -> Arrays:
    gathering = readout.start(region)
    for key, retake in retakes.items():  # in the order of the passes
        if key.region == name:
            for part in retake.parts(readout.name):
                gathering.put(part)
    return gathering.result()


def _ways(backbone: Backbone, wanted: Mapping[str, Wanted], protocol: Protocol) -> dict[WayKey, Way]:
    return {
        WayKey(going_up, name, apart): Way(
            backbone, protocol.without_memory if apart else protocol, part, going_up=going_up
        )
        for going_up in protocol.ways
        for name, one in wanted.items()
        for apart, part in one.apart(protocol).items()
    }
