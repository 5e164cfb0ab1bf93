"""The prompt of each slice, made from the mask of the region (paper 2.3.1; requirements 12, 16 and 35)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from engram.memory.contract import Prompt, plain_floats
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
    Raises ValueError where the mask is empty, not bool or not 3-D.
    """
    if mask.dtype != np.bool_:
        raise ValueError(f"the mask of a region must be bool (z, y, x), not {mask.dtype}: give `mask > 0`")
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


def checked_prompts(
    given: npt.ArrayLike | Sequence[Prompt], frames_shape: tuple[int, ...], protocol: Protocol
) -> Sequence[Prompt]:
    """The prompt of each frame, from boxes (n, 4) or from n prompts.

    frames_shape: (n, h, w). Raises ValueError where they are not n, not numbers, not of the kind that the protocol
    declares, or not on the frame.
    """
    prompts = _as_prompts(given, frames_shape[0], protocol)
    if len(prompts) != frames_shape[0]:
        raise ValueError(f"prompts must be {frames_shape[0]}, one a frame, not {len(prompts)}")
    wanted = protocol.prompt if protocol.prompt in ("mask", "points") else "box"
    for i, prompt in enumerate(prompts):
        if prompt.kind != wanted:
            raise ValueError(
                f"prompt {i} is of kind {prompt.kind}; protocol.prompt {protocol.prompt!r} takes {wanted}"
            )
        _check_on_frame(prompt, i, frames_shape[1:])
    return prompts


def _as_prompts(given: npt.ArrayLike | Sequence[Prompt], n: int, protocol: Protocol) -> list[Prompt]:
    if isinstance(given, Sequence) and any(isinstance(one, Prompt) for one in given):
        others = [f"{i} ({type(one).__name__})" for i, one in enumerate(given) if not isinstance(one, Prompt)]
        if others:
            raise ValueError(f"prompts and other things are mixed: no prompt is {', '.join(others[:5])}")
        return [one for one in given if isinstance(one, Prompt)]
    boxes = plain_floats(given, "boxes")
    if boxes.shape != (n, 4):
        raise ValueError(f"boxes must be ({n}, 4), one a frame, not {boxes.shape}")
    if protocol.prompt in ("mask", "points"):
        raise ValueError(f"a protocol of {protocol.prompt} must be given prompts, not boxes: see slice_prompts")
    return [Prompt.of_box(box) for box in boxes]


def _check_on_frame(prompt: Prompt, number: int, frame_shape: tuple[int, ...]) -> None:
    height, width = frame_shape
    if prompt.mask is not None and prompt.mask.shape != (height, width):
        raise ValueError(f"the mask of prompt {number} is {prompt.mask.shape}, its frame {(height, width)}")
    if prompt.points is not None:
        low, high = prompt.points.min(axis=0), prompt.points.max(axis=0)
        if (high < 0).any() or (low >= (width, height)).any():
            raise ValueError(
                f"prompt {number} lies outside its frame of {width} x {height} pixels: x {low[0]:g} to "
                f"{high[0]:g}, y {low[1]:g} to {high[1]:g}"
            )
