"""The command line: parse, call the pipeline, print."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from engram import __version__
from engram.config import StudyConfig, load_config
from engram.errors import EngramError

app = typer.Typer(
    help="From whole-body PET/CT to memory embeddings to an honest prognosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = RichConsole(highlight=False)
_QUIET_SECONDS = 30.0  # a job whose output goes to a file is heard of at least so often

Study = Annotated[Path, typer.Argument(help="The study file (YAML).", metavar="STUDY.yaml")]
Workers = Annotated[
    int, typer.Option("--workers", "-w", min=1, help="Worker processes; the tables do not depend on it.")
]


def _all_cores() -> int:
    return os.cpu_count() or 1


class _Terminal:
    """Shows the pipeline's progress: a bar, or where the output is no terminal, a line now and then."""

    def say(self, text: str) -> None:
        _out.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def stage(self, title: str) -> Iterator[Callable[[float, int], object]]:
        shown = self._bar(title) if _out.is_terminal else nullcontext(_Lines(title).tell)
        try:
            with shown as tell:
                yield tell
        except KeyboardInterrupt:
            _out.print("Stopped. Finished work is kept: the same command goes on from here.")
            raise

    @contextmanager
    def _bar(self, title: str) -> Iterator[Callable[[float, int], object]]:
        columns = (
            TextColumn("{task.description:<18}"), BarColumn(), TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=_out) as bar:
            task = bar.add_task(title, total=None, count="")
            try:
                yield lambda done, total: bar.update(
                    task, completed=done, total=total, count=f"{int(done)}/{total}"
                )
            except BaseException:
                bar.update(task, visible=False)  # a bar that stops halfway says nothing more
                raise


class _Lines:
    """Progress as lines: the first sign of life, then one for each tenth of the jobs or each half minute."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._clock = title, clock
        self._started = self._told = clock()
        self._tenth = 0

    def tell(self, done: float, total: int) -> None:
        now, tenth = self._clock(), int(10 * done / total)
        if tenth == self._tenth and now - self._told < _QUIET_SECONDS:
            return
        self._tenth, self._told = tenth, now
        minutes, seconds = divmod(int(now - self._started), 60)
        _out.print(f"{self._title}: {int(done)} of {total} ({minutes}:{seconds:02d})", markup=False)


def _version(wanted: bool) -> None:
    if wanted:
        _out.print(f"engram {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def run(study: Study, workers: Workers = _all_cores()) -> None:
    """From the manifest to the report: check, embed, evaluate, report."""
    from engram.pipeline.run import run as run_pipeline

    page = run_pipeline(load_config(study), workers=workers, console=_Terminal())
    _done("Report", page)


@app.command()
def check(study: Study, workers: Workers = _all_cores()) -> None:
    """Validate the manifest and read every image: all problems at once, each with its mend."""
    from engram.pipeline.check import check as check_cohort
    from engram.pipeline.folders import RunFolder

    config = load_config(study)
    checked = check_cohort(config, workers=workers, console=_Terminal())
    if checked.cohort.excluded:
        _done("Patients left out", RunFolder.of(config).exclusions)
    else:
        _out.print("No patient left out")


@app.command()
def embed(study: Study, workers: Workers = _all_cores()) -> None:
    """Make the memory embeddings that are not in the store yet."""
    from engram.pipeline.check import check as check_cohort
    from engram.pipeline.embed import embed as embed_cohort

    config, terminal = _with_images(study), _Terminal()
    checked = check_cohort(config, workers=workers, console=terminal)
    embed_cohort(config, checked, workers=workers, console=terminal)
    _done("Embeddings", config.store_dir)


@app.command()
def evaluate(study: Study, workers: Workers = _all_cores()) -> None:
    """Cross-validate every row on identical folds."""
    from engram.pipeline.evaluate import evaluate as evaluate_cohort
    from engram.pipeline.folders import RunFolder

    config = load_config(study)
    evaluate_cohort(config, workers=workers, console=_Terminal())
    _done("Results", RunFolder.of(config).results)


@app.command()
def report(study: Study) -> None:
    """Render the report from saved results; computes nothing."""
    from engram.pipeline.report import report as render

    _done("Report", render(load_config(study)))


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the synthetic cohort and its report go.")] = Path("demo"),
    patients: Annotated[int, typer.Option(min=20, help="Patients in the synthetic cohort.")] = 80,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic cohort.")] = 0,
    workers: Workers = _all_cores(),
) -> None:
    """Make a synthetic cohort whose truth is known, and run the main job on it."""
    from engram.pipeline.demo import run_demo

    _done("Report", run_demo(folder, patients=patients, seed=seed, workers=workers, console=_Terminal()))


def _with_images(study: Path) -> StudyConfig:
    config = load_config(study)
    if config.images is None:
        raise typer.BadParameter(f"{study} has no 'images' section, so there is nothing to embed: run 'evaluate'.")
    return config


def _done(what: str, path: Path) -> None:
    _out.print(f"{what}: {path}", markup=False, soft_wrap=True)


def main() -> None:
    """Entry point: an error of ours is one clear text on standard error and exit status 1, not a traceback."""
    try:
        app()
    except EngramError as error:
        RichConsole(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
