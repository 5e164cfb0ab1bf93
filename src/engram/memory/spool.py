"""Image features on their way from one pass to the next: on disk, so that memory stays bounded."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import IO

import torch
from safetensors.torch import load, save

from engram.memory.contract import SliceFeatures


class FeatureSpool:
    """Keeps the features of slices in an unnamed temporary file, which is gone with the process.

    keep: False for a single pass, where nothing is asked for again and nothing is written.
    """

    def __init__(self, *, keep: bool) -> None:
        self._file: IO[bytes] | None = tempfile.TemporaryFile() if keep else None  # noqa: SIM115 - see __exit__
        self._places: dict[int, tuple[int, int, torch.device]] = {}

    def __enter__(self) -> FeatureSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __contains__(self, z: int) -> bool:
        return z in self._places

    def put(self, z: int, features: SliceFeatures) -> None:
        """Keep the features of slice z, once."""
        if self._file is None or z in self._places:
            return
        tensors = {f"level_{i}": level.contiguous() for i, level in enumerate(features.levels)}
        content = save(tensors | {"position": features.position.contiguous()})
        start = self._file.seek(0, 2)
        self._file.write(content)
        self._places[z] = (start, len(content), features.position.device)

    def get(self, z: int) -> SliceFeatures:
        """The features of a slice that was put."""
        if self._file is None:
            raise KeyError(z)
        start, size, device = self._places[z]
        self._file.seek(start)
        tensors = load(self._file.read(size))
        levels = tuple(tensors[f"level_{i}"].to(device) for i in range(len(tensors) - 1))
        return SliceFeatures(levels, tensors["position"].to(device))
