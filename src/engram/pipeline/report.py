"""The last stage: the pages, from what is saved."""

from __future__ import annotations

from pathlib import Path

from engram.config import StudyConfig
from engram.evaluation.audit_records import load_audit
from engram.evaluation.explain_file import load_explanation
from engram.evaluation.reach_records import load_reach
from engram.evaluation.results import StudyResults, load_results
from engram.evaluation.robustness_records import load_sensitivity
from engram.memory.store import EmbeddingStore
from engram.pipeline.embedded import saved_embedded
from engram.pipeline.folders import RunFolder
from engram.pipeline.quality_pictures import Keys, study_pictures
from engram.pipeline.requests import picture_of, protocol_of
from engram.report.beside import Beside
from engram.report.page import Picture, StudyPicture, write_report
from engram.report.shown import INVERSE, Shown, colours


def report(config: StudyConfig) -> Path:
    """Render report.html, tables and figures from results.json and what other commands have left beside it: the
    audit, the reach, and what was explained; and quality.html with every study's picture.

    Raises StorageError where there are no results, or one of these files is damaged; pictures that are missing are
    named in the page instead.
    """
    folder = RunFolder.of(config)
    results = load_results(folder.results)
    beside = _beside(config, folder)
    if config.images is None or not config.report.pictures:
        return write_report(results, folder.root, beside=beside)
    keys = saved_embedded(config).keys if folder.embeddings.is_file() else {}
    pictures, studies = _pictures(config, keys), _studies(config, results, keys)
    absent = _absent(folder, pictures=bool(pictures), measured=bool(results.drawn_masks))
    return write_report(results, folder.root, pictures=pictures, studies=studies, absent=absent, beside=beside)


def _beside(config: StudyConfig, folder: RunFolder) -> Beside:
    explained = load_explanation(folder.explanation) if folder.explanation.is_file() else None
    shown = explained.maps if explained is not None and config.report.pictures else []
    paths = {one.overlay: folder.explained / one.overlay for one in shown}
    return Beside(
        audit=load_audit(folder.audit) if folder.audit.is_file() else None,
        reach=load_reach(folder.reach) if folder.reach.is_file() else None,
        explanation=explained,
        sensitivity=load_sensitivity(folder.sensitivity) if folder.sensitivity.is_file() else None,
        overlays={name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.is_file()},
    )


def _pictures(config: StudyConfig, keys: Keys) -> list[Picture]:
    """What the model was shown of the first patient of the cohort, who is not named."""
    store, first = EmbeddingStore(config.store_dir), next(iter(keys.values()), {})
    found = [(name.split("|"), store.picture_path(key)) for name, key in first.items()]
    return [
        Picture(title=f"{modality}, {roi}", caption=_caption(config, modality), png=path.read_bytes())
        for (modality, roi, readout), path in found
        if readout == picture_of(config) and path.is_file()
    ]


def _caption(config: StudyConfig, modality: str) -> str:
    protocol = protocol_of(config)
    shown = Shown(protocol.prompt, str(protocol.fields["prompting"]), 2 if protocol.direction == "both" else 1)
    slices = "Slices that the model reads, superior first." + f" {INVERSE}" * (modality == "PET")
    return f"{slices} {colours(shown, drawn=config.embedding.quality)}"


def _studies(config: StudyConfig, results: StudyResults, keys: Keys) -> list[StudyPicture]:
    measured = bool(results.drawn_masks) and RunFolder.of(config).quality.is_file()
    return study_pictures(config, keys) if measured else []


def _absent(folder: RunFolder, *, pictures: bool, measured: bool) -> list[str]:
    """What should be shown and is not there, for the page."""
    found = []
    if not folder.embeddings.is_file():
        found.append(
            "The pictures are not there, for embeddings.json is missing. Run 'engram embed', then 'report'."
        )
    elif not pictures:
        found.append("The pictures are not there: the store does not hold them. Run 'engram embed', then 'report'.")
    if measured and not folder.quality.is_file():
        found.append(
            "quality.html, the page of every study, was not made: quality.csv is missing. Run 'engram evaluate', "
            "then 'report'."
        )
    return found
