"""Commands that behave as TotalSegmentator and MOOSE do, as far as their options, files and exit status go."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from engram.imaging.volume import Grid
from engram.imaging.write import write_nifti

_COMMON = """#!{python}
import argparse, os, pathlib, subprocess, sys, time
import numpy as np, SimpleITK as sitk

def made(ct):
    mode = os.environ.get("FAKE_MODE", "")
    with open(os.environ["FAKE_CALLS"], "a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\\n")
    image = sitk.ReadImage(str(ct))
    broken = os.environ.get("FAKE_BROKEN")
    if mode == "fail" or (broken and sitk.GetArrayFromImage(image).max() == float(broken)):
        print("Resampling..."), print("\\x1b[31mRuntimeError: CUDA out of memory\\x1b[0m")
        sys.exit(3)
    if mode == "sleep":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        pathlib.Path(os.environ["FAKE_CALLS"] + ".pid").write_text(str(child.pid))
        time.sleep(60)
    if mode == "silent":
        sys.exit(0)
    array = np.zeros(sitk.GetArrayFromImage(image).shape, np.uint8)
    if mode != "empty":
        array[2:6, 4:8, 4:8] = {{"strange": 201}}.get(mode, 28)
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(image)
    if mode == "wrong_grid":
        labels.SetOrigin([value + 40 for value in image.GetOrigin()])
    return labels

"""

_TOTALSEGMENTATOR = """
parser = argparse.ArgumentParser()
parser.add_argument("-i", dest="input", type=lambda p: pathlib.Path(p).absolute(), required=True)
parser.add_argument("-o", dest="output", type=lambda p: pathlib.Path(p).absolute(), required=True)
parser.add_argument("-ml", "--ml", action="store_true")
parser.add_argument("-f", "--fast", action="store_true")
parser.add_argument("-ta", "--task", choices=["total", "appendicular_bones"], default="total")
parser.add_argument("-d", "--device", default="gpu")
args = parser.parse_args()
assert args.ml and args.output.parent.is_dir()
sitk.WriteImage(made(args.input), str(args.output))
"""

_MOOSE = """
parser = argparse.ArgumentParser()
parser.add_argument("-d", "--main_directory", required=True)
parser.add_argument("-m", "--model_names", nargs="+", choices=["clin_ct_vertebrae", "clin_ct_ribs"])
args = parser.parse_args()
for subject in pathlib.Path(args.main_directory).iterdir():
    (ct,) = [path for path in subject.iterdir() if path.name.startswith("CT_")]
    run = subject / "moosez-2025-01-31-12-00-00"
    (run / "segmentations").mkdir(parents=True), (run / "stats").mkdir()
    labels = made(ct)
    for model in args.model_names + (["clin_ct_ribs"] if os.environ.get("FAKE_MODE") == "two" else []):
        name = "clin_CT_" + model.removeprefix("clin_ct_") + "_segmentation_" + ct.name.split(".")[0] + ".nii.gz"
        sitk.WriteImage(labels, str(run / "segmentations" / name))
    (run / "segmentations" / "clin_CT_vertebrae_organ_indices.json").write_text("{}")
"""

GRID = Grid((8, 16, 16), (3.0, 2.0, 2.0), (10.0, -20.0, 30.0))


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The arguments of every call of a fake, in their order."""
    log = tmp_path / "calls.txt"
    monkeypatch.setenv("FAKE_CALLS", str(log))
    return lambda: log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Callable[[], list[str]]
) -> Callable[[str, str], Path]:
    """Put a tool of some version on the PATH and into the metadata of its interpreter; its path."""

    def _install(executable: str, version: str) -> Path:
        body = _TOTALSEGMENTATOR if executable == "TotalSegmentator" else _MOOSE
        path = tmp_path / "bin" / executable
        path.parent.mkdir(exist_ok=True)
        path.write_text(_COMMON.format(python=sys.executable) + body)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        info = tmp_path / "site" / f"{executable}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {executable}\nVersion: {version}\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
        return path

    for name in ("ENGRAM_TOTALSEGMENTATOR", "ENGRAM_MOOSE", "FAKE_MODE", "FAKE_BROKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOTALSEG_HOME_DIR", str(tmp_path / "home"))
    return _install


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., Path]:
    """A small CT; its highest value tells the fakes who it is."""

    def _scan(name: str, highest: int = 1000) -> Path:
        voxels = np.full(GRID.shape, -1000, np.int16)
        voxels[2:6, 4:12, 4:12] = 60
        voxels[3, 5, 5] = highest
        return write_nifti(voxels, GRID, tmp_path / "scans" / name)

    return _scan


@pytest.fixture
def study(tmp_path: Path, scan: Callable[..., Path]) -> Path:
    """Three patients with a CT, whose maps are not there yet."""
    for index, name in enumerate(("a", "b", "c")):
        scan(f"{name}.nii.gz", 1000 + index)
    rows = ["patient_id,t,e,age,ct", "P/1,1,1,60,scans/a.nii.gz", "", "P2,2,0,NA,scans/b.nii.gz"]
    (tmp_path / "cohort.csv").write_text("\n".join([*rows, '"P 3",3,1,70,scans/c.nii.gz']) + "\n")
    content = {
        "name": "s", "manifest": "cohort.csv", "output": "results", "rois": {"bones": {"region": "skeleton"}},
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "images": {"ct": "ct", "pet": None, "labels": {"totalsegmentator-2/total": "bones"}},
    }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    return path
