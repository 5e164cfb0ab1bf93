"""The last stage: the page, from what is saved."""

from __future__ import annotations

from pathlib import Path

from engram.config import StudyConfig
from engram.evaluation.results import load_results
from engram.memory.store import EmbeddingStore
from engram.pipeline.embedded import saved_embedded
from engram.pipeline.folders import RunFolder
from engram.report.page import Picture, write_report


def report(config: StudyConfig) -> Path:
    """Render report.html, tables and figures from results.json. Raises StorageError where there are no results."""
    folder = RunFolder.of(config)
    return write_report(load_results(folder.results), folder.root, pictures=_pictures(config))


_CAPTION = "Slices as the model reads them, superior first. Green: region of interest. Orange: its box, the prompt."


def _pictures(config: StudyConfig) -> list[Picture]:
    """What the model was shown of the first patient of the cohort, unless the study file says no.

    No name or number of the patient is shown.
    """
    if config.images is None or not config.report.pictures:
        return []
    first = next(iter(saved_embedded(config).keys.values()), {})
    store = EmbeddingStore(config.store_dir)
    found = [(name.split("|"), store.picture_path(key)) for name, key in first.items()]
    return [
        Picture(title=f"{modality}, {roi}", caption=_CAPTION, png=path.read_bytes())
        for (modality, roi, _readout), path in found
        if path.is_file()
    ]
