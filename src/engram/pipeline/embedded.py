"""What the embeddings of a study are and where: embeddings.json of the run folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from engram.config import StudyConfig
from engram.errors import CohortError, StorageError
from engram.files import digest, write_json
from engram.pipeline.encoder_weights import encoders_of
from engram.pipeline.folders import RunFolder


@dataclass(frozen=True)
class EmbeddedEncoder:
    """What an image encoder without a memory is, and how it read: `engram.encoders.contract.Encoder`."""

    weights: str
    digest: str
    untrained: bool
    verified: bool
    licence: str | None
    reading: str


@dataclass(frozen=True)
class Embedded:
    """What the embeddings of a study are and where.

    weights to protocol_digest: of the memory; None, False or empty where none is read. encoders: what each image
    encoder without a memory is; absent: encoder -> why it made nothing.
    keys: patient id -> "PET|spine|final" -> key. digests: patient id -> use of a file -> SHA-256 (hex) of its bytes
    when the patient was embedded. unusable: every problem of an image, as the fields of an ImagingError.
    """

    weights: str | None
    weights_digest: str | None
    untrained: bool
    verified: bool  # whether the bytes of the weights are those that their authors publish
    protocol: dict[str, Any]
    protocol_digest: str | None
    keys: dict[str, dict[str, str]]
    digests: dict[str, dict[str, str]]
    unusable: list[dict[str, Any]]
    encoders: dict[str, EmbeddedEncoder] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def _study_digest(config: StudyConfig, manifest_digest: str) -> str:
    """Of all in the study file that the embeddings depend on."""
    sections = config.model_dump(
        mode="json", include={"images", "rois", "image_checks", "embedding", "store", "output"}
    )
    for decides_no_embedding in ("map_size", "quality_limit"):
        sections["embedding"].pop(decides_no_embedding)
    return digest(
        {
            "sections": sections,
            "labels_in_order": list(config.label_columns),
            "modalities": config.modalities,
            "encoders": _encoders(config),
            "manifest": manifest_digest,
        }
    )


def _encoders(config: StudyConfig) -> list[Any]:
    """The wanted encoders, and the settings that decide something where there are any."""
    wanted = encoders_of(config)
    return [*wanted, config.encoders.model_dump(mode="json")] if wanted else []


def save_embedded(made: Embedded, config: StudyConfig, manifest_digest: str) -> None:
    """Write embeddings.json."""
    content = {"study": _study_digest(config, manifest_digest), **asdict(made)}
    write_json(RunFolder.of(config).embeddings, content)


def load_embedded(config: StudyConfig, manifest_digest: str) -> Embedded:
    """Read embeddings.json. Raises CohortError where there is none, or the study has changed, StorageError."""
    path = RunFolder.of(config).embeddings
    study, made = _read(path)
    if study != _study_digest(config, manifest_digest):
        raise CohortError(f"{path}: the study file or the manifest has changed since. Run 'engram embed' again.")
    return made


def saved_embedded(config: StudyConfig) -> Embedded:
    """embeddings.json as it is, for showing. Raises CohortError where there is none, StorageError: damaged."""
    return _read(RunFolder.of(config).embeddings)[1]


def _read(path: Path) -> tuple[str, Embedded]:
    if not path.is_file():
        raise CohortError(f"{path}: no embeddings here yet. Run 'engram embed' (or 'engram run') first.")
    try:
        content = dict(json.loads(path.read_bytes()))
        study = str(content.pop("study"))
        known = {one.name for one in fields(Embedded)}
        if set(content) != known:
            raise ValueError(f"expected {sorted(known)}, found {sorted(content)}")
        return study, TypeAdapter(Embedded).validate_python(content)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{path}: damaged, or of another version of Engram. Run 'engram embed' again; finished work is kept."
        ) from error
