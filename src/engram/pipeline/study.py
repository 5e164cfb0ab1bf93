"""`engram study`: the paper's grid of rows, tuned by every protocol, from the manifest to the report."""

from __future__ import annotations

from pathlib import Path

from engram.config import StudyConfig
from engram.config_grid import paper_grid
from engram.evaluation.rows import RowSpec, rows_of
from engram.evaluation.search_groups import groups_of, phases_of
from engram.pipeline.check import absent_rows
from engram.pipeline.console import Console
from engram.pipeline.encoder_weights import check_encoders
from engram.pipeline.estimate import Estimating
from engram.pipeline.run import run


def study(config: StudyConfig, *, workers: int, console: Console) -> Path:
    """Every row of the paper's tables that the data allow, as `run` does it; returns the path of the page.

    Resumes from what is on disk, down to each trial on each fold.
    """
    grid = paper_grid(config)
    console.say(headline(grid))
    return run(grid, workers=workers, console=Estimating(console))


def headline(config: StudyConfig) -> str:
    """How much work a study is, in a line."""
    specs, tuning = rows_of(config), config.tuning
    fits = sum(phase.most_fits for phase in phases_of(specs, config.evaluation.folds, tuning))
    many, trials = "", ""
    if tuning.protocols != ("fixed",):
        many, trials = "up to ", f", searches of {tuning.trials} trials beside the study file's own settings"
    main = f" ('{tuning.headline}' gives the results)" if len(tuning.protocols) > 1 else ""
    protocols = f"{_listed(tuning.protocols)}{main}"
    return f"{len(specs)} rows on {config.evaluation.folds} folds by {protocols}{trials}: {many}{fits} fits"


def plan(config: StudyConfig) -> list[str]:
    """What `study` would do, in lines: how much work, each part of it, and each search with its rows."""
    grid = paper_grid(config)
    specs = rows_of(grid)
    lines = [headline(grid)]
    lines += [f"  {phase.in_words}" for phase in phases_of(specs, grid.evaluation.folds, grid.tuning)]
    lines += [f"  {note}" for note in _notes(grid)]
    shared = grid.tuning.share and grid.tuning.protocols != ("fixed",)
    for group in groups_of(specs, share=shared):
        rows = [_in_words(specs[member]) for member in group.members]
        together = len(rows) > 1
        lines.append(f"{group.name}: searched on '{specs[group.owner].name}' for" if together else rows[0])
        lines += [f"  {row}" for row in rows] if together else []
    return lines


def _notes(grid: StudyConfig) -> list[str]:
    """What the numbers of fits leave open."""
    found = ["A fit trains one row on one set of patients; those that were made before are not made again"]
    if grid.evaluation.repeats > 1 or grid.sensitivity.permutations or grid.sensitivity.imputations:
        found.append("Repeats, permutations and imputations come on top")
    absent = absent_rows(grid, check_encoders(grid))
    if absent:
        found.append("Rows that lack weights or features are left out, and say so in the report. As things are:")
    return [*found, *absent]


def _in_words(row: RowSpec) -> str:
    return f"{row.name} ({', '.join(part for part in (row.head, row.fusion, row.survival) if part != '-')})"


def _listed(protocols: tuple[str, ...]) -> str:
    return " and ".join(f"'{name}'" for name in protocols)
