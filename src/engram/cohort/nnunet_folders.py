"""Images named as nnU-Net names them: case_0000.nii.gz, case_0001.nii.gz, and labelsTr/case.nii.gz.

nnU-Net v2 `documentation/dataset_format.md`: a case has one file a channel, `{case}_{XXXX}{file_ending}`, all
of one geometry; `dataset.json` names channels (`channel_names`; v1: `modality`) and labels. Which
channel is CT and which is PET is read there or said by the user; a name that says neither is not guessed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engram.cohort.imported import Imported, ImportedPatient, LeftFile
from engram.cohort.importers import NNUNET_FOLDERS, NNUNET_IMAGE, imported, is_nifti, require_folder, visible
from engram.config_models import Modality
from engram.errors import ImagingError, StorageError
from engram.files import read_json

_WORDS: Mapping[str, Modality] = {"ct": "CT", "pet": "PET", "pt": "PET", "suv": "PET"}
_SAY = 'Say which channel is which: --channels "0=CT,1=PET".'


def import_nnunet(folder: Path, *, channels: Mapping[int, Modality] | None = None) -> Imported:
    """Every case of an nnU-Net data set, or of one folder of images, by name.

    channels: modality of each channel number; None: as `dataset.json` names them. A label file with one label is a
    mask under the name of that label; one with several labels is left, for it is in no known scheme.
    Raises ImagingError where no image is there, or the channels are not known.
    """
    require_folder(folder)
    images = _images(folder)
    if not images:
        seen = ", ".join(path.name for path in visible(folder)[:5]) or "nothing"
        mend = "Name images case_0000.nii.gz, case_0001.nii.gz, in this folder or in imagesTr."
        raise ImagingError("", "no image with an nnU-Net name", file=str(folder), value=seen, mend=mend)
    described = _dataset(folder)
    modalities = _stated(folder, described) if channels is None else dict(channels)
    _check_channels(folder, modalities, {channel for _, channel, _ in images})
    scans, left = _scans(images, modalities)
    masks, lost = _masks(folder, described, set(scans))
    left += [*lost, *_others(folder, {path for _, _, path in images})]
    patients = [
        ImportedPatient(case, files.get("CT"), files.get("PET"), masks=masks.get(case, {}))
        for case, files in sorted(scans.items())
    ]
    return imported(patients, left)


def _folders(folder: Path) -> list[Path]:
    inner = [folder / name for name in NNUNET_FOLDERS if (folder / name).is_dir()]
    return inner or [folder]


def _images(folder: Path) -> list[tuple[str, int, Path]]:
    """(case, channel, path) of every image."""
    paths = [path for place in _folders(folder) for path in visible(place) if path.is_file()]
    matches = [(NNUNET_IMAGE.fullmatch(path.name), path) for path in paths]
    return [(match["case"], int(match["channel"]), path) for match, path in matches if match is not None]


def _dataset(folder: Path) -> Mapping[str, Any]:
    """What dataset.json says, beside the images or above them; empty where there is none."""
    places = [folder, folder.parent] if folder.name in NNUNET_FOLDERS else [folder]
    path = next((place / "dataset.json" for place in places if (place / "dataset.json").is_file()), None)
    if path is None:
        return {}
    try:
        described = read_json(path)
    except StorageError as error:
        raise ImagingError("", "dataset.json unreadable", file=str(path), value=str(error), mend=_SAY) from error
    if not isinstance(described, dict):
        mend = "Write it as nnU-Net does: an object with channel_names and labels."
        raise ImagingError("", "dataset.json is no object", file=str(path), mend=mend)
    return described


def _stated(folder: Path, described: Mapping[str, Any]) -> dict[int, Modality]:
    """Modalities as dataset.json names them. Raises ImagingError where it names none, or one that is neither."""
    names = described.get("channel_names", described.get("modality"))
    if not isinstance(names, dict) or not names:
        where = "no channel_names in dataset.json" if described else "no dataset.json"
        raise ImagingError("", "channels not named", file=str(folder), value=where, mend=_SAY)
    found: dict[int, Modality] = {}
    for number, name in names.items():
        said = {_WORDS[word] for word in re.split(r"[\W_]+", str(name).lower()) if word in _WORDS}
        if len(said) != 1 or not str(number).isdigit():
            value = f"channel {number} is {name!r}"
            raise ImagingError("", "channel is neither CT nor PET", file=str(folder), value=value, mend=_SAY)
        found[int(number)] = said.pop()
    return found


def _check_channels(folder: Path, modalities: Mapping[int, Modality], present: set[int]) -> None:
    """One channel a modality (a data set that calls PET "CT", to be normalised alike, is known), each one said."""
    unsaid = sorted(present - set(modalities))
    twice = len(set(modalities.values())) < len(modalities)
    if not unsaid and not twice:
        return
    said = ", ".join(f"{number}={modality}" for number, modality in sorted(modalities.items()))
    reason = "two channels of one modality" if twice else "channels not named"
    value = said if twice else f"{', '.join(f'{n:04d}' for n in unsaid)}; known: {said}"
    raise ImagingError("", reason, file=str(folder), value=value, mend=_SAY)


def _scans(
    images: Sequence[tuple[str, int, Path]], modalities: Mapping[int, Modality]
) -> tuple[dict[str, dict[Modality, Path]], list[LeftFile]]:
    """Files of each case by modality; a case that is in two folders, or as .nii and .nii.gz, keeps none."""
    found: dict[str, dict[Modality, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for case, channel, path in images:
        found[case][modalities[channel]].append(path)
    twice = {case for case, files in found.items() if any(len(paths) > 1 for paths in files.values())}
    left = [
        LeftFile(path, f"case '{case}' has two files of one channel: keep one")
        for case, _, path in images
        if case in twice
    ]
    scans = {
        case: {m: paths[0] for m, paths in files.items()} for case, files in found.items() if case not in twice
    }
    return scans, left


def _masks(
    folder: Path, described: Mapping[str, Any], cases: set[str]
) -> tuple[dict[str, dict[str, Path]], list[LeftFile]]:
    """Masks of each case by the name of their label, and the label files that are none."""
    place = (folder.parent if folder.name == "imagesTr" else folder) / "labelsTr"
    files = visible(place) if place.is_dir() else []
    names, stems = _label_names(described), Counter(_case(path) for path in files)
    masks, left = {}, []
    for path in files:
        case = _case(path)
        if not is_nifti(path):
            left.append(LeftFile(path, "not a NIfTI file"))
        elif case not in cases:
            left.append(LeftFile(path, "a label file without images of its case"))
        elif stems[case] > 1:
            left.append(LeftFile(path, f"case '{case}' has two label files: keep one"))
        elif len(names) != 1:
            several = f"{len(names)} labels" if names else "no labels in dataset.json"
            left.append(LeftFile(path, f"not one mask ({several}): save the label that you want as 0 and 1"))
        else:
            masks[case] = {names[0]: path}
    return masks, left


def _case(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", path.name)


def _label_names(described: Mapping[str, Any]) -> list[str]:
    """Labels other than background; v2 maps names to values, v1 values to names."""
    labels = described.get("labels")
    if not isinstance(labels, dict):
        return []
    backwards = all(str(key).isdigit() for key in labels)
    names = {str(name): value for value, name in labels.items()} if backwards else labels
    return [str(name) for name, value in names.items() if str(value) != "0"]


def _others(folder: Path, taken: set[Path]) -> list[LeftFile]:
    """Every file beside the images that has no nnU-Net name."""
    places = {folder, *_folders(folder)}
    files = [path for place in places for path in visible(place) if path.is_file()]
    return [
        LeftFile(path, "its name is not case_0000.nii.gz")
        for path in files
        if path not in taken and path.name != "dataset.json"
    ]
