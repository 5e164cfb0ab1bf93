"""The memory embeddings of one patient: each slice encoded once for all its regions of interest."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engram.memory.backbone import Backbone, Reading, SliceFeatures
from engram.memory.propagation import Propagation
from engram.memory.protocol import Protocol
from engram.memory.store import StoredEmbedding
from engram.roi.boxes import SliceBoxes


@dataclass
class _Reader:
    """One region on its way down the body. Keeps the last readings, and one number of each."""

    boxes: SliceBoxes
    propagation: Propagation
    last: deque[Reading]
    scores: list[float] = field(default_factory=list)

    def step(self, position: int, features: SliceFeatures, frame_shape: tuple[int, int]) -> None:
        reading = self.propagation.step(features, self.boxes.boxes[position], frame_shape)
        self.last.append(reading)
        self.scores.append(float(reading.object_score))


def final_memories(
    backbone: Backbone,
    frames: npt.NDArray[np.uint8],
    regions: Mapping[str, SliceBoxes],
    protocol: Protocol,
    *,
    entries: int,
) -> dict[str, StoredEmbedding]:
    """The last `entries` memory entries of each region, after reading its slices from superior to inferior.

    frames: uint8 (n, h, w), most superior first; regions: slices and boxes by name, stride already applied.
    Memory use does not grow with the number of slices. A region of fewer slices gives fewer entries.
    """
    readers = {
        name: _Reader(boxes, Propagation(backbone, protocol, n_slices=len(boxes)), deque(maxlen=entries))
        for name, boxes in regions.items()
    }
    positions = {name: {int(z): i for i, z in enumerate(boxes.slices)} for name, boxes in regions.items()}
    shape = (frames.shape[1], frames.shape[2])
    for z in sorted({z for where in positions.values() for z in where}):
        features = backbone.encode(frames[z])
        for name, reader in readers.items():
            if z in positions[name]:
                reader.step(positions[name][z], features, shape)
    return {name: _stored(reader) for name, reader in readers.items()}


def _stored(reader: _Reader) -> StoredEmbedding:
    memory = np.stack([reading.memory.cpu().numpy() for reading in reader.last]).astype(np.float32)
    scores = np.array(reader.scores, dtype=np.float32)
    return StoredEmbedding(memory, reader.boxes.slices.astype(np.int32), scores)
