"""`engram segment`: bone label maps by TotalSegmentator or MOOSE, where the user has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engram.config import load_config
from engram.terminal import Terminal, out

Study = Annotated[Path | None, typer.Argument(help="The study file (YAML).", metavar="STUDY.yaml")]
Tool = Annotated[str, typer.Option(help="totalsegmentator or moose.")]


def segment(
    study: Study = None,
    tool: Tool = "totalsegmentator",
    task: Annotated[str | None, typer.Option(help="The tool's task; its usual one by default.")] = None,
    command: Annotated[str | None, typer.Option(help="Path of the tool's command.")] = None,
    tool_version: Annotated[str | None, typer.Option(help="Of a wrapper that cannot tell it.")] = None,
    label_scheme: Annotated[
        str | None, typer.Option(help="Of a version whose numbers you have compared with that table.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="TotalSegmentator's 3 mm model.")] = False,
    device: Annotated[str | None, typer.Option(help="As TotalSegmentator names it: gpu, cpu, gpu:1.")] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Runs at once.")] = 1,
    time_limit: Annotated[float, typer.Option(min=0.01, help="Longest time of one patient, in minutes.")] = 240.0,
    check_only: Annotated[
        bool, typer.Option("--preflight", help="Only tell what is there, and what is missing.")
    ] = False,
) -> None:
    """Bone label maps of every patient with a CT and without a map; the tool runs in an environment of its own."""
    from engram.pipeline.segment import SegmentOptions, check_segmenter, labels_dir
    from engram.pipeline.segment import segment as segment_cohort
    from engram.segmenters.preflight import Said

    said = Said(command, tool_version, label_scheme)
    options = SegmentOptions(tool, task, said, fast, device, workers, time_limit)
    config = load_config(study) if study is not None else None
    if check_only:
        output = labels_dir(config) if config is not None else Path.cwd()
        if check_segmenter(options, output, Terminal()).ready is None:
            raise typer.Exit(1)
        return
    if config is None:
        raise typer.BadParameter("name a study file, or ask for --preflight.")
    found = segment_cohort(config, options, Terminal())
    _say(f"{len(found.made)} new label maps, {len(found.kept)} kept, {len(found.failed)} patients without one")
    if found.manifest is not None:
        _say(f"Manifest: {found.manifest}", "In the study file:", *(f"  {line}" for line in found.study_lines))
    if found.failed:
        raise typer.Exit(1)


def _say(*lines: str) -> None:
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
