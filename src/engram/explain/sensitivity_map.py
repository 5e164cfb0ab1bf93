"""From the patches of one patient to a map: what each voxel's patches change in the log-risk (paper Appendix A)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from engram.explain.patches import Patch, Triple

MapArray = npt.NDArray[np.float32]
_Plane = npt.NDArray[np.float64]
SIGN = "log-risk occluded minus baseline; < 0: patch raised the risk"


class SensitivityMap:
    """Changes of the log-risk, averaged over the patches that cover a voxel.

    A change is the log-risk with the patch occluded minus that of the whole image. Negative: without the patch the
    risk is lower, so the patch raised it; positive: the patch lowered it. It says what the model looks at, and not
    what causes the disease to go on.
    shape: of the volume, (z, y, x).
    """

    def __init__(self, shape: Triple) -> None:
        self.shape = shape
        self._changes: dict[int, tuple[Patch, float]] = {}

    def add(self, patch: Patch, delta: float) -> None:
        """Add a patch and its change. Raises ValueError where it is there already, outside, or delta not finite."""
        if patch.number in self._changes:
            raise ValueError(f"patch {patch.number} was added already")
        if not math.isfinite(delta):
            raise ValueError(f"patch {patch.number} changes the log-risk by {delta}: the model gave no risk")
        if not all(0 <= part.start < part.stop <= n for part, n in zip(patch.box, self.shape, strict=True)):
            raise ValueError(f"patch {patch.number} {patch.box} lies outside a volume of {self.shape}")
        self._changes[patch.number] = (patch, float(delta))

    @property
    def patches(self) -> list[Patch]:
        """The patches, by their numbers."""
        return [patch for _, (patch, _) in sorted(self._changes.items())]

    def signed(self) -> MapArray:
        """The mean change, float32 (z, y, x); NaN where no patch is. Opposite changes cancel each other."""
        return self._averaged(float)

    def absolute(self) -> MapArray:
        """The mean size of the change, 0 or more, float32 (z, y, x); NaN where no patch is."""
        return self._averaged(abs)

    def covered(self) -> tuple[MapArray, MapArray]:
        """The voxels of `signed` and of `absolute` that have a patch, float32 (n,), in the order of the array."""
        signed, absolute = (
            [plane[count > 0] / count[count > 0] for _, plane, count in self._planes(measure)]
            for measure in (float, abs)
        )
        return np.concatenate(signed).astype(np.float32), np.concatenate(absolute).astype(np.float32)

    def _averaged(self, measure: Callable[[float], float]) -> MapArray:
        found = np.full(self.shape, np.nan, dtype=np.float32)
        for z, total, count in self._planes(measure):
            np.divide(total, count, out=found[z], where=count > 0, casting="same_kind")
        return found

    def _planes(self, measure: Callable[[float], float]) -> Iterator[tuple[int, _Plane, _Plane]]:
        """Each z that has patches: its sum of changes, and how many there are, float64 (y, x).

        Always summed in the order of the patches: the same bytes, whatever the order in which they came.
        """
        planes: dict[int, list[Patch]] = defaultdict(list)
        for patch in self.patches:
            for z in range(patch.box[0].start, patch.box[0].stop):
                planes[z].append(patch)
        for z in sorted(planes):
            total, count = np.zeros(self.shape[1:]), np.zeros(self.shape[1:])
            for patch in planes[z]:
                total[patch.box[1:]] += measure(self._changes[patch.number][1])
                count[patch.box[1:]] += 1
            yield z, total, count
