"""What Engram knows of a segmenter: one Protocol, one adapter a tool.

A segmenter is never imported: it brings its own PyTorch, so it lives in an environment of its own and is run as a
command, with a list of arguments and never through a shell.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import SimpleITK as sitk  # noqa: N813

from engram.imaging.orientation import read_lps

STAGED = "scan"  # the tool sees this name, never the patient's


@dataclass(frozen=True)
class Request:
    """What is asked of a segmenter. device: as the tool names it; None: its own default."""

    task: str
    fast: bool = False
    device: str | None = None


class Segmenter(Protocol):
    """One tool. All that is said here was read in its own sources."""

    @property
    def name(self) -> str:
        """As users and label schemes write it: "moose"."""

    @property
    def executable(self) -> str:
        """Its command on the PATH."""

    @property
    def package(self) -> str:
        """Its name for pip, and in the metadata that holds its version."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that Engram may ask for, the usual one first."""

    @property
    def memory_gib(self) -> float | None:
        """Memory that its authors ask for; None where they give no number."""

    def check(self, request: Request) -> None:
        """Raises ConfigError where the tool cannot do what is asked."""

    def command(self, executable: Path, ct: Path, folder: Path, request: Request) -> list[str]:
        """Stage the CT in `folder`, an empty one, and return the arguments of the run."""

    def products(self, folder: Path) -> list[Path]:
        """The label maps that a run left in `folder`; one is right."""

    def weights_folder(self, executable: Path) -> Path:
        """Where the tool keeps its weights, by its defaults and its environment variables."""

    def licence(self, task: str) -> str | None:
        """What is missing to use a task that needs a licence; None where nothing is."""


def stage_ct(ct: Path, folder: Path, stem: str) -> Path:
    """A copy of the CT as NIfTI under a name that says nothing of the patient; no tool sees the original.

    Raises ImagingError where a CT of another format cannot be read, OSError where it cannot be copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = ct.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        staged = folder / f"{stem}{'.nii.gz' if name.endswith('.gz') else '.nii'}"
        shutil.copyfile(ct, staged)
        return staged
    staged = folder / f"{stem}.nii.gz"
    sitk.WriteImage(read_lps(ct, patient_id="", what="CT"), str(staged))
    return staged


def nifti_files(folder: Path, pattern: str) -> list[Path]:
    """NIfTI files below a folder that match a glob pattern, by name."""
    return sorted(path for path in folder.glob(pattern) if path.name.endswith((".nii", ".nii.gz")))
