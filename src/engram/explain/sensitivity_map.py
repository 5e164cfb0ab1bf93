"""From the patches of one patient to a map: what each voxel's patches change in the log-risk (paper Appendix A)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from engram.explain.patches import Patch, Triple

MapArray = npt.NDArray[np.float32]
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

    def __len__(self) -> int:
        """How many patches there are."""
        return len(self._changes)

    def add(self, patch: Patch, delta: float) -> None:
        """Add a patch and its change. Raises ValueError where it is there already, outside, or delta not finite."""
        if patch.number in self._changes:
            raise ValueError(f"patch {patch.number} was added already")
        if not math.isfinite(delta):
            raise ValueError(f"patch {patch.number} changes the log-risk by {delta}: the model gave no risk")
        if not all(0 <= part.start < part.stop <= n for part, n in zip(patch.box, self.shape, strict=True)):
            raise ValueError(f"patch {patch.number} {patch.box} lies outside a volume of {self.shape}")
        self._changes[patch.number] = (patch, float(delta))

    def signed(self) -> MapArray:
        """The mean change, float32 (z, y, x); NaN where no patch is. Opposite changes cancel each other."""
        return self._averaged(float)

    def absolute(self) -> MapArray:
        """The mean size of the change, 0 or more, float32 (z, y, x); NaN where no patch is."""
        return self._averaged(abs)

    def _averaged(self, measure: Callable[[float], float]) -> MapArray:
        found = np.full(self.shape, np.nan, dtype=np.float32)
        total, count = np.empty(self.shape[1:]), np.empty(self.shape[1:])
        for z, changes in self._by_plane().items():
            total[:], count[:] = 0, 0
            for patch, delta in changes:
                total[patch.box[1:]] += measure(delta)
                count[patch.box[1:]] += 1
            np.divide(total, count, out=found[z], where=count > 0, casting="same_kind")
        return found

    def _by_plane(self) -> dict[int, list[tuple[Patch, float]]]:
        """Always summed in the order of the patches: the same bytes, whatever the order in which they came."""
        planes: dict[int, list[tuple[Patch, float]]] = defaultdict(list)
        for _, change in sorted(self._changes.items()):
            for z in range(change[0].box[0].start, change[0].box[0].stop):
                planes[z].append(change)
        return planes
