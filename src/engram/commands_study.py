"""`engram study`: the paper's grid from one command."""

from __future__ import annotations

from typing import Annotated

import typer

from engram.command_options import Study, Workers
from engram.config import load_config
from engram.terminal import Terminal, out


def study(
    study: Study,
    workers: Workers,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """Every row of the paper's tables, tuned: check, embed, evaluate, report. Killed, it goes on where it was."""
    from engram.pipeline.study import plan
    from engram.pipeline.study import study as run_study

    config = load_config(study)
    if dry_run:
        for line in plan(config):
            out.print(line, markup=False, soft_wrap=True)
        return
    page = run_study(config, workers=workers, console=Terminal())
    out.print(f"Report: {page}", markup=False, soft_wrap=True)
