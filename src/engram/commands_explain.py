"""`engram explain`: what the risks of one row rest on."""

from __future__ import annotations

from typing import Annotated

import typer

from engram.command_options import Study, Workers
from engram.config import load_config
from engram.terminal import Terminal, out


def explain(
    study: Study,
    workers: Workers,
    patient: Annotated[
        list[str] | None, typer.Option("--patient", help="Whom to explain, by id; repeatable.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody who is held out by a fold.")] = False,
) -> None:
    """Occlusion maps, reach, covariates: what the risk of a patient rests on. Killed, it goes on where it was."""
    from engram.pipeline.explain import Asked
    from engram.pipeline.explain import explain as run_explain
    from engram.pipeline.report import report

    config = load_config(study)
    found = run_explain(config, Asked(tuple(patient or ()), everybody), workers=workers, console=Terminal())
    out.print(f"Explained: {found}", markup=False, soft_wrap=True)
    out.print(f"Report: {report(config)}", markup=False, soft_wrap=True)
