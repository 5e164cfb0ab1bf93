"""`engram radiomics`: IBSI features of every region by MIRP, where the user has it."""

from __future__ import annotations

from typing import Annotated

import typer

from engram.command_options import Study
from engram.config import load_config
from engram.terminal import Terminal, out


def radiomics(
    study: Study,
    command: Annotated[str | None, typer.Option(help="The Python of an environment that has MIRP.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Patients at once.")] = 1,
    time_limit: Annotated[float, typer.Option(min=0.01, help="Longest time of one patient, in minutes.")] = 60.0,
) -> None:
    """IBSI features of each region in PET and CT, by MIRP, which runs in an environment of its own."""
    from engram.pipeline.radiomics import RadiomicsOptions
    from engram.pipeline.radiomics import radiomics as make_radiomics

    made = make_radiomics(load_config(study), RadiomicsOptions(command, workers, time_limit), Terminal())
    counts = f"{len(made.made)} patients new, {len(made.kept)} kept, {len(made.failed)} problems"
    for line in (counts, f"Features: {made.table}"):
        out.print(line, markup=False, soft_wrap=True)
    if made.failed:
        raise typer.Exit(1)
