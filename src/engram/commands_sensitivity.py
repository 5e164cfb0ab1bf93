"""`engram sensitivity`: how much of the embedding is the prompt, the mask, or the registration."""

from __future__ import annotations

from typing import Annotated

import typer

from engram.command_options import Study, Workers
from engram.config import load_config
from engram.terminal import Terminal, out


def sensitivity(
    study: Study,
    workers: Workers,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be read, and about how long it takes.")
    ] = False,
) -> None:
    """Read every patient with disturbed prompts, masks and PET, and tell what changes. Killed, it goes on where it
    was."""
    config = load_config(study)
    if dry_run:
        from engram.pipeline.sensitivity_plan import plan

        for line in plan(config, workers=workers):
            out.print(line, markup=False, soft_wrap=True)
        return
    from engram.pipeline.folders import RunFolder
    from engram.pipeline.prompt_sensitivity import prompt_sensitivity
    from engram.report.prompt_sensitivity import lines

    for line in lines(prompt_sensitivity(config, workers=workers, console=Terminal())):
        out.print(line, markup=False, soft_wrap=True)
    where = RunFolder.of(config).sensitivity
    out.print(f"Sensitivity: {where}. Run 'engram report' to have it on the page.", markup=False, soft_wrap=True)
