"""MOOSE: `moosez -d FOLDER -m TASK`, where FOLDER holds one folder a subject with its CT_*.nii.gz.

Read in github.com/ENHANCE-PET/MOOSE: moosez.py (options), file_utilities.py (names of what it writes), README.md
(at least 32 GB of memory), system.py and constants.py (weights beside the environment or inside the package). It
chooses its device by itself and has no faster setting.
"""

from __future__ import annotations

from pathlib import Path

from engram.errors import ConfigError
from engram.segmenters.segmenter import STAGED, Request, nifti_files, stage_ct

_SUBJECT = "subject"
_WEIGHTS = ("models/nnunet_trained_models", "lib/python*/site-packages/moosez/models/nnunet_trained_models")


class Moose:
    """The adapter of MOOSE 2.x and 3.x."""

    name = "moose"
    executable = "moosez"
    package = "moosez"
    tasks = ("clin_ct_vertebrae", "clin_ct_peripheral_bones", "clin_ct_ribs", "clin_ct_organs", "clin_ct_fat")
    memory_gib = 32.0

    def check(self, request: Request) -> None:
        """Neither a device nor a faster setting can be asked for."""
        if request.fast or request.device:
            asked = "--fast" if request.fast else "--device"
            raise ConfigError(f"{asked}: MOOSE has no such option. Leave it out.")

    def command(self, executable: Path, ct: Path, folder: Path, request: Request) -> list[str]:
        """A data folder of one subject."""
        stage_ct(ct, folder / "data" / _SUBJECT, f"CT_{STAGED}")
        return [str(executable), "-d", str(folder / "data"), "-m", request.task]

    def products(self, folder: Path) -> list[Path]:
        """What its run folder holds beside the copy of the CT."""
        return nifti_files(folder, f"data/{_SUBJECT}/moosez-*/segmentations/*")

    def weights_folder(self, executable: Path) -> Path:
        """In the environment (2.x, early 3.x) or in the package (late 3.x); the first if neither is there."""
        environment = executable.resolve().parent.parent
        found = [path for pattern in _WEIGHTS for path in sorted(environment.glob(pattern))]
        return found[0] if found else environment / _WEIGHTS[0]

    def licence(self, task: str) -> str | None:
        """None is needed."""
        del task
        return None
