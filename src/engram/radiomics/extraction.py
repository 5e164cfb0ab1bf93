"""One run of MIRP on the regions of one patient."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from threading import Event
from typing import Any

from engram.config_models import Modality
from engram.config_radiomics import Radiomics
from engram.errors import ImagingError
from engram.radiomics.staging import Staged
from engram.radiomics.tool import Mirp, mirp_settings
from engram.segmenters.running import run_logged

_SCRIPT = Path(__file__).with_name("mirp_script.py")

Features = dict[str, float | None]


@dataclass(frozen=True)
class Region:
    """A region of interest on a scan."""

    roi: str
    modality: Modality

    def __str__(self) -> str:
        return f"{self.modality}, {self.roi}"


@dataclass(frozen=True)
class Run:
    """How MIRP is run. seconds: longest time of a patient. stop: set to end it early."""

    mirp: Mirp
    settings: Radiomics
    seconds: float
    stop: Event


@dataclass(frozen=True)
class Extracted:
    """features: by region; None is a number that is not defined there. failed: why the others have none."""

    features: dict[Region, Features]
    failed: dict[Region, str]


def extract(staged: Mapping[Region, Staged], folder: Path, log: Path, run: Run, *, patient_id: str) -> Extracted:
    """Run MIRP once on all regions of a patient, in `folder`, an empty one or that of the staged files.

    Raises ImagingError where the run itself fails, takes too long, or writes something else than features.
    """
    names = {str(number): region for number, region in enumerate(staged)}
    items = [
        {
            "name": name,
            "image": str(staged[region].image),
            "mask": str(staged[region].mask),
            "settings": mirp_settings(run.settings, region.modality),
            "spatial": False,
        }
        for name, region in names.items()
    ]
    script, request, target = folder / "run.py", folder / "request.json", folder / "features.json"
    shutil.copyfile(_SCRIPT, script)  # beside nothing of ours that it could import in place of its own
    request.write_text(json.dumps(items))
    command = [str(run.mirp.python), "-I", str(script), str(request), str(target)]
    run_logged(
        command, log, folder, seconds=run.seconds, stop=run.stop, patient_id=patient_id, what="radiomics tool"
    )
    return _read(target, names, log, patient_id)


def _read(target: Path, names: Mapping[str, Region], log: Path, patient_id: str) -> Extracted:
    try:
        content = json.loads(target.read_text())
        features = {names[k]: _numbers(v["features"]) for k, v in content.items() if "features" in v}
        failed = {names[k]: str(v["error"]) for k, v in content.items() if "features" not in v}
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _strange(log, patient_id, f"{type(error).__name__}: {error}") from error
    lost = [str(region) for region in names.values() if region not in features and region not in failed]
    if lost:
        raise _strange(log, patient_id, f"nothing of {'; '.join(lost)}")
    return Extracted(features, failed)


def _numbers(found: dict[str, Any]) -> Features:
    if not found or not all(value is None or isfinite(value) for value in found.values()):
        raise ValueError("no features, or one that is not finite")
    return {str(name): None if value is None else float(value) for name, value in found.items()}


def _strange(log: Path, patient_id: str, value: str) -> ImagingError:
    mend = "Look into the log, and check the version of the tool: docs/radiomics.md names those that were tried."
    return ImagingError(patient_id, "radiomics tool wrote no features", file=str(log), value=value, mend=mend)
