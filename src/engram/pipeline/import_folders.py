"""Folders of other tools, read with the label tables that Engram knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from engram.cohort.bids_folders import import_bids
from engram.cohort.imported import Imported
from engram.cohort.moose_folders import TotalSegmentatorMaps, import_moose
from engram.cohort.nnunet_folders import import_nnunet
from engram.config_models import Modality
from engram.errors import ConfigError
from engram.roi.labels import scheme_of
from engram.segmenters.product import label_name
from engram.segmenters.structures import merge_structures, structure_files

_MODALITIES: Mapping[str, Modality] = {"CT": "CT", "PET": "PET", "PT": "PET"}


@dataclass(frozen=True)
class FolderOptions:
    """What only the user can say of a folder.

    channels: modality of each nnU-Net channel, where dataset.json does not say it. moose_version,
    totalsegmentator_version: of label maps that do not say it.
    """

    channels: Mapping[int, Modality] | None = None
    moose_version: str | None = None
    totalsegmentator_version: str | None = None


def import_folder(
    folder: Path, layout: Literal["moose", "nnunet", "bids"], out: Path, options: FolderOptions | None = None
) -> Imported:
    """The patients of a folder, and every file that is left with its reason. A scan may be a folder of DICOM files.

    out: where label maps go that are made from one mask a structure. Raises ImagingError as the importer of the
    layout, StorageError where such a map cannot be written.
    """
    said = options or FolderOptions()
    if layout == "nnunet":
        return import_nnunet(folder, channels=said.channels)
    if layout == "bids":
        return import_bids(folder)
    other = TotalSegmentatorMaps(
        said.totalsegmentator_version, partial(_scheme, "totalsegmentator"), partial(_merged, out)
    )
    moose = partial(_scheme, "moose")
    return import_moose(folder, scheme_of=moose, version=said.moose_version, totalsegmentator=other)


def _scheme(tool: str, version: str, task: str) -> str:
    return scheme_of(tool, task, version).name


def _merged(out: Path, folder: Path, patient_id: str) -> dict[str, Path]:
    """One label map for each scheme that has structures in the folder."""
    return {
        scheme: merge_structures(
            masks, scheme, out / f"{label_name(patient_id, scheme)}.nii.gz", patient_id=patient_id
        )
        for scheme, masks in structure_files(folder).items()
    }


def parse_channels(text: str) -> dict[int, Modality]:
    """ "0=CT,1=PET" as numbers and modalities. Raises ConfigError where it is something else."""
    found: dict[int, Modality] = {}
    for part in text.split(","):
        number, _, name = (piece.strip() for piece in part.partition("="))
        if not number.isdecimal() or name.upper() not in _MODALITIES or int(number) in found:
            raise ConfigError(f'--channels {text!r}: write each channel once, as "0=CT,1=PET".')
        found[int(number)] = _MODALITIES[name.upper()]
    return found
