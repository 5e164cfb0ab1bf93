"""Folders of other tools, read with the label tables that Engram knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from engram.cohort.bids_folders import import_bids
from engram.cohort.imported import Imported
from engram.cohort.moose_folders import import_moose
from engram.cohort.nnunet_folders import import_nnunet
from engram.config import Modality
from engram.errors import ConfigError
from engram.roi.labels import scheme_of

_MODALITIES: Mapping[str, Modality] = {"CT": "CT", "PET": "PET", "PT": "PET"}


def import_folder(
    folder: Path,
    layout: Literal["moose", "nnunet", "bids"],
    *,
    moose_version: str | None = None,
    channels: Mapping[int, Modality] | None = None,
) -> Imported:
    """The patients of a folder, and every file that is left with its reason. A scan may be a folder of DICOM files.

    moose_version: of the runs that do not say it. channels: modality of each nnU-Net channel, where dataset.json
    does not say it. Raises ImagingError as the importer of the layout.
    """
    if layout == "moose":
        return import_moose(folder, scheme_of=_moose_scheme, version=moose_version)
    return import_nnunet(folder, channels=channels) if layout == "nnunet" else import_bids(folder)


def parse_channels(text: str) -> dict[int, Modality]:
    """ "0=CT,1=PET" as numbers and modalities. Raises ConfigError where it is something else."""
    found: dict[int, Modality] = {}
    for part in text.split(","):
        number, _, name = (piece.strip() for piece in part.partition("="))
        if not number.isdecimal() or name.upper() not in _MODALITIES or int(number) in found:
            raise ConfigError(f'--channels {text!r}: write each channel once, as "0=CT,1=PET".')
        found[int(number)] = _MODALITIES[name.upper()]
    return found


def _moose_scheme(version: str, task: str) -> str:
    return scheme_of("moose", task, version).name
