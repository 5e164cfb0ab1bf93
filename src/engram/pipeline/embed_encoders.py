"""One scan of one patient through the image encoders: a vector of each region into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from engram.config import StudyConfig
from engram.encoders.contract import Encoder
from engram.encoders.pooling import read_region
from engram.errors import ImagingError
from engram.jobs import Progress
from engram.memory.contract import Frames
from engram.memory.store import EmbeddingStore, StoredReadOut
from engram.pipeline.encoders import about, reading_of
from engram.pipeline.requests import Request
from engram.roi.bones import Mask


def read_encoders(
    patient_id: str,
    frames: Frames,
    masks: Mapping[str, Mask],
    requests: Sequence[Request],
    encoders: Mapping[str, Encoder],
    config: StudyConfig,
    progress: Progress,
) -> None:
    """Make and store each vector that is asked for of a scan.

    frames: uint8 (n, h, w), most superior first; requests: of encoders, of this scan; progress: is told slices read
    and slices in all. Raises ImagingError where a vector is not finite, StorageError.
    """
    store = EmbeddingStore(config.store_dir)
    counts = [len(reading_of(config, r.readout).choose(masks[r.roi])) for r in requests]
    begun = list(accumulate(counts, initial=0))
    for request, before, slices in zip(requests, begun, counts, strict=False):
        vector = read_region(
            encoders[request.readout],
            frames,
            masks[request.roi],
            reading_of(config, request.readout),
            batch=config.embedding.batch,
            progress=_from(before, begun[-1], progress),
        )
        if not np.isfinite(vector).all():
            raise ImagingError(
                patient_id,
                f"the encoder's reading of {request.modality}, {request.roi} is not finite",
                value=request.readout,
                mend="Check the weights with 'engram check'; with precision bfloat16, try float32.",
            )
        said = about(config, request, encoders[request.readout], slices)
        store.save(request.key, StoredReadOut({"vector": vector}, said))


def _from(before: int, in_all: int, progress: Progress) -> Progress:
    return lambda done, _slices: progress(before + done, in_all)
