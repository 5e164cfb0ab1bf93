"""Before hours of work: what is there, what is missing, and how to get it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from engram.errors import ConfigError
from engram.roi.labels import LabelScheme, label_scheme, scheme_of
from engram.segmenters.installed import find_executable, installed_version
from engram.segmenters.segmenter import Request, Segmenter

_GIB = 1 << 30
_SECONDS = 30
_LEAST_DISK_GIB = 10.0  # weights of all tasks, and copies of one study while it runs


@dataclass(frozen=True)
class Finding:
    """One line of the preflight. missing: the run cannot start; a warning may slow it down or end it."""

    what: str
    text: str
    missing: bool = False
    warning: bool = False

    def __str__(self) -> str:
        mark = "missing" if self.missing else "warning" if self.warning else "ok"
        return f"{mark:<8} {self.what}: {self.text}"


@dataclass(frozen=True)
class Said:
    """What the user says of the tool, where it cannot be found out.

    command: path of the executable. version: for a wrapper that has none. scheme: label scheme of a version whose
    numbers the user has compared with that table.
    """

    command: str | None = None
    version: str | None = None
    scheme: str | None = None


@dataclass(frozen=True)
class Ready:
    """All that a run needs to know."""

    executable: Path
    version: str
    scheme: LabelScheme


@dataclass(frozen=True)
class Preflight:
    """What was found. ready: None where something is missing."""

    findings: tuple[Finding, ...]
    ready: Ready | None


_NOTHING_SAID = Said()


def preflight(tool: Segmenter, request: Request, output: Path, said: Said = _NOTHING_SAID) -> Preflight:
    """Look for the command, its version, the table of its labels, licence, weights, memory, disk and GPU.

    output: folder where maps will go. Raises nothing, and starts no run.
    """
    findings, executable, told, scheme, wrong = [], None, None, None, None
    try:
        executable = find_executable(tool, said.command)
        findings.append(Finding("command", str(executable)))
        told = said.version or installed_version(tool, executable)
        findings.append(Finding("version", told))
        scheme = _scheme(tool, request, told, said.scheme)
        findings.append(Finding("label table", scheme.name))
    except ConfigError as error:
        what = "command" if executable is None else "version" if told is None else "label table"
        findings.append(Finding(what, str(error), missing=True))
    try:
        tool.check(request)
    except ConfigError as error:
        wrong = Finding("options", str(error), missing=True)
        findings.append(wrong)
    findings += [_licence(tool, request.task), _weights(tool, executable), _memory(tool), _disk(output), _gpu()]
    complete = executable is not None and told is not None and scheme is not None and wrong is None
    ready = Ready(executable, told, scheme) if complete and executable and told and scheme else None
    return Preflight(tuple(findings), ready)


def _scheme(tool: Segmenter, request: Request, version: str, named: str | None) -> LabelScheme:
    if named is None:
        return scheme_of(tool.name, request.task, version)
    scheme = label_scheme(named)
    if (scheme.tool, scheme.task) != (tool.name, request.task):
        raise ConfigError(f"--label-scheme {named} is not of task {request.task} of {tool.name}.")
    return scheme


def _licence(tool: Segmenter, task: str) -> Finding:
    lacking = tool.licence(task)
    return Finding("licence", lacking or f"{task} needs none, or has it", warning=lacking is not None)


def _weights(tool: Segmenter, executable: Path | None) -> Finding:
    if executable is None:
        return Finding("weights", "known once the command is found", warning=True)
    folder = tool.weights_folder(executable)
    if folder.is_dir() and any(folder.iterdir()):
        return Finding("weights", str(folder))
    return Finding(
        "weights", f"none in {folder} yet: {tool.executable} downloads them at its first run", warning=True
    )


def _memory(tool: Segmenter) -> Finding:
    free, wanted = _free_gib(), tool.memory_gib
    shown = "unknown" if free is None else f"{free:.0f} GiB free"
    asked = "its authors give no number" if wanted is None else f"its authors ask for {wanted:.0f} GiB"
    scarce = free is None or (wanted is not None and free < wanted)
    return Finding("memory", f"{shown}; {asked}", warning=scarce)


def _free_gib() -> float | None:
    """Memory that can be had without swapping; None where the system does not say (not Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kib = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kib[0] * 1024 / _GIB if kib else None


def _disk(output: Path) -> Finding:
    place = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free / _GIB
    scarce = free < _LEAST_DISK_GIB
    return Finding("disk", f"{free:.0f} GiB free in {place}; {_LEAST_DISK_GIB:.0f} are wise", warning=scarce)


def _gpu() -> Finding:
    """What nvidia-smi lists; without one, runs take hours instead of minutes."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.returncode != 0 or not done.stdout.strip():
        return Finding("GPU", "none seen (nvidia-smi): a study takes minutes to hours on a CPU", warning=True)
    return Finding("GPU", "; ".join(done.stdout.strip().splitlines()))
