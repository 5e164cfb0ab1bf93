"""Does a long scan fit? Peak memory and time of one whole-body study, stage by stage, as a worker does it.

    python benchmarks/streaming.py [--slices 1000] [--side 512] [--tiny-slices 20] [--threads 1] [--folder FOLDER]

One patient made here from a seed: CT (int16, --side x --side x --slices), PET (float32, 200 x 200 x 400) and a
label map, a body of 500 x 500 x 1000 mm, as compressed NIfTI, and as DICOM files of one image each. Each stage
runs in a process of its own, with the allocator's settings of Engram's workers, and does all that comes before it
anew: what `init` makes of the DICOM files; what `check` does for a patient; images and both regions; frames;
embeddings with the mini model; the same with a SAM 2.1 tiny (seeded random weights, 512 pixels) for some
--tiny-slices slices of each scan and region. Peak memory is the process's own (getrusage), PyTorch included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import dicom_series
from machine import ALLOCATOR, describe, official_state, seconds

WIDTH_MM, HEIGHT_MM = 500.0, 1000.0
PET_SHAPE = (400, 200, 200)
LIMIT_GIB = 4.0
PATIENT = "P1"
# TotalSegmentator 2 (`total`): label, and where along the body it lies, feet 0 to head 1.
SACRUM, LOWEST_VERTEBRA, FEMURS, HIPS, SKULL, RIBS = 25, 27, (75, 76), (77, 78), 91, (92, 104)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--tiny-slices", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.folder = options.folder or Path(scratch)
        _write_study(options)
        print(f"{describe()}; {options.threads} thread(s) a stage")
        print(
            f"CT {options.side} x {options.side} x {options.slices}, PET {' x '.join(map(str, PET_SHAPE[::-1]))}\n"
        )
        print("| stage | seconds | peak memory, GiB | read |\n| --- | --- | --- | --- |")
        found = {stage: _in_own_process(stage, options) for stage in options.only}
    if {"frames", "mini", "tiny"} <= found.keys():
        _print_extrapolation(found)
    if (most := max(one["gib"] for one in found.values())) > LIMIT_GIB:
        sys.exit(f"a stage needs {most:.2f} GiB; the limit is {LIMIT_GIB:g}")


def _print_extrapolation(found: dict[str, dict[str, Any]]) -> None:
    frames, tiny, read = found["frames"]["seconds"], found["tiny"], int(found["mini"]["read"].split()[0])
    a_slice = (tiny["seconds"] - frames) / int(tiny["read"].split()[0])
    print(
        f"\nExtrapolated, not measured: SAM 2.1 tiny on the {read} slices that the mini model read would take "
        f"{frames + read * a_slice:.0f} s ({a_slice:.2f} s a slice and region, loading the model included)."
    )


def _in_own_process(stage: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--stage", stage, "--folder", str(options.folder)]
    for name in ("slices", "tiny_slices", "threads"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **ALLOCATOR, **threads}
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"| {STAGES[stage].words} | {found['seconds']:.1f} | {found['gib']:.2f} | {found['read']} |", flush=True)
    return dict(found)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from engram.cohort.manifest import read_manifest
    from engram.config import load_config

    config = load_config(options.folder / STAGES[options.stage].study)
    (record,) = read_manifest(config).records
    told: list[str] = []
    took = seconds(lambda: told.append(STAGES[options.stage].run(config, record)))
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": took, "gib": gib, "read": told[0]}


def _init(config: Any, record: Any) -> str:
    del record
    from engram.pipeline.console import Silent
    from engram.pipeline.init import InitOptions, init

    with tempfile.TemporaryDirectory() as scratch:
        dump, study = config.folder / "dicom", Path(scratch) / "study"
        init(InitOptions(dump, study), workers=0, console=Silent())
        made = sum(1 for _ in study.rglob("*.nii.gz"))
        if made != 2:
            raise SystemExit((study / "problems.csv").read_text())
        return f"{sum(1 for _ in dump.rglob('*.dcm'))} files"


def _check(config: Any, record: Any) -> str:
    from engram.pipeline.inspection import inspect

    with tempfile.TemporaryDirectory() as cache:
        found = inspect(record, config, Path(cache))
    if found.problems:
        raise SystemExit(f"the study of the benchmark is refused: {found.problems[0]}")
    return f"{len(found.digests)} files"


def _regions(config: Any, record: Any) -> str:
    from engram.pipeline.patients import open_patient

    patient = open_patient(record, config)
    return ", ".join(f"{name} {mask.any(axis=(1, 2)).sum()} slices" for name, mask in patient.masks.items())


def _frames(config: Any, record: Any) -> str:
    from engram.imaging.frames import to_frames
    from engram.pipeline.patients import open_patient
    from engram.pipeline.requests import window_of

    patient = open_patient(record, config)
    made = [len(to_frames(patient.pair.volume(m), window_of(config, m))) for m in config.modalities]
    return f"{sum(made)} frames"


def _embed(config: Any, record: Any) -> str:
    from engram.cohort.manifest import read_manifest
    from engram.files import file_digest
    from engram.memory.quality import QUALITY
    from engram.memory.store import EmbeddingStore
    from engram.pipeline.check import CheckedCohort
    from engram.pipeline.console import Silent
    from engram.pipeline.embed import embed
    from engram.pipeline.inspection import image_files

    digests = {use: file_digest(path) for use, path in image_files(record).items()}
    checked = CheckedCohort(read_manifest(config), {record.patient_id: digests})
    made = embed(config, checked, workers=0, console=Silent()).keys[record.patient_id]
    store = EmbeddingStore(config.store_dir)
    read = sum(store.load(key).about["slices"] for name, key in made.items() if name.endswith(QUALITY))
    return f"{read} slices"


@dataclass(frozen=True)
class Stage:
    """One row of the table. study: its study file in the folder."""

    words: str
    study: str
    run: Callable[[Any, Any], str]


STAGES = {
    "init": Stage("DICOM to NIfTI", "mini.yaml", _init),
    "check": Stage("read and check", "mini.yaml", _check),
    "regions": Stage("images, regions", "mini.yaml", _regions),
    "frames": Stage("images, regions, frames", "mini.yaml", _frames),
    "mini": Stage("all, embeddings by the mini model", "mini.yaml", _embed),
    "tiny": Stage("all, embeddings by SAM 2.1 tiny", "tiny.yaml", _embed),
}


def _write_study(options: argparse.Namespace) -> None:
    """Scans, label map, manifest and study files, unless the folder has them already."""
    import torch
    import yaml

    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / "ct.nii.gz").exists():
        _write_scans(options.folder, options.slices, options.side)
    (options.folder / "manifest.csv").write_text(
        f"patient_id,t,e,ct,pet,labels\n{PATIENT},12,1,ct.nii.gz,pet.nii.gz,labels.nii.gz\n"
    )
    torch.save({"model": official_state()}, options.folder / "random_tiny.pt")
    stride = max(1, int(0.7 * options.slices) // options.tiny_slices)
    models = {
        "mini": {"weights": "untrained-mini"},
        "tiny": {"weights": "random_tiny.pt", "resolution": 512, "stride": stride},
    }
    for name, embedding in models.items():
        study = {
            "name": name, "manifest": "manifest.csv", "output": f"results_{name}",
            "outcome": {"time": "t", "unit": "months", "event": "e"},
            "images": {"labels": "labels", "label_scheme": "totalsegmentator-2/total"},
            "rois": {"spine": {"region": "spine_dilated"}, "skeleton": {"region": "skeleton"}},
            "embedding": {**embedding, "threads": options.threads},
        }  # fmt: skip
        (options.folder / f"{name}.yaml").write_text(yaml.safe_dump(study))


def _write_scans(folder: Path, slices: int, side: int) -> None:
    generator = np.random.default_rng(0)
    ct = np.empty((slices, side, side), dtype=np.int16)
    labels = np.empty(ct.shape, dtype=np.uint8)
    noise = generator.normal(0, 12, (side, side)).astype(np.int16)
    for z in range(slices):
        inside, labels[z] = _body(z / slices, side)
        plane = np.where(inside, 40, -1000) + np.where(labels[z] > 0, 350, 0)
        ct[z] = plane + np.roll(noise, 31 * z)
    pet = np.empty(PET_SHAPE, dtype=np.float32)
    for z, plane in enumerate(pet):
        inside, bones = _body(z / len(pet), PET_SHAPE[1])
        uptake = 0.02 + 1.2 * inside + 1.0 * (bones > 0) + 9.0 * (bones == SKULL)
        plane[:] = uptake * generator.uniform(0.8, 1.2, inside.shape)
    for name, array in (("ct", ct), ("labels", labels), ("pet", pet)):
        _write(folder / f"{name}.nii.gz", array)
    dicom_series.write_ct(folder / "dicom" / "ct", ct, _spacing_mm(ct))
    dicom_series.write_pet(folder / "dicom" / "pet", pet, _spacing_mm(pet))


def _spacing_mm(array: np.ndarray) -> tuple[float, float, float]:
    """(z, y, x)."""
    z, y, x = array.shape
    return HEIGHT_MM / z, WIDTH_MM / y, WIDTH_MM / x


def _write(path: Path, array: np.ndarray) -> None:
    import SimpleITK as sitk  # noqa: N813

    image = sitk.GetImageFromArray(array)
    spacing = _spacing_mm(array)[::-1]
    image.SetSpacing(spacing)
    image.SetOrigin([side / 2 for side in spacing])  # so that both fields of view begin at one corner
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)


def _body(height: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Body and bones of one axial slice; height: feet 0 to head 1; x towards left, y towards posterior."""
    y, x = (np.mgrid[:side, :side] / side - 0.5) * WIDTH_MM

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1

    is_head = height > 0.87
    inside = ellipse(0, 0, 75, 90) if is_head else ellipse(0, 0, 190, 120)
    labels = np.zeros((side, side), dtype=np.uint8)
    if height < 0.15:
        for label, cx in zip(FEMURS, (90, -90), strict=True):
            labels[ellipse(cx, 0, 15, 15)] = label
    if 0.12 < height < 0.3:
        for label, cx in zip(HIPS, (80, -80), strict=True):
            labels[ellipse(cx, 30, 35, 25) & ~ellipse(cx, 30, 25, 15)] = label
    if 0.45 < height < 0.72:
        shell = ellipse(0, 0, 165, 105) & ~ellipse(0, 0, 155, 95)
        rib = 11 - min(int((height - 0.45) / 0.27 * 12), 11)
        for first, half in zip(RIBS, (x > 0, x < 0), strict=True):
            labels[shell & half] = first + rib
    if 0.2 < height < 0.28:
        labels[ellipse(0, 70, 30, 18)] = SACRUM
    if 0.28 <= height < 0.87:
        vertebra = (height - 0.28) / 0.59 * 24
        if vertebra % 1 < 0.85:  # discs are no bone
            canal = ellipse(0, 72, 10, 9)
            labels[(ellipse(0, 50, 22, 18) | ellipse(0, 75, 18, 18)) & ~canal] = LOWEST_VERTEBRA + int(vertebra)
    if is_head and height < 0.99:
        labels[ellipse(0, 0, 70, 85) & ~ellipse(0, 0, 63, 78)] = SKULL
    return inside, labels


if __name__ == "__main__":
    main()
