"""What of the image encoders shall be in the store for each patient, and under which address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engram.config import StudyConfig
from engram.config_models import Modality
from engram.encoders.contract import Encoder
from engram.encoders.hiera import Hiera
from engram.encoders.reading import READING_VERSION, Reading
from engram.encoders.weights import load_encoder
from engram.files import digest
from engram.memory.contract import Backbone
from engram.memory.store import embedding_key
from engram.pipeline.embedded import EmbeddedEncoder
from engram.pipeline.encoder_weights import HIERA, CheckedEncoders, encoders_of
from engram.pipeline.patients import IMAGE_VERSION, roi_recipe
from engram.pipeline.requests import Request, image_digests, protocol_of, window_of


def reading_of(config: StudyConfig, name: str) -> Reading:
    """How an encoder reads: `hiera` as the memory does, all slices and all of a frame."""
    stride = config.embedding.stride
    if name == HIERA:
        return Reading(stride, slices=None, masked=False)
    return Reading(stride, config.encoders.slices, config.encoders.masked)


def load_encoders(
    config: StudyConfig, checked: CheckedEncoders, backbone: Backbone | None, *, licence: str | None
) -> dict[str, Encoder]:
    """The wanted encoders that are here, by name. backbone, licence: the memory model, where `hiera` is wanted."""
    made: dict[str, Encoder] = {
        name: load_encoder(one, device=config.embedding.device) for name, one in checked.found.items()
    }
    if HIERA in encoders_of(config) and backbone is not None:
        made[HIERA] = Hiera(backbone, protocol_of(config), licence=licence)
    return made


def encoder_requests(
    config: StudyConfig, digests: dict[str, str], encoders: Mapping[str, Encoder]
) -> tuple[Request, ...]:
    """What is wanted of a patient, of each encoder that is here. digests: of the patient's files."""
    return tuple(
        Request(modality, roi, name, _key(config, modality, roi, name, digests, encoder))
        for modality in config.modalities
        for roi in config.rois
        for name, encoder in encoders.items()
    )


def _key(
    config: StudyConfig, modality: Modality, roi: str, name: str, digests: dict[str, str], encoder: Encoder
) -> str:
    reading = reading_of(config, name)
    return embedding_key(
        modality=modality,
        image_digests=image_digests(modality, digests),
        window=window_of(config, modality),
        roi=roi_recipe(roi, config, digests),
        protocol_digest=digest([reading.digest, IMAGE_VERSION]),
        weights_digest=encoder.digest,
        compute=config.embedding.model_dump(include={"device", "threads", "batch"}),
        readout={"name": name, **reading.recipe, **encoder.recipe},
    )


def about(config: StudyConfig, request: Request, encoder: Encoder, slices: int) -> dict[str, Any]:
    """What the store says of a vector."""
    reading = reading_of(config, request.readout)
    return {
        "modality": request.modality,
        "roi": request.roi,
        "readout": request.readout,
        "weights": encoder.name,
        "weights_digest": encoder.digest,
        "protocol_digest": reading.digest,
        "engine_version": READING_VERSION,
        "slices": slices,
        "protocol": reading.words,
    }


def described(config: StudyConfig, name: str, encoder: Encoder) -> EmbeddedEncoder:
    """What embeddings.json says of an encoder."""
    return EmbeddedEncoder(
        weights=encoder.name,
        digest=encoder.digest,
        untrained=encoder.untrained,
        verified=encoder.verified,
        licence=encoder.licence,
        reading=f"{reading_of(config, name).words}, at {encoder.image_size} pixels",
    )
