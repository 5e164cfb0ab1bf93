"""What is saved of the reach of read-outs: reach.json, which the report prints (documented in docs/results.md)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from engram.errors import StorageError
from engram.evaluation.record import Record
from engram.files import write_text

REACH_VERSION = 1


class ReachCurve(Record):
    """How much one read-out of one scan changes when one slice alone is occluded; the lists have one item a slice.

    patient: number in the study's order, from 1. places: percent of the way from the first slice read (the most
    superior) to the last. stands_for: how many of the slices read are nearest to it, itself among them; their sum
    is `slices_read`. parts: the anatomical part that most of the region on the slice belongs to; empty without
    label maps. changes: Euclidean norm of the difference over that of the read-out itself; 0 is none.
    """

    patient: int
    modality: str
    roi: str
    readout: str
    prompting: str  # of the protocol that the read-out was read by
    slices_read: int
    places: list[float]
    stands_for: list[int]
    parts: list[str] = Field(default_factory=list)
    changes: list[float]


class PartReach(Record):
    """The changes of the slices of one anatomical part: mean over the slices of a patient, then over patients."""

    part: str
    patients: int
    mean: float
    quartiles: list[float]  # lower quartile, median, upper quartile over patients


class CohortReach(Record):
    """One read-out over all patients. mean, lower, upper: over patients, at each of `places` (mean and quartiles).

    known: share of the slices read whose occlusion changes the read-out by more than the threshold; a slice that
    was not occluded counts as the nearest that was. known_from, known_to: percent of the slices at which the first
    of them begins and the last ends, medians over the patients who have any. most: the smallest share of slices
    that makes up nine tenths of all change. Shares are quartiles over patients.
    """

    modality: str
    roi: str
    readout: str
    prompting: str
    patients: int
    slices_read: float  # mean over patients
    places: list[float]
    mean: list[float]
    lower: list[float]
    upper: list[float]
    parts: list[PartReach]
    known: list[float]
    known_from: float | None
    known_to: float | None
    most: list[float]


class Reach(Record):
    """All of a study. stride: of the slices read, at least every so many-th was occluded; threshold: the relative
    change above which a slice counts as known. study, manifest, weights: digests of what it was made from."""

    reach_version: int = REACH_VERSION
    study: str
    manifest: str
    weights: str
    untrained: bool
    stride: int
    threshold: float
    curves: list[ReachCurve]
    cohort: list[CohortReach]


def save_reach(reach: Reach, path: Path) -> Path:
    """Write `reach.json` atomically."""
    return write_text(path, reach.model_dump_json(indent=2) + "\n")


def load_reach(path: Path) -> Reach:
    """Read `reach.json`; raises StorageError where it is missing, damaged or of another version."""
    try:
        found = Reach.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise StorageError(f"{path}: the reach was not measured yet. Run 'engram explain' first.") from error
    except (OSError, ValidationError) as error:
        raise StorageError(f"{path}: not readable as a reach. Run 'engram explain' again.") from error
    if found.reach_version != REACH_VERSION:
        raise StorageError(f"{path}: of another version of Engram. Run 'engram explain' again.")
    return found
