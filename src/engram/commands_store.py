"""`engram store` and `engram weights`: what embeddings are kept, and what models can be had."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engram.command_options import Study
from engram.config import load_config
from engram.memory.registry import FETCH_FOLDER
from engram.terminal import out

store_app = typer.Typer(no_args_is_help=True, help="The embedding store of a study: list, verify, clear.")
weights_app = typer.Typer(no_args_is_help=True, help="Published weights that Engram knows: list, fetch.")

Studies = Annotated[
    list[Path], typer.Argument(help="Every study that shares the store.", metavar="STUDY.yaml [OTHER.yaml ...]")
]


@store_app.command("ls")
def list_embeddings(study: Study) -> None:
    """What the store holds, by scan, region, read-out, weights and protocol."""
    from engram.pipeline.store import store_lines

    _say(store_lines(load_config(study).store_dir))


@store_app.command("verify")
def verify(
    study: Study, delete: Annotated[bool, typer.Option("--delete", help="Remove what is damaged.")] = False
) -> None:
    """Compare every embedding with its checksum; exit status 1 where one is damaged."""
    from engram.pipeline.store import verify_store

    found = verify_store(load_config(study).store_dir, delete=delete)
    _say(found.lines)
    if found.unreadable or (found.damaged and not delete):
        raise typer.Exit(1)


@store_app.command("gc")
def collect(
    studies: Studies, delete: Annotated[bool, typer.Option("--delete", help="Remove it, not only tell.")] = False
) -> None:
    """What no given study refers to; nothing is removed without --delete."""
    from engram.pipeline.folders import RunFolder
    from engram.pipeline.store_gc import collect_garbage

    configs = [load_config(study) for study in studies]
    folders = {config.store_dir.resolve() for config in configs}
    if len(folders) > 1:
        raise typer.BadParameter(f"these studies have {len(folders)} stores: clear one after the other.")
    keep = [RunFolder.of(config).embeddings for config in configs]
    _say(collect_garbage(folders.pop(), keep, delete=delete).lines)


@weights_app.command("ls")
def list_weights() -> None:
    """Names, sources, licences and checksums of published weights."""
    from engram.memory.registry import KNOWN_WEIGHTS, describe_weights

    _say([describe_weights(known) for known in KNOWN_WEIGHTS.values()])


@weights_app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A name that 'engram weights ls' lists.")],
    folder: Annotated[Path, typer.Option(help="Where the file goes.")] = FETCH_FOLDER,
    revision: Annotated[str | None, typer.Option(help="Another commit of the repository.")] = None,
) -> None:
    """Download published weights: the only command that uses the network."""
    from engram.memory.registry import KNOWN_WEIGHTS, describe_weights, fetch_weights

    if name in KNOWN_WEIGHTS:
        _say([describe_weights(KNOWN_WEIGHTS[name])])
    found = fetch_weights(name, folder, revision=revision)
    known = "the published file" if found.verified else "not compared: no published checksum is known"
    _say([f"SHA-256: {found.file_digest} ({known})", f"Weights: {found.path}"])


def _say(lines: list[str]) -> None:
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
