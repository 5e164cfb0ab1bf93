"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def _all_cores() -> int:
    return os.cpu_count() or 1


Study = Annotated[Path, typer.Argument(help="The study file (YAML).", metavar="STUDY.yaml")]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        "-w",
        min=1,
        default_factory=_all_cores,
        show_default="all cores",
        help="Worker processes; the tables do not depend on it.",
    ),
]
