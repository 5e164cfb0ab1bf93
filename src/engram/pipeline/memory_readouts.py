"""What was read out of the memory, fit to be kept: finite, and with all that is said of it."""

from __future__ import annotations

import numpy as np

from engram.errors import ImagingError
from engram.memory.contract import Backbone
from engram.memory.protocol import ENGINE_VERSION, Protocol
from engram.memory.readouts import Arrays
from engram.memory.store import StoredReadOut
from engram.pipeline.requests import Request


def check_finite(patient_id: str, request: Request, arrays: Arrays) -> None:
    """Raises ImagingError where a read-out is not finite. NaN has a meaning in `regions` alone; anywhere else a
    model that gives it sees nothing."""
    for name, values in arrays.items():
        if request.readout != "regions" and not np.isfinite(values).all():
            raise ImagingError(
                patient_id,
                f"the model's reading of {request.modality}, {request.roi} is not finite",
                value=f"{request.readout}: {name}",
                mend="Check the weights with 'engram check'; with precision bfloat16, try float32.",
            )


def stored_readout(
    request: Request, arrays: Arrays, backbone: Backbone, protocol: Protocol, slices: int
) -> StoredReadOut:
    """A read-out as the store keeps it. slices: how many were read."""
    about = {
        "modality": request.modality,
        "roi": request.roi,
        "readout": request.readout,
        "weights": backbone.name,
        "weights_digest": backbone.digest,
        "protocol_digest": protocol.digest,
        "engine_version": ENGINE_VERSION,
        "slices": slices,
        "protocol": protocol.words,
    }
    return StoredReadOut(dict(arrays), about)
