"""Images named as BIDS names them: sub-01[/ses-1]/*/sub-01_..._ct.nii.gz and sub-01_..._pet.nii.gz."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from engram.cohort.imported import Imported, ImportedPatient, LeftFile
from engram.cohort.importers import BIDS_IMAGE, files_below, imported, is_nifti, require_folder
from engram.errors import ImagingError


def import_bids(folder: Path) -> Imported:
    """Every subject with a CT or a PET, by name. Files of derivatives, and other NIfTI files, are left.

    A subject with two scans of one modality (two sessions) keeps neither. Raises ImagingError where nobody
    is there.
    """
    require_folder(folder)
    scans: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    left: list[LeftFile] = []
    for path in files_below(folder):
        match, top = BIDS_IMAGE.fullmatch(path.name), path.relative_to(folder).parts[0]
        if match is not None and top == match["subject"]:
            scans[match["subject"]][match["suffix"]].append(path)
        elif is_nifti(path):
            left.append(LeftFile(path, "neither sub-*_ct nor sub-*_pet in the folder of its own subject"))
    for subject in scans.values():
        for suffix, paths in subject.items():
            reason = f"one of {len(paths)} files *_{suffix} of one subject; keep one session"
            left += [LeftFile(path, reason) for path in paths if len(paths) > 1]
    patients = [p for name, files in sorted(scans.items()) if (p := _patient(name, files)) is not None]
    if not patients:
        mend = "Name scans sub-01/ct/sub-01_ct.nii.gz and sub-01/pet/sub-01_pet.nii.gz."
        value = f"{len(scans)} subjects, none with one scan of a modality" if scans else "no sub-*_ct or sub-*_pet"
        raise ImagingError("", "no BIDS subject with a scan", file=str(folder), value=value, mend=mend)
    return imported(patients, left)


def _patient(name: str, files: dict[str, list[Path]]) -> ImportedPatient | None:
    single = {suffix: paths[0] for suffix, paths in files.items() if len(paths) == 1}
    return ImportedPatient(name, single.get("ct"), single.get("pet")) if single else None
