"""`engram audit`: whether anything of a test patient reaches training, in this very study."""

from __future__ import annotations

from typing import Annotated

import typer

from engram.command_options import Study, Workers
from engram.config import load_config
from engram.terminal import Terminal, out


def audit(
    study: Study,
    workers: Workers,
    everything: Annotated[
        bool, typer.Option("--all", help="Every row on every fold, trained as in the study.")
    ] = False,
    permutations: Annotated[int, typer.Option(min=2, help="Of the outcomes, for rows that are cheap.")] = 20,
) -> None:
    """Alter test patients and show that no training changes; exit status 1 where a check fails."""
    from engram.pipeline.audit import audit_study

    found = audit_study(
        load_config(study), everything=everything, permutations=permutations, workers=workers, console=Terminal()
    )
    for line in found.lines:
        out.print(line, markup=False, soft_wrap=True)
    if found.audit.failed:
        raise typer.Exit(1)
