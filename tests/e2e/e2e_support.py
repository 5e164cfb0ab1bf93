"""What the end-to-end tests share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

Engram = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Finished:
    """A run: its study file, its folder, and what each stage printed."""

    study: Path
    results: Path
    stages: dict[str, subprocess.CompletedProcess[str]]

    def embeddings(self) -> dict[str, bytes]:
        """Every embedding and picture of the store, by name; the index is derived and knows times."""
        files = sorted((self.results / "store").glob("[0-9a-f][0-9a-f]/[!.]*"))
        return {p.name: p.read_bytes() for p in files}


def change(study: Path, **sections: object) -> None:
    """Replace sections of a study file."""
    study.write_text(yaml.safe_dump({**yaml.safe_load(study.read_text()), **sections}))


def command(*arguments: object) -> list[str]:
    """The command line of `engram`, run by this Python."""
    return [sys.executable, "-c", "from engram.cli import main; main()", *map(str, arguments)]


def times(folder: Path, pattern: str) -> dict[Path, int]:
    """When each file of a folder was last written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob(pattern)}
