"""What is kept of the memory: each read-out says which entries it needs, and the engine computes no other.

`final` is the paper's (2.3.1): the last entries, which know the last slices and next to nothing of the rest. The
others see the whole volume, the region alone, or each anatomical part of it (requirements, section 3).
`roi_without_memory` is `roi` of slices that recall nothing: what the prompt makes of the encoder's features, which
the memory is held against.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from engram.config_embedding import ReadOutName
from engram.memory.contract import Reading
from engram.memory.drawn import coverage, drawn_area_mm2
from engram.memory.moments import Moments, Share
from engram.memory.prompts import SlicePrompts, Spacing
from engram.roi.anatomy import PARTS, PartMap
from engram.roi.regions import Mask

Arrays = Mapping[str, npt.NDArray[Any]]
Float32 = npt.NDArray[np.float32]
Part = TypeVar("Part")

AREA_BINS = 32
WITHOUT_MEMORY: ReadOutName = "roi_without_memory"


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest to be read. mask: bool (z, y, x), z towards superior; spacing_mm: (z, y, x);
    parts: anatomical part of each voxel, needed by the read-out `regions` only."""

    prompts: SlicePrompts
    mask: Mask
    spacing_mm: Spacing
    parts: PartMap | None = None

    def plane(self, z: int) -> npt.NDArray[np.bool_]:
        """Mask of one slice, z = 0 being the most superior."""
        return np.asarray(self.mask[len(self.mask) - 1 - z])

    def part_plane(self, z: int) -> npt.NDArray[np.uint8]:
        """Part of each pixel of one slice, z = 0 being the most superior."""
        if self.parts is None:
            raise ValueError("the read-out 'regions' needs a label map: set images.labels")
        return np.asarray(self.parts[len(self.parts) - 1 - z])


@dataclass(frozen=True, eq=False)
class Entry:
    """One slice as read for one region. z: 0 is the most superior; going_up: of the pass up."""

    z: int
    going_up: bool
    reading: Reading

    @property
    def memory(self) -> Float32:
        """Float32 (channels, h, w)."""
        return np.asarray(self.reading.memory.cpu().numpy(), dtype=np.float32)


class Gathering(ABC, Generic[Part]):
    """Takes the needed entries in reading order, one pass after the other."""

    def add(self, entry: Entry) -> None:
        """Take one entry."""
        self.put(self.part(entry))

    @abstractmethod
    def part(self, entry: Entry) -> Part:
        """What is taken of an entry, whatever the others are. `engram.memory.rereading` keeps it where nothing
        changed."""

    @abstractmethod
    def put(self, part: Part) -> None:
        """Take what `part` made of an entry. It is not written to: it may be put again."""

    @abstractmethod
    def result(self) -> Arrays:
        """What was read out."""


@dataclass(frozen=True)
class ReadOut:
    """A read-out. needs: places of a pass of n slices, in reading order; start: begins to gather for one region;
    without_memory: it takes entries that were read with nothing recalled, whatever the protocol recalls."""

    name: str
    needs: Callable[[int], range]
    start: Callable[[Region], Gathering[Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    without_memory: bool = False

    @property
    def recipe(self) -> dict[str, Any]:
        """All that decides what is kept."""
        return {"name": self.name, **self.settings}


def read_out(name: ReadOutName, *, final_entries: int = 2) -> ReadOut:
    """The read-out of a name. final_entries: how many `final` keeps of each pass, oldest first."""
    if name == "final":
        return ReadOut(
            name, lambda n: range(max(0, n - final_entries), n), lambda _: _Final(), {"entries": final_entries}
        )
    return ReadOut(name, range, _GATHERINGS[name], without_memory=name == WITHOUT_MEMORY)


class _Final(Gathering[Float32]):
    """memory: float32 (entries, channels, h, w), in reading order; of each pass, where there are two."""

    def __init__(self) -> None:
        self._kept: list[Float32] = []

    def part(self, entry: Entry) -> Float32:
        return entry.memory

    def put(self, part: Float32) -> None:
        self._kept.append(part)

    def result(self) -> Arrays:
        return {"memory": np.stack(self._kept)}


class _MeanMap(Gathering[Float32]):
    """memory: float32 (1, channels, h, w), the mean over all slices: a map that the CNN can read."""

    def __init__(self, _region: Region) -> None:
        self._sum: npt.NDArray[np.float64] | float = 0.0
        self._n = 0

    def part(self, entry: Entry) -> Float32:
        return entry.memory

    def put(self, part: Float32) -> None:
        self._sum = self._sum + part.astype(np.float64)
        self._n += 1

    def result(self) -> Arrays:
        return {"memory": np.asarray(self._sum / self._n, dtype=np.float32)[None]}


class _Pooled(Gathering[list[Share]]):
    """vector: float32 (parts * 3 * channels,): moments over slices and pixels, pixels weighted for each part."""

    def __init__(self, region: Region, weigh: Callable[[Region, int, tuple[int, int]], list[Any]]) -> None:
        self._region, self._weigh = region, weigh
        self._moments: list[Moments] = []

    def part(self, entry: Entry) -> list[Share]:
        memory = entry.memory
        weights = self._weigh(self._region, entry.z, (memory.shape[1], memory.shape[2]))
        return [Share.of(memory.reshape(len(memory), -1), weight.ravel()) for weight in weights]

    def put(self, part: list[Share]) -> None:
        if not self._moments:
            self._moments = [Moments(len(share.most)) for share in part]
        for moments, share in zip(self._moments, part, strict=True):
            moments.add(share)

    def result(self) -> Arrays:
        return {"vector": np.concatenate([moments.vector() for moments in self._moments])}


def _everywhere(_region: Region, _z: int, grid: tuple[int, int]) -> list[Any]:
    return [np.ones(grid)]


def _inside(region: Region, z: int, grid: tuple[int, int]) -> list[Any]:
    return [coverage(region.plane(z), grid)]


def _each_part(region: Region, z: int, grid: tuple[int, int]) -> list[Any]:
    parts, plane = region.part_plane(z), region.plane(z)
    return [coverage((parts == i) & plane, grid) for i in range(1, len(PARTS) + 1)]


class _Pointers(Gathering[Share]):
    """vector: float32 (3 * width,): moments of the object pointers over all slices."""

    def __init__(self, _region: Region) -> None:
        self._moments: Moments | None = None

    def part(self, entry: Entry) -> Share:
        return Share.of(entry.reading.pointer.cpu().numpy()[:, None], np.ones(1))

    def put(self, part: Share) -> None:
        self._moments = self._moments or Moments(len(part.most))
        self._moments.add(part)

    def result(self) -> Arrays:
        if self._moments is None:
            raise ValueError("no slice was read")
        return {"vector": self._moments.vector()}


class _Scores(Gathering[tuple[float, float]]):
    """vector: float32 (6,): mean, sd and minimum of the object score, then of the IoU that the model expects."""

    def __init__(self, _region: Region) -> None:
        self._kept: list[tuple[float, float]] = []

    def part(self, entry: Entry) -> tuple[float, float]:
        return float(entry.reading.object_score), float(entry.reading.iou)

    def put(self, part: tuple[float, float]) -> None:
        self._kept.append(part)

    def result(self) -> Arrays:
        scores = np.array(self._kept)
        summary = np.stack([scores.mean(axis=0), scores.std(axis=0), scores.min(axis=0)], axis=1)
        return {"vector": summary.ravel().astype(np.float32)}


@dataclass(frozen=True)
class _DrawnArea:
    going_up: bool
    z: int
    area_cm2: float


class _Area(Gathering[_DrawnArea]):
    """vector: float32 (32,): area of the drawn mask in cm2, from the top of the region to its end.

    The span between the first and the last slice read is cut into 32; a bin takes the line between slices at its
    middle. Two passes are averaged.
    """

    def __init__(self, region: Region) -> None:
        self._region = region
        self._passes: dict[bool, dict[int, float]] = {}

    def part(self, entry: Entry) -> _DrawnArea:
        area = drawn_area_mm2(entry.reading.logits, self._region.plane(entry.z).shape, self._region.spacing_mm)
        return _DrawnArea(entry.going_up, entry.z, area / 100)

    def put(self, part: _DrawnArea) -> None:
        self._passes.setdefault(part.going_up, {})[part.z] = part.area_cm2

    def result(self) -> Arrays:
        curves = [self._curve(areas) for areas in self._passes.values()]
        return {"vector": np.mean(curves, axis=0).astype(np.float32)}

    @staticmethod
    def _curve(areas: Mapping[int, float]) -> npt.NDArray[np.float64]:
        slices = np.array(sorted(areas))
        middles = (np.arange(AREA_BINS) + 0.5) / AREA_BINS
        where = slices[0] + middles * (slices[-1] - slices[0])
        return np.asarray(np.interp(where, slices, [areas[z] for z in slices]), dtype=np.float64)


_GATHERINGS: dict[str, Callable[[Region], Gathering[Any]]] = {
    "volume_map": _MeanMap,
    "volume": lambda region: _Pooled(region, _everywhere),
    "roi": lambda region: _Pooled(region, _inside),
    WITHOUT_MEMORY: lambda region: _Pooled(region, _inside),
    "regions": lambda region: _Pooled(region, _each_part),
    "pointers": _Pointers,
    "scores": _Scores,
    "area": _Area,
}
