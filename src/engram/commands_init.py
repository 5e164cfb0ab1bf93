"""`engram init`: from a folder of scans to a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from engram.command_options import Workers
from engram.terminal import Terminal, out

_PAIRING = "Which scans (DICOM)"
_TABLE = "The table"


def init(
    workers: Workers,
    folder: Annotated[Path, typer.Argument(help="Scans: a DICOM dump, or MOOSE, nnU-Net or BIDS folders.")],
    study: Annotated[Path, typer.Option("--out", "-o", help="The folder of the new study.")] = Path("study"),
    layout: Annotated[
        Literal["auto", "dicom", "moose", "nnunet", "bids"], typer.Option(help="What the folder is.")
    ] = "auto",
    patient_from: Annotated[
        Literal["header", "folder"] | None,
        typer.Option(
            help="Patient ids: PatientID, or the first folder.", show_default="header", rich_help_panel=_PAIRING
        ),
    ] = None,
    take: Annotated[
        Literal["first", "last"],
        typer.Option("--study", help="Of several studies of a patient.", rich_help_panel=_PAIRING),
    ] = "first",
    pet_description: Annotated[
        str | None,
        typer.Option(
            help="Take PET series only whose description contains this (regular expression, any case).",
            rich_help_panel=_PAIRING,
        ),
    ] = None,
    ct_description: Annotated[str | None, typer.Option(help="The same for CT.", rich_help_panel=_PAIRING)] = None,
    channels: Annotated[
        str | None, typer.Option(help="nnU-Net channels that dataset.json does not name: '0=CT,1=PET'.")
    ] = None,
    moose_version: Annotated[
        str | None, typer.Option(help="MOOSE's version, where its folders do not say it: '3.0.3'.")
    ] = None,
    totalsegmentator_version: Annotated[
        str | None, typer.Option(help="TotalSegmentator's, where its files do not say it: '2.5.0'.")
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option(
            help="CSV (patient_id, series, field, value, source) that mends headers.", rich_help_panel=_PAIRING
        ),
    ] = None,
    clinical: Annotated[
        Path | None, typer.Option(help="CSV with a row a patient, joined by id.", rich_help_panel=_TABLE)
    ] = None,
    id_column: Annotated[
        str, typer.Option("--id", help="Its column of the patient's id.", rich_help_panel=_TABLE)
    ] = "patient_id",
) -> None:
    """Find PET and CT of every patient, convert them (HU, SUVbw), and write a manifest and a study file."""
    from engram.imaging.dicom.libraries import require_dicom

    require_dicom()
    from engram.imaging.dicom.pairing import PairingRules
    from engram.pipeline.import_folders import FolderOptions, parse_channels
    from engram.pipeline.init import InitOptions
    from engram.pipeline.init import init as make_study

    options = InitOptions(
        folder,
        study,
        layout,
        patient_from,
        PairingRules(take, ct_description, pet_description),
        corrections,
        FolderOptions(
            parse_channels(channels) if channels is not None else None, moose_version, totalsegmentator_version
        ),
        clinical,
        id_column,
    )
    made = make_study(options, workers=workers, console=Terminal())
    out.print(f"Study: {made}", markup=False, soft_wrap=True)
    out.print(f"Fill in its outcome and covariates, then: engram check {made}", markup=False, soft_wrap=True)
