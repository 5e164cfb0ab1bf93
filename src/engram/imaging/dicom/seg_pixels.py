"""Pixels of a segmentation, packed frame by frame.

highdicom makes the headers from masks of a few pixels that tell which frames there are: of full masks it would hold
eight bytes a voxel and more, 10 GiB for a few regions of a whole body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from engram.imaging.dicom.polygon import Mask
from engram.imaging.dicom.seg_places import functional_group
from engram.imaging.dicom.stack import Stack

HEADER_SHAPE = (1, 8)  # of the masks that headers are made of: whole bytes


def header_masks(masks: Mapping[str, Mask]) -> npt.NDArray[np.uint8]:
    """(slices, 1, 8, masks): ones where a mask has a voxel in a slice."""
    filled = np.stack([mask.any(axis=(1, 2)) for mask in masks.values()], axis=-1).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(filled[:, None, None, :], (len(filled), *HEADER_SHAPE, len(masks))))


def set_pixels(made: Dataset, masks: Mapping[str, Mask], stack: Stack) -> None:
    """Give a segmentation that was made of `header_masks` its pixels, in the order of its frames."""
    _, made.Rows, made.Columns = stack.grid.shape
    made.SegmentsOverlap = "YES" if _overlap(masks) else "NO"
    packed = b"".join(_packed(_frames(made, list(masks.values()), stack)))
    made.PixelData = packed + b"\0" * (len(packed) % 2)


def _overlap(masks: Mapping[str, Mask]) -> bool:
    slices = zip(*masks.values(), strict=True)
    return any(np.sum(planes, axis=0, dtype=np.uint16).max() > 1 for planes in slices)


def _frames(made: Dataset, masks: list[Mask], stack: Stack) -> Iterator[Mask]:
    index = {one.sop_instance_uid: k for k, one in enumerate(stack.slices)}
    shared = made.SharedFunctionalGroupsSequence[0]
    for own in made.PerFrameFunctionalGroupsSequence:
        number = functional_group(own, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber
        derived = functional_group(own, shared, "DerivationImageSequence").SourceImageSequence[0]
        yield masks[int(number) - 1][index[str(derived.ReferencedSOPInstanceUID)]]


def _packed(frames: Iterator[Mask]) -> Iterator[bytes]:
    """Bits follow each other without regard to bytes (PS3.5 8.2): eight frames are always whole ones."""
    group: list[Mask] = []
    for frame in frames:
        group.append(frame)
        if len(group) == 8:
            yield np.packbits(np.stack(group), bitorder="little").tobytes()
            group = []
    if group:
        yield np.packbits(np.stack(group), bitorder="little").tobytes()
