"""Where a segmenter is on this machine, and which version it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from engram.errors import ConfigError
from engram.segmenters.moose import Moose
from engram.segmenters.segmenter import Segmenter
from engram.segmenters.totalsegmentator import TotalSegmentator

SEGMENTERS: dict[str, Segmenter] = {tool.name: tool for tool in (TotalSegmentator(), Moose())}

_ASK = "import sys, importlib.metadata as m; sys.stdout.write(m.version(sys.argv[1]))"
_SECONDS = 60


def segmenter(name: str) -> Segmenter:
    """The adapter of a tool. Raises ConfigError where there is none."""
    if name not in SEGMENTERS:
        raise ConfigError(f"--tool {name!r}: unknown; use one of {', '.join(SEGMENTERS)}.")
    return SEGMENTERS[name]


def variable(tool: Segmenter) -> str:
    """The environment variable that may hold the path of its command."""
    return f"ENGRAM_{tool.name.upper()}"


def find_executable(tool: Segmenter, command: str | None) -> Path:
    """The command: as said, else of the environment variable, else on the PATH.

    Raises ConfigError where what was said is not an executable file, or nothing was found.
    """
    said = {"--command": command, variable(tool): os.environ.get(variable(tool))}
    for source, value in said.items():
        if value:
            found = shutil.which(value)
            if found is None:
                raise ConfigError(f"{source}: {value} is not a command that can be run. Give its full path.")
            return Path(found).absolute()
    found = shutil.which(tool.executable)
    if found is None:
        raise ConfigError(
            f"{tool.executable} is not on the PATH. Install it in an environment of its own "
            f"(python -m venv ENV; ENV/bin/pip install {tool.package}) and say "
            f"--command ENV/bin/{tool.executable}, or set {variable(tool)}."
        )
    return Path(found).absolute()


def installed_version(tool: Segmenter, executable: Path) -> str:
    """The version in the metadata of the environment that the command belongs to.

    Neither tool's command tells it in all versions, and importing them takes a minute.
    Raises ConfigError where no Python of that environment can say, as for a wrapper of a container.
    """
    for python in _pythons(executable):
        try:
            done = subprocess.run(
                [python, "-c", _ASK, tool.package], capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    raise ConfigError(
        f"{executable}: the version of {tool.package} cannot be told, and label values depend on it. "
        "Say it: --tool-version 1.2.3."
    )


def _pythons(executable: Path) -> list[str]:
    """Interpreters that the command may belong to: of its first line, and beside it."""
    first = b""
    try:
        with executable.open("rb") as stream:
            first = stream.readline(4096)
    except OSError:
        return []
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    of_line = [words[0]] if words and "python" in Path(words[0]).name else []
    beside = [str(path) for path in (executable.parent / "python", executable.parent / "python3") if path.exists()]
    return [*of_line, *beside]
