"""Where MIRP is on this machine, which version it is, and what it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engram.config_models import Modality
from engram.config_radiomics import Radiomics
from engram.errors import ConfigError

PACKAGE = "mirp"
VARIABLE = "ENGRAM_MIRP"  # may hold the path of the Python

_ASK = "import sys, importlib.metadata as m; sys.stdout.write(m.version(sys.argv[1]))"
_SECONDS = 60
_INSTALL = (
    "Install it in an environment of its own (python -m venv ENV; ENV/bin/pip install mirp) and say "
    f"--command ENV/bin/python, or set radiomics.command or {VARIABLE}."
)


@dataclass(frozen=True)
class Mirp:
    """A MIRP that can be run. python: of its environment. version: of the package there."""

    python: Path
    version: str


def find_mirp(command: str | None, settings: Radiomics) -> Mirp:
    """The Python as said on the command line, in the study file, or in the environment variable, with its MIRP.

    Raises ConfigError where none is said, it is not a command, or its environment has no MIRP.
    """
    said = {"--command": command, "radiomics.command": settings.command, VARIABLE: os.environ.get(VARIABLE)}
    source, value = next(((name, text) for name, text in said.items() if text), ("", None))
    if value is None:
        raise ConfigError(f"radiomics are made by MIRP, and no Python that has it was named. {_INSTALL}")
    found = shutil.which(value)
    if found is None:
        raise ConfigError(f"{source}: {value} is not a command that can be run. {_INSTALL}")
    python = Path(found).absolute()
    return Mirp(python, _version(python, source))


def _version(python: Path, source: str) -> str:
    # -I, as in the run itself: what PYTHONPATH holds is of another environment.
    command = [str(python), "-I", "-c", _ASK, PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{source}: {python} cannot be run ({error}). {_INSTALL}") from error
    if done.returncode != 0 or not done.stdout.strip():
        raise ConfigError(f"{source}: the environment of {python} has no {PACKAGE}. {_INSTALL}")
    return done.stdout.strip()


def mirp_settings(settings: Radiomics, modality: Modality) -> dict[str, Any]:
    """Keywords of MIRP's `extract_features`, each said even where it is the default of its 2.7.

    Textures of the whole volume, all directions merged; grey levels of a fixed width from -1000 HU or SUV 0; cubic
    interpolation of the image and linear of the mask, of which half a voxel is in; the region as it is, for nothing
    of it is cut off by intensity.
    """
    is_ct = modality == "CT"
    return {
        "image_modality": "ct" if is_ct else "pt",
        "by_slice": False,
        "base_feature_families": "all",
        "base_discretisation_method": "fixed_bin_size",
        "base_discretisation_bin_width": settings.ct_bin_hu if is_ct else settings.pet_bin_suv,
        "new_spacing": settings.resample_mm,
        "spline_order": 3,
        "roi_spline_order": 1,
        "roi_interpolation_mask_inclusion_threshold": 0.5,
        "glcm_spatial_method": "3d_volume_merge",
        "glrlm_spatial_method": "3d_volume_merge",
        "glszm_spatial_method": "3d",
        "gldzm_spatial_method": "3d",
        "ngtdm_spatial_method": "3d",
        "ngldm_spatial_method": "3d",
    }
