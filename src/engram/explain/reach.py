"""How far a read-out sees: its change when one slice alone is occluded, over the body (requirements, section 3).

A memory entry knows its own slice and, through the mask drawn on it, little of those before. So the paper's final
memory may know the end of the region only; this measures it, for any protocol and read-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engram.evaluation.reach_records import ReachCurve
from engram.memory.contract import Frames
from engram.memory.readouts import Arrays, Region
from engram.roi.anatomy import PARTS

Readings = Mapping[str, Mapping[str, Arrays]]


class Rereading(Protocol):
    """A scan that was read once and can be read again in part: `engram.memory.rereading.Rereader`."""

    @property
    def baseline(self) -> Readings:
        """Region -> read-out -> its arrays, of the frames as they are."""

    def reread(self, changed: Mapping[int, npt.NDArray[np.uint8]]) -> Readings:
        """The same of the frames with these slices replaced; 0 is the most superior."""


@dataclass(frozen=True)
class Scan:
    """Whose scan it is, and how it was read. patient: number in the study's order, from 1."""

    patient: int
    modality: str
    prompting: str


@dataclass(frozen=True)
class SliceChange:
    """What the occlusion of slice z (0 is the most superior) did: region -> read-out -> relative change."""

    z: int
    changes: Mapping[str, Mapping[str, float]]


def mean_grey(frames: Frames) -> int:
    """The mean of a volume as the model is shown it, within the window: what a slice is filled with."""
    return round(float(frames.mean(dtype=np.float64)))


def occluded_slices(regions: Mapping[str, Region], *, stride: int) -> list[int]:
    """Which slices are occluded, ascending: of those read for each region, every `stride`-th or nearer, with the
    first and the last (what the paper's read-out takes is at the end). Raises ValueError on a stride below 1."""
    if stride < 1:
        raise ValueError(f"stride must be at least 1, not {stride}")
    chosen: set[int] = set()
    for region in regions.values():
        slices = region.prompts.slices
        count = -(-(len(slices) - 1) // stride) + 1
        places = np.round(np.linspace(0, len(slices) - 1, count)).astype(int)
        chosen |= {int(z) for z in slices[places]}
    return sorted(chosen)


def slice_changes(reader: Rereading, frames: Frames, slices: Sequence[int], *, grey: int) -> Iterator[SliceChange]:
    """Occlude one slice after the other. grey: what it is filled with, 0 to 255 (`mean_grey`)."""
    for z in slices:
        found = reader.reread({z: np.full(frames.shape[1:], grey, dtype=np.uint8)})
        changes = {
            roi: {
                name: relative_change(base, found[roi][name])
                for name, base in readouts.items()
                if _numbers(base) is not None
            }
            for roi, readouts in reader.baseline.items()
        }
        yield SliceChange(z, changes)


def reach_of_patient(
    reader: Rereading,
    frames: Frames,
    regions: Mapping[str, Region],
    scan: Scan,
    *,
    stride: int,
    grey: int,
    done: Sequence[SliceChange] = (),
    keep: Callable[[SliceChange], object] | None = None,
) -> list[ReachCurve]:
    """One curve for each region and read-out of a scan.

    frames: uint8 (n, h, w), most superior first; regions: those that `reader` reads; stride, grey: as of
    `occluded_slices` and `slice_changes`. done: what was kept of an interrupted run with the same settings, which
    is not computed again; keep: is given each new change as soon as it is known.
    """
    known = {change.z: change for change in done}
    slices = occluded_slices(regions, stride=stride)
    for change in slice_changes(reader, frames, [z for z in slices if z not in known], grey=grey):
        known[change.z] = change
        if keep is not None:
            keep(change)
    return [
        _curve(scan, roi, region, name, [known[z] for z in slices])
        for roi, region in regions.items()
        for name in known[slices[0]].changes[roi]
    ]


def _curve(scan: Scan, roi: str, region: Region, readout: str, found: Sequence[SliceChange]) -> ReachCurve:
    """Of the occluded slices that this region reads; others change nothing of it."""
    read = region.prompts.slices
    first, length = int(read[0]), max(int(read[-1]) - int(read[0]), 1)
    own = [change for change in found if change.z in set(read.tolist())]
    return ReachCurve(
        patient=scan.patient,
        modality=scan.modality,
        roi=roi,
        readout=readout,
        prompting=scan.prompting,
        slices_read=len(read),
        places=[100 * (change.z - first) / length for change in own],
        stands_for=_nearest(read, [change.z for change in own]),
        parts=[] if region.parts is None else [_part(region, change.z) for change in own],
        changes=[change.changes[roi][readout] for change in own],
    )


def _nearest(read: npt.NDArray[np.intp], occluded: Sequence[int]) -> list[int]:
    """How many of the slices read are nearest to each that was occluded; of two, the more superior takes it."""
    gaps = np.abs(read[:, None] - np.array(occluded)[None, :])
    found: list[int] = np.bincount(gaps.argmin(axis=1), minlength=len(occluded)).tolist()
    return found


def _part(region: Region, z: int) -> str:
    """The part that most of the region on a slice belongs to; "none" where none of it belongs to any."""
    numbers = region.part_plane(z)[region.plane(z)]
    counts = np.bincount(numbers[numbers > 0], minlength=len(PARTS) + 1)
    return PARTS[int(counts.argmax()) - 1] if counts.any() else "none"


def relative_change(base: Arrays, other: Arrays) -> float:
    """Euclidean norm of the difference over that of `base`; 1 where that is zero and the other is not.

    NaN stands for a part that the patient does not have, in both. Raises ValueError where it is in one alone, or
    where the read-out has neither a memory nor a vector.
    """
    one, two = _numbers(base), _numbers(other)
    if one is None or two is None:
        raise ValueError(f"a read-out of {', '.join(base)} has neither a memory nor a vector")
    if not np.array_equal(np.isnan(one), np.isnan(two)):
        raise ValueError("a read-out has other parts once a slice is occluded: its region must stay the same")
    seen = ~np.isnan(one)
    norm = float(np.linalg.norm(one[seen]))
    difference = float(np.linalg.norm(two[seen] - one[seen]))
    return difference / norm if norm > 0 else float(difference > 0)


def _numbers(arrays: Arrays) -> npt.NDArray[np.float64] | None:
    found = next((arrays[name] for name in ("memory", "vector") if name in arrays), None)
    return None if found is None else np.asarray(found, dtype=np.float64)
