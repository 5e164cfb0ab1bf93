"""What the embeddings of a study are and where: embeddings.json of the run folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engram.config import StudyConfig
from engram.errors import CohortError, StorageError
from engram.files import digest, read_json, write_json
from engram.pipeline.folders import RunFolder


@dataclass(frozen=True)
class Embedded:
    """What the embeddings of a study are and where. `keys`: patient id -> "PET|spine" -> key."""

    weights: str
    weights_digest: str
    untrained: bool
    protocol: dict[str, Any]
    protocol_digest: str
    keys: dict[str, dict[str, str]]
    unusable: dict[str, dict[str, Any]]  # patient id -> what is wrong with the images


def _study_digest(config: StudyConfig, manifest_digest: str) -> str:
    """Of all in the study file that the embeddings depend on."""
    sections = config.model_dump(mode="json", include={"images", "rois", "embedding", "store", "output"})
    sections["embedding"].pop("map_size")
    return digest({"sections": sections, "modalities": config.modalities, "manifest": manifest_digest})


def save_embedded(made: Embedded, config: StudyConfig, manifest_digest: str) -> None:
    """Write embeddings.json."""
    content = {"study": _study_digest(config, manifest_digest), **made.__dict__}
    write_json(RunFolder.of(config).embeddings, content)


def load_embedded(config: StudyConfig, manifest_digest: str) -> Embedded:
    """Read embeddings.json. Raises CohortError where there is none, or the study has changed since."""
    path = RunFolder.of(config).embeddings
    if not path.is_file():
        raise CohortError(f"{path}: no embeddings here yet. Run 'engram embed' (or 'engram run') first.")
    content = read_json(path)
    study = content.pop("study", None)
    if study != _study_digest(config, manifest_digest):
        raise CohortError(f"{path}: the study file or the manifest has changed since. Run 'engram embed' again.")
    try:
        return Embedded(**content)
    except TypeError as error:
        raise StorageError(f"{path}: of another version of Engram. Run 'engram embed' again.") from error
