"""Subject folders as MOOSE wants and leaves them (ENHANCE-PET/MOOSE 2.x and 3.x).

    FOLDER/S1/CT_S1.nii.gz, PT_S1.nii.gz, or folders of DICOM files whose names say CT or PT
    FOLDER/S1/moosez-clin_ct_ribs-2024-01-31-12-00-00/segmentations/CT_Ribs_*.nii.gz             (2.x)
    FOLDER/S1/moosez-2025-01-31-12-00-00/segmentations/clin_CT_ribs_segmentation_CT_S1.nii.gz    (3.x)
    FOLDER/S1/moosez-*/MOOSE_information.json                                                    (late 3.x: version)
    FOLDER/S1/*totalseg*.nii.gz, or a folder with one mask a structure (vertebrae_L5.nii.gz, ...): TotalSegmentator

Label values moved between versions of both tools (requirements 44, 45), so a label map is taken only where its
version is known: from MOOSE_information.json, or from the user. It is never guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engram.cohort.imported import Imported, ImportedPatient, LeftFile
from engram.cohort.importers import (
    MOOSE_RUN,
    imported,
    is_dicom_series,
    is_nifti,
    require_folder,
    scan_modality,
    visible,
)
from engram.errors import ConfigError, ImagingError, StorageError
from engram.files import read_json

SchemeOf = Callable[[str, str], str]  # (version, task) -> label scheme; ConfigError where there is no table

_STRUCTURE = re.compile(
    r"(vertebrae_[CTLS]\d+|(hip|femur)_(left|right)|rib_(left|right)_\d+|sacrum|tibia)\.nii(\.gz)?"
)
_PRODUCT = re.compile(
    r"(?P<study>clin|preclin)_(?P<modality>CT|MR|PT_[A-Z]+)_(?P<region>\w+?)_segmentation_.*", re.DOTALL
)
_WORDS = {"ct": "CT", "pt": "PET", "pet": "PET"}
_NO_SCAN = "neither CT_*.nii.gz, PT_*.nii.gz, a DICOM series nor a moosez-* folder: rename it or leave it out"


@dataclass(frozen=True)
class TotalSegmentatorMaps:
    """How maps of TotalSegmentator are read. version: of files with several labels; None where nobody says it.

    structures_of: (folder of one mask a structure, patient) -> label map by scheme; raises ImagingError.
    """

    version: str | None
    scheme_of: SchemeOf
    structures_of: Callable[[Path, str], Mapping[str, Path]]


def import_moose(
    folder: Path,
    *,
    scheme_of: SchemeOf,
    version: str | None = None,
    totalsegmentator: TotalSegmentatorMaps | None = None,
) -> Imported:
    """Every subject folder of `folder`, by name. version: MOOSE's, of the runs that do not say it themselves.

    totalsegmentator: None: its maps are left.
    A subject with two scans of one modality or two maps of one task keeps neither, and both are named in `left`.
    Where a DICOM series and a NIfTI are both there, the CT is the NIfTI (MOOSE's maps lie on it) and the PET is the
    series (it says its units, the NIfTI that MOOSE makes of it does not).
    Raises ImagingError where the folder is not there, holds no subject, or holds a label map of unknown version.
    """
    require_folder(folder)
    left = [LeftFile(path, "lies outside of the subject folders") for path in visible(folder) if path.is_file()]
    subjects = [_Subject(path, scheme_of, version, totalsegmentator) for path in visible(folder) if path.is_dir()]
    for subject in subjects:
        subject.look()
    for tool in ("moose", "totalsegmentator"):
        _refuse_unknown_versions(tool, [path for s in subjects for name, path in s.unversioned if name == tool])
    left += [lost for subject in subjects for lost in subject.left]
    left += [
        LeftFile(subject.folder, "a subject folder without one CT or one PET")
        for subject in subjects
        if not subject.scans
    ]
    patients = [subject.patient() for subject in subjects if subject.scans]
    if not patients:
        seen = ", ".join(path.name for path in visible(folder)[:5]) or "nothing"
        mend = "Each subject is a folder with CT_*.nii.gz, PT_*.nii.gz or DICOM series inside."
        raise ImagingError("", "no subject folder with a scan", file=str(folder), value=seen, mend=mend)
    return imported(patients, left)


def _refuse_unknown_versions(tool: str, paths: list[Path]) -> None:
    if not paths:
        return
    raise ImagingError(
        "",
        f"version of {tool} unknown",
        file=str(paths[0]),
        value=f"{len(paths)} that do not say it",
        mend=f"Say which version made them (--{tool}-version 1.2.3): label values moved between versions.",
    )


@dataclass
class _Subject:
    """Reads one subject folder. scans, maps: every candidate, by modality and by scheme."""

    folder: Path
    scheme_of: SchemeOf
    version: str | None
    totalsegmentator: TotalSegmentatorMaps | None
    scans: dict[str, Path] = field(default_factory=dict)
    maps: dict[str, Path] = field(default_factory=dict)
    left: list[LeftFile] = field(default_factory=list)
    unversioned: list[tuple[str, Path]] = field(default_factory=list)

    def patient(self) -> ImportedPatient:
        ct, pet = self.scans.get("CT"), self.scans.get("PET")
        return ImportedPatient(self.folder.name, ct, pet, dict(sorted(self.maps.items())))

    def look(self) -> None:
        files: dict[str, list[Path]] = defaultdict(list)
        series: dict[str, list[Path]] = defaultdict(list)
        maps: dict[str, list[Path]] = defaultdict(list)
        for entry in visible(self.folder):
            modality = _modality(entry)
            if entry.is_dir() and MOOSE_RUN.fullmatch(entry.name):
                self._run(entry, maps)
            elif self.totalsegmentator is not None and _is_totalsegmentator(entry):
                self._totalsegmentator(entry, self.totalsegmentator, maps)
            elif modality is None:
                self.left.append(LeftFile(entry, _why_not(entry)))
            else:
                (series if entry.is_dir() else files)[modality].append(entry)
        self._choose(files, series)
        self.maps = self._single(maps, "maps of one task; keep one run")

    def _choose(self, files: dict[str, list[Path]], series: dict[str, list[Path]]) -> None:
        if files["CT"]:
            self._leave(series.pop("CT", []), "its NIfTI is taken, on which MOOSE's maps lie")
        if series["PET"]:
            self._leave(files.pop("PET", []), "its DICOM series is taken, for a NIfTI does not say that it is SUV")
        both = {modality: [*files[modality], *series[modality]] for modality in ("CT", "PET")}
        self.scans = self._single(both, "scans of one modality; keep one, or make a folder of each session")

    def _single(self, candidates: dict[str, list[Path]], what: str) -> dict[str, Path]:
        """Those without a rival; rivals are left, all of them."""
        for key, paths in candidates.items():
            if len(paths) > 1:
                self._leave(paths, f"one of {len(paths)} {what} ({key})")
        return {key: paths[0] for key, paths in candidates.items() if len(paths) == 1}

    def _leave(self, paths: list[Path], reason: str) -> None:
        self.left += [LeftFile(path, reason) for path in paths]

    def _run(self, run: Path, maps: dict[str, list[Path]]) -> None:
        """The label maps of one MOOSE run."""
        products = [p for p in visible(run / "segmentations") if is_nifti(p)] if _has_products(run) else []
        if not products:
            self._leave([run], "a MOOSE run without a NIfTI file in its 'segmentations': it failed, or was cleared")
            return
        stated = _stated_version(run)
        for product in products:
            task = _task(run, product, alone=len(products) == 1)
            if task is None:
                self._leave([product], "its name does not say which MOOSE task made it")
            elif (version := stated or self.version) is None:
                self.unversioned.append(("moose", product))
            else:
                self._map(product, task, version, self.scheme_of, maps)

    def _map(self, path: Path, task: str, version: str, scheme_of: SchemeOf, maps: dict[str, list[Path]]) -> None:
        """One label map, under the scheme of its task and version."""
        try:
            maps[scheme_of(version, task)].append(path)
        except ConfigError as error:
            self._leave([path], str(error))

    def _totalsegmentator(self, entry: Path, how: TotalSegmentatorMaps, maps: dict[str, list[Path]]) -> None:
        if entry.is_dir():
            self._structures(entry, how, maps)
        elif how.version is None:
            self.unversioned.append(("totalsegmentator", entry))
        else:
            self._map(entry, "total", how.version, how.scheme_of, maps)

    def _structures(self, folder: Path, how: TotalSegmentatorMaps, maps: dict[str, list[Path]]) -> None:
        try:
            for scheme, path in how.structures_of(folder, self.folder.name).items():
                maps[scheme].append(path)
        except ImagingError as error:
            self._leave([folder], str(error))


def _is_totalsegmentator(entry: Path) -> bool:
    """A folder with one mask a structure, or a NIfTI file that names the tool."""
    if entry.is_dir():
        return any(_STRUCTURE.fullmatch(path.name) for path in visible(entry))
    return is_nifti(entry) and "totalseg" in entry.name.lower()


def _has_products(run: Path) -> bool:
    return (run / "segmentations").is_dir()


def _task(run: Path, product: Path, *, alone: bool) -> str | None:
    """The task from the file's name (3.x), or from the folder's where it holds one file (2.x)."""
    if match := _PRODUCT.fullmatch(product.name):
        return f"{match['study']}_{match['modality'].lower()}_{match['region']}"
    folder = MOOSE_RUN.fullmatch(run.name)
    return folder["task"] if folder is not None and alone else None


def _stated_version(run: Path) -> str | None:
    """What MOOSE_information.json says; None where there is none. Raises ImagingError where it says nothing."""
    path = run / "MOOSE_information.json"
    if not path.is_file():
        return None
    try:
        stated = read_json(path)["tool_version"]
    except (StorageError, KeyError, TypeError):
        stated = None
    if not isinstance(stated, str) or not re.match(r"[1-9]", stated):  # MOOSE writes 0.0.0 where it does not know
        mend = "Remove the file, and say which version made the run (--moose-version 3.0.3)."
        raise ImagingError(
            "", "MOOSE_information.json names no version", file=str(path), value=str(stated), mend=mend
        )
    return stated


def _modality(entry: Path) -> str | None:
    """What a file or a DICOM series is, by its name; None where the name says nothing, or both."""
    if not entry.is_dir():
        return scan_modality(entry.name)
    if not is_dicom_series(entry):
        return None
    said = {_WORDS[word] for word in re.split(r"[\W_]+", entry.name.lower()) if word in _WORDS}
    return said.pop() if len(said) == 1 else None


def _why_not(entry: Path) -> str:
    if entry.is_dir() and is_dicom_series(entry):
        return "a DICOM series whose folder name says neither CT nor PT, or both: rename it (CT_..., PT_...)"
    return _NO_SCAN
