"""TotalSegmentator: `TotalSegmentator -i CT -o FILE --ml --task TASK [--fast] [--device gpu|cpu]`.

Read in github.com/wasserth/TotalSegmentator: bin/TotalSegmentator.py (options), nnunet.py (with --ml the output is
one file), config.py (folders, licence), map_to_binary.py (tasks that need a licence).
"""

from __future__ import annotations

import os
from pathlib import Path

from engram.errors import ConfigError, StorageError
from engram.files import read_json
from engram.segmenters.segmenter import STAGED, Request, nifti_files, stage_ct

_LICENSED = ("appendicular_bones",)
_FULL_ONLY = ("appendicular_bones",)
_GET = "Get a number (free for non-commercial use: backend.totalsegmentator.com/license-academic), then run "
_SET = "'totalseg_set_license -l NUMBER' once in its environment."


class TotalSegmentator:
    """The adapter of TotalSegmentator."""

    name = "totalsegmentator"
    executable = "TotalSegmentator"
    package = "TotalSegmentator"
    tasks = ("total", "total_v3", "appendicular_bones", "vertebrae_pp")
    memory_gib = None

    def check(self, request: Request) -> None:
        """A task that has no 3 mm model cannot be fast."""
        if request.fast and request.task in _FULL_ONLY:
            raise ConfigError(f"--fast: TotalSegmentator has no fast model of {request.task!r}. Leave it out.")

    def command(self, executable: Path, ct: Path, folder: Path, request: Request) -> list[str]:
        """One multilabel file of the staged CT."""
        staged, out = stage_ct(ct, folder / "in", STAGED), folder / "out"
        out.mkdir()
        command = [str(executable), "-i", str(staged), "-o", str(out / "labels.nii.gz"), "--ml"]
        command += ["--task", request.task, *(["--fast"] if request.fast else [])]
        return command + (["--device", request.device] if request.device else [])

    def products(self, folder: Path) -> list[Path]:
        """The multilabel file."""
        return nifti_files(folder, "out/**/*")

    def weights_folder(self, executable: Path) -> Path:
        """TOTALSEG_WEIGHTS_PATH, or nnunet/results in its home folder."""
        del executable
        stated = os.environ.get("TOTALSEG_WEIGHTS_PATH")
        return Path(stated) if stated else _home() / "nnunet" / "results"

    def licence(self, task: str) -> str | None:
        """Its config.json holds the number, once it was set."""
        if task not in _LICENSED:
            return None
        path = _home() / "config.json"
        try:
            number = read_json(path).get("license_number") if path.is_file() else None
        except (StorageError, AttributeError):
            number = None
        return None if number else f"{task} needs a licence, and {path} has no number. {_GET}{_SET}"


def _home() -> Path:
    stated = os.environ.get("TOTALSEG_HOME_DIR")
    return Path(stated) if stated else Path.home() / ".totalsegmentator"
