"""How well PET lies on CT in real scans, and whether a PET that is moved is found to be.

    python benchmarks/registration.py ../shared/data/sts

For each patient folder with CT.nii.gz and PET.nii.gz: what `engram check` measures of the pair; then the PET is
moved by 12 mm to both sides of each axis, measured again, and the best shift compared with that of before and the
move. Prints two tables: the pairs as they are, and the errors of the moves.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engram.imaging.align import pet_on_ct_grid
from engram.imaging.alignment import Alignment, alignment
from engram.imaging.registration import Shift, registration_quality
from engram.imaging.volume import Volume, read_volume

MOVE_MM = 12.0
NEAR_MM = 3.0


@dataclass(frozen=True)
class Moved:
    """Errors in mm of one patient's six moves: along the axis of the move, and of the whole vector."""

    own: list[float]
    whole: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folders = sorted(path.parent for path in parser.parse_args().folder.glob("*/PET.nii.gz"))
    print(
        "| patient | activity change | body Dice | information | best | best shift left, posterior, superior, mm |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    moves = {}
    for folder in folders:
        ct, pet = (read_volume(folder / f"{what}.nii.gz", patient_id="", what=what) for what in ("CT", "PET"))
        found = alignment(pet, ct, pet_on_ct_grid(pet, ct, patient_id=""))
        print(line(folder.name, found), flush=True)
        moves[folder.name] = moved(pet, ct, sought(pet, ct))
    summary(moves)


def line(name: str, found: Alignment) -> str:
    shift, dice, change = found.registration.shift, found.registration.body_dice, found.activity.change
    if shift is None or dice is None or change is None:
        return f"| {name} | {'; '.join(found.registration.notes)} |"
    x, y, z = shift.best_mm
    where = f"{x:.1f}, {y:.1f}, {z:.1f} ({shift.distance_mm:.1f})"
    return f"| {name} | {change:.2%} | {dice:.3f} | {shift.here:.3f} | {shift.best:.3f} | {where} |"


def sought(pet: Volume, ct: Volume) -> Shift:
    found = registration_quality(pet, ct).shift
    if found is None:
        raise SystemExit(f"{pet.source}: no shift was found")
    return found


def moved(pet: Volume, ct: Volume, before: Shift) -> Moved:
    """Move the PET and find it again."""
    errors = Moved([], [])
    for move in np.vstack([MOVE_MM * np.eye(3), -MOVE_MM * np.eye(3)]):
        x, y, z = np.add(pet.grid.origin_mm, move)
        after = sought(Volume(pet.voxels, replace(pet.grid, origin_mm=(float(x), float(y), float(z)))), ct)
        error = np.subtract(after.best_mm, before.best_mm) + move
        errors.own.append(float(np.abs(error[np.flatnonzero(move)[0]])))
        errors.whole.append(float(np.linalg.norm(error)))
    return errors


def summary(moves: dict[str, Moved]) -> None:
    print(f"\n| patient | worst error along the move of {MOVE_MM:g} mm, mm | worst error of the whole vector, mm |")
    print("| --- | --- | --- |")
    for name, found in moves.items():
        print(f"| {name} | {max(found.own):.1f} | {max(found.whole):.1f} |")
    for what in ("own", "whole"):
        errors = np.concatenate([getattr(found, what) for found in moves.values()])
        near = int((errors <= NEAR_MM).sum())
        print(f"{what}: {near} of {errors.size} within {NEAR_MM:g} mm, median {np.median(errors):.1f} mm")


if __name__ == "__main__":
    main()
