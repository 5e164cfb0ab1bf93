"""The main job: every stage in turn, each resuming from what is on disk."""

from __future__ import annotations

from pathlib import Path

from engram.config import StudyConfig
from engram.pipeline.check import check
from engram.pipeline.console import Console
from engram.pipeline.embed import embed
from engram.pipeline.evaluate import evaluate
from engram.pipeline.report import report
from engram.report.prose import lines


def run(config: StudyConfig, *, workers: int, console: Console) -> Path:
    """From the manifest to the report; returns the path of the page."""
    checked = check(config, workers=workers, console=console)
    if config.images is not None:
        embed(config, checked, workers=workers, console=console)
    results = evaluate(config, workers=workers, console=console)
    for line in lines(results):
        console.say(line)
    return report(config)
