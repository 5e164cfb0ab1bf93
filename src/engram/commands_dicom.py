"""`engram dicom`: masks from DICOM to NIfTI, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from engram.command_options import Workers
from engram.terminal import Terminal, out

dicom_app = typer.Typer(
    no_args_is_help=True, help="Masks from DICOM (RT Structure Set, Segmentation) to NIfTI, and back."
)

SeriesFolder = Annotated[Path, typer.Option("--series", help="Folder of the CT or PET series of the masks.")]
SeriesId = Annotated[
    str | None, typer.Option(help="Of several series in it: Series Instance UID, or the id in series.csv.")
]


@dicom_app.command("masks")
def masks(
    workers: Workers,
    file: Annotated[Path, typer.Argument(help="An RT Structure Set or DICOM Segmentation.", metavar="FILE.dcm")],
    series: SeriesFolder,
    folder: Annotated[Path, typer.Option("--out", help="Where the masks go.")],
    series_id: SeriesId = None,
    roi: Annotated[list[str] | None, typer.Option(help="A region by its name; all by default.")] = None,
) -> None:
    """Write every region of a DICOM file as a NIfTI mask on the grid of its series."""
    from engram.imaging.dicom.libraries import require_dicom

    require_dicom()
    from engram.pipeline.dicom_masks import import_masks

    made = import_masks(
        file, series, folder, wanted=series_id, rois=tuple(roi or ()), workers=workers, console=Terminal()
    )
    for one in made.written:
        _say(f"{one.name}: {one.voxels} voxels, {one.volume_ml:.2f} ml: {one.path}")
    for note in made.notes:
        _say(f"note: {note}")
    for error in made.left:
        _say(f"left out: {error}")


@dicom_app.command("export-seg")
def export_seg(
    workers: Workers,
    masks: Annotated[list[str], typer.Argument(help="NIfTI masks; their names, or NAME=FILE.", metavar="MASK ...")],
    series: SeriesFolder,
    file: Annotated[Path, typer.Option("--out", help="The DICOM Segmentation to write.", metavar="SEG.dcm")],
    made_by: Annotated[
        Literal["automatic", "semiautomatic", "manual"],
        typer.Option(help="How the masks were made: the file says so of every segment."),
    ],
    algorithm: Annotated[
        str, typer.Option(help="What made them, with its version; none where they are manual.")
    ] = "",
    series_id: SeriesId = None,
    description: Annotated[str, typer.Option(help="Series Description of the new file.")] = "Engram regions",
) -> None:
    """Write NIfTI masks on the grid of a CT or PET series as one DICOM Segmentation of it.

    The file names the patient and the study, as the series does.
    """
    from engram.imaging.dicom.libraries import require_dicom

    require_dicom()
    from engram.imaging.dicom.seg_write import MadeBy
    from engram.pipeline.dicom_masks import export_seg as export
    from engram.pipeline.dicom_masks import find_scan, mask_files

    try:
        maker = MadeBy(made_by, algorithm)
    except ValueError as error:
        raise typer.BadParameter(f"--made-by {made_by}, --algorithm '{algorithm}': {error}.") from error
    files = mask_files(masks)
    scan = find_scan(series, wanted=series_id, workers=workers, console=Terminal())
    made = export(files, scan, file, made_by=maker, description=description)
    _say(f"DICOM Segmentation of {len(files)} segments: {made}")


def _say(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)
