"""What shall be in the store for each patient, and under which address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.config import StudyConfig
from engram.config_embedding import UNTRAINED_MINI
from engram.config_models import Modality
from engram.files import digest
from engram.memory.contract import Backbone
from engram.memory.protocol import ENGINE_VERSION, Protocol
from engram.memory.quality import QUALITY, quality
from engram.memory.readouts import ReadOut, read_out
from engram.memory.registry import KNOWN_WEIGHTS
from engram.memory.store import embedding_key
from engram.pipeline.patients import IMAGE_VERSION, images_section, label_digests, roi_recipe
from engram.report.labels import READ_OUTS


@dataclass(frozen=True)
class Request:
    """One read-out of one patient, and its address in the store."""

    modality: Modality
    roi: str
    readout: str
    key: str

    @property
    def name(self) -> str:
        """Its name in embeddings.json."""
        return request_name(self.modality, self.roi, self.readout)


def request_name(modality: str, roi: str, readout: str) -> str:
    """The name of a read-out of a patient in embeddings.json."""
    return f"{modality}|{roi}|{readout}"


def weights_of(config: StudyConfig) -> str | Path:
    """What `load_backbone` is asked for: a path from the study file's folder, or a name that it knows."""
    wanted = config.embedding.weights
    path = config.resolve(Path(wanted))
    is_name = wanted == UNTRAINED_MINI or (wanted in KNOWN_WEIGHTS and not path.exists())
    return wanted if is_name else path


def protocol_of(config: StudyConfig) -> Protocol:
    """The reading protocol that a study file asks for."""
    wanted = config.embedding
    return Protocol(
        prompting=wanted.prompting,
        every=wanted.every,
        prompt=wanted.prompt,
        prompt_mm=wanted.prompt_mm,
        points=wanted.points,
        prompt_seed=wanted.prompt_seed,
        stride=wanted.stride,
        direction=wanted.direction,
        resolution=None if wanted.weights == UNTRAINED_MINI else wanted.resolution,  # which knows its own
        precision=wanted.precision,
    )


def protocol_of_readout(config: StudyConfig, readout: ReadOut) -> Protocol:
    """How its slices are read: as the study file says, or the same without memory, which is then its address."""
    protocol = protocol_of(config)
    return protocol.without_memory if readout.without_memory else protocol


def readouts_of(config: StudyConfig) -> dict[str, ReadOut]:
    """What is kept of the memory of every region, by name; the quality of what was drawn is one of them, where
    there are others."""
    wanted = config.embedding
    chosen = [read_out(name, final_entries=wanted.final_entries) for name in dict.fromkeys(wanted.readouts)]
    chosen += [quality()] if wanted.quality and chosen else []
    return {readout.name: readout for readout in chosen}


@dataclass(frozen=True)
class Disturbed:
    """What is changed on purpose before a scan is read. mask: the recipe of a change of the region's mask;
    pet_shift_mm: of the PET towards left, posterior and superior. Both None: nothing."""

    mask: Mapping[str, Any] | None = None
    pet_shift_mm: tuple[float, float, float] | None = None


_AS_IT_IS = Disturbed()


def requests_of(
    config: StudyConfig, digests: dict[str, str], backbone: Backbone, disturbed: Disturbed = _AS_IT_IS
) -> tuple[Request, ...]:
    """Everything that is wanted of a patient. digests: of the patient's files."""
    return tuple(
        Request(modality, roi, readout.name, _key(config, modality, roi, readout, digests, backbone, disturbed))
        for modality in config.modalities
        for roi in config.rois
        for readout in readouts_of(config).values()
    )


def _key(
    config: StudyConfig,
    modality: Modality,
    roi: str,
    readout: ReadOut,
    digests: dict[str, str],
    backbone: Backbone,
    disturbed: Disturbed,
) -> str:
    recipe, region = dict(readout.recipe), roi_recipe(roi, config, digests)
    images = image_digests(modality, digests)
    if readout.name == "regions":
        recipe["labels"] = label_digests(config, digests)
    if disturbed.mask is not None:
        region["disturbed"] = dict(disturbed.mask)
    if disturbed.pet_shift_mm is not None and modality == "PET":
        images["pet_shift_mm"] = " ".join(map(repr, disturbed.pet_shift_mm))
    return embedding_key(
        modality=modality,
        image_digests=images,
        window=window_of(config, modality),
        roi=region,
        protocol_digest=digest([protocol_of_readout(config, readout).digest, IMAGE_VERSION]),
        weights_digest=backbone.digest,
        compute=config.embedding.model_dump(include={"device", "threads", "batch"}),
        readout=recipe,
    )


def image_digests(modality: Modality, digests: dict[str, str]) -> dict[str, str]:
    """The files that make the image: PET lies on the CT's grid and depends on both, CT on itself alone."""
    needed = ("ct",) if modality == "CT" else ("ct", "pet")
    return {name: digests[name] for name in needed if name in digests}


def window_of(config: StudyConfig, modality: Modality) -> tuple[float, float]:
    """Values at black and at white of the frames of a modality."""
    images = images_section(config)
    return images.ct_window_hu if modality == "CT" else images.pet_window_suv


_PROMPTS = {
    "box": "tight box of each prompted slice",
    "padded_box": "tight box of each prompted slice, padded by {mm:g} mm",
    "jittered_box": "tight box of each prompted slice, each edge moved at random (sd {mm:g} mm)",
    "mask": "mask of each prompted slice, which the model takes as what it draws there",
    "points": "{clicks} inside the mask of each prompted slice",
    "coarse_box": "one box around the region on all slices read, the same for each prompted slice",
    "random_box": "box of the right size at a random place on each prompted slice, a control",
}
_DIRECTIONS = {
    "down": "superior to inferior",
    "up": "inferior to superior",
    "both": "superior to inferior, and back in a pass that knows nothing of the first",
}


def protocol_fields(config: StudyConfig, backbone: Backbone) -> dict[str, Any]:
    """The protocol of the memory in words, for the report. `prompt_kind` and `passes` are for programs."""
    protocol = protocol_of(config)
    # every_k with k = 1 is interleaved, and prompted through and through.
    prompting = str(protocol.fields["prompting"])
    clicks = "one point" if protocol.points == 1 else f"at most {protocol.points} points"
    return {
        **image_fields(config),
        "prompting": f"every_k, k = {protocol.every}" if prompting == "every_k" else prompting,
        "prompt": _PROMPTS[protocol.prompt].format(mm=protocol.prompt_mm, clicks=clicks),
        "prompt_kind": protocol.prompt,
        "stride": protocol.stride,
        "direction": _DIRECTIONS[protocol.direction],
        "passes": _passes(config),
        "resolution_px": backbone.image_size,
        "precision": protocol.precision,
        "bank_dtype": protocol.bank_dtype,
        "read_out": "; ".join(_in_words(name, config) for name in readouts_of(config) if name != QUALITY),
        "engine_version": ENGINE_VERSION,
    }


def image_fields(config: StudyConfig) -> dict[str, Any]:
    """What decides the frames and how they are computed on, whether or not a memory reads them."""
    images = images_section(config)
    schemes = {"label_schemes": ", ".join(config.label_columns)} if config.label_columns else {}
    return {
        **schemes,
        "ct_window_hu": list(images.ct_window_hu),
        "pet_window_suv": list(images.pet_window_suv),
        "device": config.embedding.device,
        "threads": config.embedding.threads,
        "batch": config.embedding.batch,
    }


def _passes(config: StudyConfig) -> int:
    return 2 if config.embedding.direction == "both" else 1


def _in_words(readout: str, config: StudyConfig) -> str:
    if readout != "final":
        return f"{READ_OUTS[readout]} ({readout})"
    n = config.embedding.final_entries
    entries = "final memory entry" if n == 1 else f"final {n} memory entries"
    return f"{entries} of each pass" if _passes(config) == 2 else entries


def picture_of(config: StudyConfig) -> str | None:
    """The read-out that carries the picture of what was read; None where no memory is read."""
    names = list(readouts_of(config))
    return QUALITY if QUALITY in names else next(iter(names), None)
