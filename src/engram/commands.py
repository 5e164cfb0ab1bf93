"""The commands: parse, call the pipeline, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engram import __version__
from engram.command_options import Study, Workers
from engram.commands_audit import audit
from engram.commands_dicom import dicom_app
from engram.commands_explain import explain
from engram.commands_init import init
from engram.commands_radiomics import radiomics
from engram.commands_segment import segment
from engram.commands_sensitivity import sensitivity
from engram.commands_store import store_app, weights_app
from engram.commands_study import study
from engram.config import StudyConfig, load_config
from engram.terminal import Terminal, out

app = typer.Typer(
    help="From whole-body PET/CT to memory embeddings to an honest prognosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.command()(segment)
app.command()(study)
app.command()(radiomics)
app.add_typer(store_app, name="store")
app.add_typer(weights_app, name="weights")
app.command()(init)
app.command()(audit)
app.command()(explain)
app.command()(sensitivity)
app.add_typer(dicom_app, name="dicom")


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"engram {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def run(study: Study, workers: Workers) -> None:
    """From the manifest to the report: check, embed, evaluate, report."""
    from engram.pipeline.run import run as run_pipeline

    page = run_pipeline(load_config(study), workers=workers, console=Terminal())
    _done("Report", page)


@app.command()
def check(study: Study, workers: Workers) -> None:
    """Validate the manifest and read every image: all problems at once, each with its mend."""
    from engram.pipeline.check import check as check_cohort
    from engram.pipeline.folders import RunFolder

    config = load_config(study)
    checked = check_cohort(config, workers=workers, console=Terminal())
    if checked.cohort.excluded:
        _done("Patients left out", RunFolder.of(config).exclusions)
    else:
        out.print("No patient left out")


@app.command()
def embed(study: Study, workers: Workers) -> None:
    """Make the embeddings that are not in the store yet."""
    from engram.pipeline.check import check as check_cohort
    from engram.pipeline.embed import embed as embed_cohort

    config, terminal = _with_images(study), Terminal()
    checked = check_cohort(config, workers=workers, console=terminal)
    embed_cohort(config, checked, workers=workers, console=terminal)
    _done("Embeddings", config.store_dir)


@app.command()
def evaluate(study: Study, workers: Workers) -> None:
    """Cross-validate every row on identical folds."""
    from engram.pipeline.evaluate import evaluate as evaluate_cohort
    from engram.pipeline.folders import RunFolder

    config = load_config(study)
    evaluate_cohort(config, workers=workers, console=Terminal())
    _done("Results", RunFolder.of(config).results)


@app.command()
def report(study: Study) -> None:
    """Render the report from saved results; computes nothing."""
    from engram.pipeline.report import report as render

    _done("Report", render(load_config(study)))


@app.command()
def demo(
    workers: Workers,
    folder: Annotated[Path, typer.Option(help="Where the synthetic cohort and its report go.")] = Path("demo"),
    patients: Annotated[int, typer.Option(min=20, help="Patients in the synthetic cohort.")] = 80,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic cohort.")] = 0,
) -> None:
    """Make a synthetic cohort whose truth is known, and run the main job on it."""
    from engram.pipeline.demo import run_demo

    _done("Report", run_demo(folder, patients=patients, seed=seed, workers=workers, console=Terminal()))


def _with_images(study: Path) -> StudyConfig:
    config = load_config(study)
    if config.images is None:
        raise typer.BadParameter(f"{study} has no 'images' section, so there is nothing to embed: run 'evaluate'.")
    return config


def _done(what: str, path: Path) -> None:
    out.print(f"{what}: {path}", markup=False, soft_wrap=True)
