"""One scan of one patient through the image encoders: a vector of each region into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from engram.config import StudyConfig
from engram.encoders.contract import Encoder, Float32
from engram.encoders.hiera import top_map
from engram.encoders.pooling import RegionMean, read_region
from engram.errors import ImagingError
from engram.jobs import Progress
from engram.memory.contract import Frames, SliceFeatures
from engram.memory.engine import Watch
from engram.memory.store import EmbeddingStore, StoredReadOut
from engram.pipeline.encoder_weights import HIERA
from engram.pipeline.encoders import about, reading_of
from engram.pipeline.requests import Request
from engram.roi.bones import Mask

Begun = Mapping[Request, RegionMean]


def begin(requests: Sequence[Request], masks: Mapping[str, Mask], config: StudyConfig) -> Begun:
    """The means that are asked for of a scan, nothing read yet. requests: of encoders, of this scan."""
    return {r: RegionMean(masks[r.roi], reading_of(config, r.readout)) for r in requests}


def watching(begun: Begun, config: StudyConfig) -> Watch | None:
    """Fills in what `hiera` wants from a pass of the memory, which encodes the same slices.

    None where slices go in batches: their last digits depend on who else is in one.
    """
    of_hiera = [mean for request, mean in begun.items() if request.readout == HIERA]
    if not of_hiera or config.embedding.batch > 1:
        return None

    def watch(z: int, features: SliceFeatures) -> None:
        wanting = [mean for mean in of_hiera if mean.wants(z)]
        if wanting:
            feature_map = top_map(features)
            for mean in wanting:
                mean.add(z, feature_map)

    return watch


def read_encoders(
    patient_id: str,
    frames: Frames,
    masks: Mapping[str, Mask],
    begun: Begun,
    encoders: Mapping[str, Encoder],
    config: StudyConfig,
    progress: Progress,
) -> None:
    """Finish and store each vector that is asked for of a scan.

    frames: uint8 (n, h, w), most superior first; progress: is told slices read and slices in all. Raises
    ImagingError where a vector is not finite, StorageError.
    """
    store = EmbeddingStore(config.store_dir)
    ends = list(accumulate((len(mean.missing) for mean in begun.values()), initial=0))
    for (request, mean), before in zip(begun.items(), ends, strict=False):
        vector = read_region(
            encoders[request.readout],
            frames,
            masks[request.roi],
            reading_of(config, request.readout),
            batch=config.embedding.batch,
            begun=mean,
            progress=_from(before, ends[-1], progress),
        )
        _check_finite(vector, request, patient_id)
        said = about(config, request, encoders[request.readout], mean.slices)
        store.save(request.key, StoredReadOut({"vector": vector}, said))


def _from(before: int, in_all: int, progress: Progress) -> Progress:
    return lambda done, _slices: progress(before + done, in_all)


def _check_finite(vector: Float32, request: Request, patient_id: str) -> None:
    if not np.isfinite(vector).all():
        raise ImagingError(
            patient_id,
            f"the encoder's reading of {request.modality}, {request.roi} is not finite",
            value=request.readout,
            mend="Check the weights with 'engram check'; with precision bfloat16, try float32.",
        )
