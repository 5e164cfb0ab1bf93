"""The label map of one patient: made, checked against its CT and its label table, kept with what made it."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO, Any
from urllib.parse import quote

from engram.errors import ImagingError, StorageError
from engram.files import atomic_write, file_digest, read_json, scratch_folder, write_json
from engram.imaging.volume import Grid, read_oriented
from engram.roi.labels import LabelScheme
from engram.roi.masks import read_label_map
from engram.segmenters.preflight import Ready
from engram.segmenters.running import run_logged
from engram.segmenters.segmenter import Request, Segmenter

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Place:
    """Where the map of one patient lies, what made it, the log of the run, and (without suffix) a refused map."""

    labels: Path
    sidecar: Path
    log: Path
    refused: Path


def place_of(folder: Path, patient_id: str, scheme: LabelScheme) -> Place:
    """Names in `folder`: patient and scheme, with what a file name cannot hold written as %XX.

    Raises ImagingError where the id makes too long a name.
    """
    stem = label_name(patient_id, scheme.name)
    return Place(
        folder / f"{stem}.nii.gz",
        folder / f"{stem}.json",
        folder / "logs" / f"{stem}.log",
        folder / "refused" / stem,
    )


def label_name(patient_id: str, scheme: str) -> str:
    """Name of a label map without its suffix. Raises ImagingError where the id makes too long a name."""
    stem = f"{quote(patient_id, safe='').replace('.', '%2E')}.{scheme.replace('/', '.')}"
    if len(stem) > _LONGEST_NAME:
        mend = "Give the patient a shorter id."
        raise ImagingError(
            patient_id, "patient id too long for a file name", value=f"{len(stem)} letters", mend=mend
        )
    return stem


@dataclass(frozen=True)
class Maker:
    """A segmenter that is ready, and what is asked of it."""

    tool: Segmenter
    ready: Ready
    request: Request
    seconds: float
    stop: Event

    def about(self, ct_digest: str) -> dict[str, Any]:
        """What decides a map; another value, and it is made again."""
        return {
            "tool": self.tool.name,
            "version": self.ready.version,
            "task": self.request.task,
            "fast": self.request.fast,
            "scheme": self.ready.scheme.name,
            "ct_sha256": ct_digest,
        }


def is_done(place: Place, about: dict[str, Any]) -> bool:
    """Whether the map is there, whole, and made by the same tool from the same CT."""
    if not (place.labels.is_file() and place.sidecar.is_file()):
        return False
    try:
        kept = read_json(place.sidecar)
        return bool(
            all(kept.get(key) == value for key, value in about.items())
            and kept.get("labels_sha256") == file_digest(place.labels)
        )
    except (StorageError, AttributeError):
        return False  # damaged: it is made again


def make_labels(ct: Path, patient_id: str, folder: Path, maker: Maker) -> bool:
    """The label map of one CT, in `folder`; False where it was there already.

    Raises ImagingError where the CT cannot be read, the tool fails, takes too long, writes no map or several, or
    one that is empty, on another grid than the CT's or with labels that its table does not know; StorageError where
    the map cannot be kept.
    """
    place, about = place_of(folder, patient_id, maker.ready.scheme), maker.about(_digest(ct, patient_id))
    if is_done(place, about):
        return False
    grid = read_oriented(ct, patient_id=patient_id, what="CT").grid  # refused here, not after an hour of work
    with scratch_folder(folder / ".runs") as scratch:
        command = _staged(maker, ct, scratch, patient_id)
        run_logged(command, place.log, scratch, seconds=maker.seconds, stop=maker.stop, patient_id=patient_id)
        product = _single(maker.tool.products(scratch), place.log, patient_id)
        try:
            _check(product, grid, maker.ready.scheme, patient_id)
        except ImagingError as error:
            raise _refused(error, product, place) from error
        place.sidecar.unlink(missing_ok=True)  # a map without its sidecar is never taken for finished
        atomic_write(place.labels, lambda stream: _compressed(product, stream))
        shown = [part.replace(str(scratch), "SCRATCH") for part in command]
    write_json(place.sidecar, {**about, "command": shown, "labels_sha256": file_digest(place.labels)})
    return True


def _digest(ct: Path, patient_id: str) -> str:
    try:
        return file_digest(ct)
    except StorageError as error:
        mend = "Check that you may read it."
        raise ImagingError(patient_id, "CT unreadable", file=str(ct), value=str(error), mend=mend) from error


def _staged(maker: Maker, ct: Path, scratch: Path, patient_id: str) -> list[str]:
    try:
        return maker.tool.command(maker.ready.executable, ct, scratch, maker.request)
    except (OSError, RuntimeError) as error:
        mend = "Check the file, and that the disk of 'output' has space."
        raise ImagingError(
            patient_id, "CT cannot be copied for the segmenter", file=str(ct), value=str(error), mend=mend
        ) from error


def _single(products: list[Path], log: Path, patient_id: str) -> Path:
    if len(products) == 1:
        return products[0]
    raise ImagingError(
        patient_id,
        "segmenter wrote no label map" if not products else "segmenter wrote several label maps",
        file=str(log),
        value=", ".join(path.name for path in products) or "exit status 0",
        mend="Look into the log: where the tool is right, its version writes names that Engram does not know.",
    )


def _refused(error: ImagingError, product: Path, place: Place) -> ImagingError:
    """The same error about a file that can be looked at: the scratch folder of the run goes away."""
    kept = place.refused.with_name(f"{place.refused.name}{'.nii.gz' if product.name.endswith('.gz') else '.nii'}")
    try:
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(product, kept)
    except OSError:
        kept = place.log  # the disk is full, most likely: the refusal is worth more than its file
    return ImagingError(error.patient_id, error.reason, mend=error.mend, file=str(kept), value=error.value)


def _check(product: Path, grid: Grid, scheme: LabelScheme, patient_id: str) -> None:
    """On the CT's grid, with values of the table, and not empty."""
    bones = read_label_map(product, grid=grid, patient_id=patient_id, scheme=scheme.name)
    if not bones.codes.any():
        mend = "Look at the CT: is it of the body, in HU, the right way up?"
        raise ImagingError(patient_id, "segmenter found no bone", value="0 voxels", mend=mend)


def _compressed(product: Path, stream: IO[bytes]) -> None:
    with product.open("rb") as source:
        if product.name.endswith(".gz"):
            shutil.copyfileobj(source, stream)
            return
        with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed:  # no time in it: same map, same bytes
            shutil.copyfileobj(source, packed)
