"""What an earlier `engram init` wrote into a folder, so that its own traces are told from the user's."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from engram.errors import StorageError
from engram.files import read_json, write_json

_NAME = "init.json"


@dataclass(frozen=True)
class InitRecord:
    """source: SHA-256 of the path of the folder that was read. study: of the study file as it was written."""

    source: str
    study: str

    @classmethod
    def read(cls, out: Path) -> InitRecord | None:
        """None where there is none, or it is damaged."""
        try:
            return cls(**read_json(out / _NAME))
        except (StorageError, TypeError):
            return None

    def write(self, out: Path) -> None:
        """Keep it in `out`."""
        write_json(out / _NAME, asdict(self))


def text_digest(text: str) -> str:
    """SHA-256 (hex) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
