"""Does the model see the bone? The mask that it draws against the region, slice by slice (paper 2.3.1 looked at
representative cases; here every study is looked at)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engram.memory.drawn import drawn_mask, pack, unpack
from engram.memory.readouts import Arrays, Entry, Gathering, ReadOut, Region

QUALITY = "quality"  # its name in the store

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DrawnQuality:
    """How the drawn mask lies on the region, for the n slices read, most superior first; areas in mm2.

    With two passes, it is of the pass down.
    """

    slices: npt.NDArray[np.int32]
    drawn_mm2: Float64
    region_mm2: Float64
    overlap_mm2: Float64
    object_scores: npt.NDArray[np.float32]
    ious: npt.NDArray[np.float32]

    @classmethod
    def of(cls, arrays: Arrays) -> DrawnQuality:
        """From what the read-out keeps."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})

    @property
    def dice(self) -> Float64:
        """Dice overlap on each slice, 0 to 1, higher is better."""
        return 2 * self.overlap_mm2 / (self.drawn_mm2 + self.region_mm2)

    @property
    def overall_dice(self) -> float:
        """Dice overlap of all slices read, taken as one volume."""
        return float(2 * self.overlap_mm2.sum() / (self.drawn_mm2.sum() + self.region_mm2.sum()))


def quality() -> ReadOut:
    """A read-out like any other: it needs every slice."""
    return ReadOut(QUALITY, range, _Quality)


def drawn_planes(arrays: Arrays) -> npt.NDArray[np.bool_]:
    """The masks that were drawn, at low resolution: bool (n, H, W), in the order of `slices`."""
    height, width = (int(side) for side in arrays["drawn_shape"])
    return np.asarray(unpack(arrays["drawn"], (height, width)), dtype=np.bool_)


@dataclass
class _Slice:
    z: int
    going_up: bool
    areas_mm2: tuple[float, float, float]
    scores: tuple[float, float]
    drawn: npt.NDArray[np.bool_]


@dataclass
class _Quality(Gathering[_Slice]):
    region: Region
    kept: list[_Slice] = field(default_factory=list)
    first_pass_up: bool | None = None

    def part(self, entry: Entry) -> _Slice:
        plane, logits = self.region.plane(entry.z), entry.reading.logits
        drawn = drawn_mask(logits, plane.shape)
        pixel_mm2 = self.region.spacing_mm[1] * self.region.spacing_mm[2]
        areas = (float(drawn.sum()), float(plane.sum()), float((drawn & plane).sum()))
        return _Slice(
            entry.z,
            entry.going_up,
            (areas[0] * pixel_mm2, areas[1] * pixel_mm2, areas[2] * pixel_mm2),
            (float(entry.reading.object_score), float(entry.reading.iou)),
            (logits > 0).cpu().numpy(),
        )

    def put(self, part: _Slice) -> None:
        if self.first_pass_up is None:
            self.first_pass_up = part.going_up
        if part.going_up == self.first_pass_up:
            self.kept.append(part)

    def result(self) -> Arrays:
        kept = sorted(self.kept, key=lambda one: one.z)
        drawn_mm2, region_mm2, overlap_mm2 = np.array([one.areas_mm2 for one in kept]).T
        object_scores, ious = np.array([one.scores for one in kept], dtype=np.float32).T
        return {
            "slices": np.array([one.z for one in kept], dtype=np.int32),
            "drawn_mm2": drawn_mm2,
            "region_mm2": region_mm2,
            "overlap_mm2": overlap_mm2,
            "object_scores": object_scores,
            "ious": ious,
            "drawn": pack([one.drawn for one in kept]),
            "drawn_shape": np.array(kept[0].drawn.shape, dtype=np.int32),
        }
