"""The prompt of each slice, made from the mask of the region (paper 2.3.1; requirements 12, 16 and 35)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.memory.contract import Prompt
from engram.memory.protocol import Protocol
from engram.roi.boxes import SliceBoxes, slice_boxes
from engram.roi.regions import Mask

Box = npt.NDArray[np.float32]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class SlicePrompts:
    """The slices of a region that are read, most superior first, and the prompt of each.

    slices: int (n,), ascending indices into `to_frames` (0 = most superior); prompts: n.
    """

    slices: npt.NDArray[np.intp]
    prompts: tuple[Prompt, ...]

    def __post_init__(self) -> None:
        if len(self.slices) != len(self.prompts) or len(self.prompts) == 0:
            raise ValueError(f"{len(self.slices)} slices need as many prompts, not {len(self.prompts)}")

    def __len__(self) -> int:
        return len(self.slices)

    @classmethod
    def of_boxes(cls, read: SliceBoxes) -> SlicePrompts:
        """Every box as it is."""
        return cls(read.slices, tuple(Prompt.of_box(box) for box in read.boxes))


def slice_prompts(mask: Mask, protocol: Protocol, spacing_mm: Spacing) -> SlicePrompts:
    """The prompts that the protocol asks for.

    mask: bool (z, y, x), z towards superior; spacing_mm: (z, y, x). A jittered or random box is drawn from the
    protocol's seed, the slice and its tight box: the same mask gives the same prompts, another one others.
    Raises ValueError where the mask is empty or not 3-D.
    """
    read = slice_boxes(mask, stride=protocol.stride)
    planes = mask[::-1][read.slices]
    if protocol.prompt == "mask":
        return SlicePrompts(read.slices, tuple(Prompt.of_mask(plane) for plane in planes))
    if protocol.prompt == "points":
        clicks = (points_inside(plane, protocol.points, spacing_mm) for plane in planes)
        return SlicePrompts(read.slices, tuple(Prompt.of_points(xy) for xy in clicks))
    change = _BOXES[protocol.prompt]
    scene = _Scene(protocol, spacing_mm, (mask.shape[1], mask.shape[2]), _hull(read.boxes))
    changed = (change(box, int(z), scene) for box, z in zip(read.boxes, read.slices, strict=True))
    return SlicePrompts(read.slices, tuple(Prompt.of_box(box) for box in changed))


@dataclass(frozen=True)
class _Scene:
    """What a box may be changed by. coarse: the box around the boxes of all slices read."""

    protocol: Protocol
    spacing_mm: Spacing
    frame_shape: tuple[int, int]
    coarse: Box

    def generator(self, box: Box, z: int) -> np.random.Generator:
        return np.random.default_rng([self.protocol.prompt_seed, z, *(int(side) for side in box)])

    def on_frame(self, box: Box) -> Box:
        """At least one pixel large, and inside the frame."""
        height, width = self.frame_shape
        x0, x1 = np.sort(np.clip(box[[0, 2]], 0, width - 1))
        y0, y1 = np.sort(np.clip(box[[1, 3]], 0, height - 1))
        return np.array([x0, y0, x1, y1], dtype=np.float32)

    @property
    def reach_px(self) -> Box:
        """`prompt_mm` in pixels along x, y, x, y."""
        _, dy, dx = self.spacing_mm
        return np.array([dx, dy, dx, dy], dtype=np.float32) ** -1 * np.float32(self.protocol.prompt_mm)


def _tight(box: Box, _z: int, _scene: _Scene) -> Box:
    return box


def _padded(box: Box, _z: int, scene: _Scene) -> Box:
    return scene.on_frame(box + scene.reach_px * np.array([-1, -1, 1, 1], dtype=np.float32))


def _jittered(box: Box, z: int, scene: _Scene) -> Box:
    shift = scene.generator(box, z).standard_normal(4).astype(np.float32)
    return scene.on_frame(box + scene.reach_px * shift)


def _coarse(_box: Box, _z: int, scene: _Scene) -> Box:
    return scene.coarse


def _random(box: Box, z: int, scene: _Scene) -> Box:
    """A box of the same size, anywhere on the frame: it tells of size, not of place."""
    height, width = scene.frame_shape
    size = box[2:] - box[:2]
    corner = scene.generator(box, z).random(2) * (np.array([width - 1, height - 1]) - size)
    return np.concatenate([corner, corner + size]).astype(np.float32)


_BOXES: dict[str, Callable[[Box, int, _Scene], Box]] = {
    "box": _tight,
    "padded_box": _padded,
    "jittered_box": _jittered,
    "coarse_box": _coarse,
    "random_box": _random,
}


def _hull(boxes: npt.NDArray[np.float32]) -> Box:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)]).astype(np.float32)


def points_inside(plane: npt.NDArray[np.bool_], n: int, spacing_mm: Spacing) -> npt.NDArray[np.float32]:
    """At most n pixels of a mask as float32 (k, 2), x and y: the deepest, then the farthest from those before.

    plane: bool (y, x) with some mask. All but the first come from its deeper half: no click lies on an edge.
    """
    within_mm = spacing_mm[1:]
    depth_mm = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=within_mm)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth_mm >= np.median(depth_mm[plane]))
    where_mm = np.stack([rows, columns], axis=1) * np.asarray(within_mm)
    chosen = [int(np.argmax(depth_mm[rows, columns]))]
    while len(chosen) < min(n, len(rows)):
        gaps_mm = np.linalg.norm(where_mm[:, None] - where_mm[chosen], axis=2).min(axis=1)
        chosen.append(int(np.argmax(gaps_mm)))
    return np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float32)
