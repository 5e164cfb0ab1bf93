"""Embeddings on disk, under an address made of all that decides them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from engram.errors import StorageError
from engram.files import atomic_write, canonical_json, digest


@dataclass(frozen=True, eq=False)
class StoredEmbedding:
    """The final memory state of one modality and region of one patient (paper 2.3.1).

    memory: float32 (entries, channels, h, w), oldest first, as the model made it; the last entries of the bank.
    slices: int32 (n,), the slices read, 0 being the most superior of the volume.
    object_scores: float32 (n,), the logit that the object is present on each.
    """

    memory: npt.NDArray[np.float32]
    slices: npt.NDArray[np.int32]
    object_scores: npt.NDArray[np.float32]


class EmbeddingStore:
    """A folder of safetensors files. Written atomically; safe under several processes, for equal keys hold equal
    bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the embedding of a key lies, or would lie."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def picture_path(self, key: str) -> Path:
        """Where the picture of the slices read and their boxes lies."""
        return self.folder / key[:2] / f"{key}.png"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.path(key).is_file()

    def save(self, key: str, embedding: StoredEmbedding, picture: bytes | None = None) -> Path:
        """Write an embedding, and a PNG of what was read; raises StorageError where the disk is full."""
        if picture is not None:  # first, so that an embedding in the store has its picture
            atomic_write(self.picture_path(key), lambda stream: stream.write(picture))
        tensors = {
            "memory": np.ascontiguousarray(embedding.memory, dtype=np.float32),
            "slices": np.ascontiguousarray(embedding.slices, dtype=np.int32),
            "object_scores": np.ascontiguousarray(embedding.object_scores, dtype=np.float32),
        }
        # One metadata field only: safetensors writes several in no fixed order.
        content = save(tensors, metadata={"engram": canonical_json({"key": key})})
        return atomic_write(self.path(key), lambda stream: stream.write(content))

    def load(self, key: str) -> StoredEmbedding:
        """Read an embedding; raises StorageError where it is absent or damaged."""
        path = self.path(key)
        try:
            tensors: Mapping[str, Any] = load_file(path)
            return StoredEmbedding(tensors["memory"], tensors["slices"], tensors["object_scores"])
        except (OSError, SafetensorError, KeyError) as error:
            raise StorageError(
                f"{path}: not a readable embedding ({error}). Delete this file and run 'engram embed' again."
            ) from error


def embedding_key(
    *,
    modality: str,
    image_digests: Mapping[str, str],
    window: tuple[float, float],
    roi: Mapping[str, Any],
    protocol_digest: str,
    weights_digest: str,
) -> str:
    """The address of an embedding: SHA-256 (hex) of all that decides its numbers.

    image_digests: digests of the files that make the image (PET on the CT's grid depends on both);
    roi: the region's recipe, with the digest of the file that it is made from.
    """
    return digest(
        {
            "modality": modality,
            "images": dict(image_digests),
            "window": list(window),
            "roi": dict(roi),
            "protocol": protocol_digest,
            "weights": weights_digest,
        }
    )
