"""The third stage: from the study table to results.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from engram import __version__
from engram.cohort.flow import exclusion_flow, study_stages
from engram.cohort.manifest import read_manifest
from engram.cohort.records import Cohort, PatientRecord, check_analysable
from engram.cohort.summary import summarise
from engram.config import StudyConfig
from engram.config_grid import paper_grid
from engram.errors import ImagingError
from engram.evaluation.audit_data import data_digest, folds_digest
from engram.evaluation.audit_records import AuditHashes
from engram.evaluation.fold_jobs import code_digest
from engram.evaluation.radiomics_records import RadiomicsProvenance
from engram.evaluation.results import (
    CohortSummary,
    EncoderProvenance,
    Flow,
    Provenance,
    StudyResults,
    load_results,
    save_results,
)
from engram.evaluation.rows import rows_of
from engram.evaluation.study import Evaluation, evaluate_study
from engram.files import digest, write_text
from engram.pipeline.console import Console
from engram.pipeline.embedded import Embedded, load_embedded
from engram.pipeline.folders import RunFolder
from engram.pipeline.quality import StudyQuality, load_quality, summarise_quality, write_quality
from engram.pipeline.radiomics_table import load_radiomics
from engram.pipeline.regional_pet import load_regional_pet
from engram.pipeline.study_table import AssembledTable, entries_of, study_table
from engram.provenance import library_versions, python_version
from engram.roi.words import in_words
from engram.survival.splits import Fold
from engram.table import PET_NUMBERS

_DECIDE_NO_RESULT = ("folder", "output", "store", "manifest", "report", "explain", "robustness")


@dataclass(frozen=True)
class Inputs:
    """What is evaluated: the cohort, its embeddings (None without images), its study table, and what made the
    radiomics in it."""

    cohort: Cohort
    embedded: Embedded | None
    assembled: AssembledTable
    radiomics: RadiomicsProvenance | None = None


def evaluate(config: StudyConfig, *, workers: int, console: Console) -> StudyResults:
    """Cross-validate every row on identical folds and write results.json. Raises CohortError, StorageError.

    No image is read or hashed here, which would take as long as a check. Embeddings and PET numbers are of the
    files as 'engram embed' and 'engram check' last saw them, and of the same bytes where rows read both. A file
    that was replaced since is seen by the next 'engram check' alone.
    """
    folder, inputs = RunFolder.of(config), study_inputs(config)
    cohort, embedded, assembled = inputs.cohort, inputs.embedded, inputs.assembled
    before = kept_fits(folder)
    if before:
        console.say(f"{before} fit(s) of earlier runs are kept; those that this study needs are not made again")
    with console.stage("Cross-validating") as progress:
        evaluation = evaluate_study(
            assembled.table,
            config,
            _truth(cohort.records),
            encoder=(embedded.weights if embedded is not None else None) or "-",
            workers=workers,
            cache_dir=folder.folds,
            progress=progress,
            absent=assembled.absent,
            begin=console.part if config.tuning.protocols != ("fixed",) else None,
        )
    console.say(
        f"Cross-validated: {kept_fits(folder) - before} fit(s) made now" + ", the others kept" * bool(before)
    )
    studies = load_quality(config, cohort.records, embedded) if embedded is not None else []
    results = _results(config, inputs, evaluation, studies, _padding_warning(assembled.padded, entries_of(config)))
    if studies:
        write_quality(studies, config.embedding.quality_limit, folder.quality)
    write_text(folder.out_of_fold, evaluation.out_of_fold.to_csv(index=False, lineterminator="\n"))
    folder.tuning_trials.unlink(missing_ok=True)
    if evaluation.searches:
        write_text(folder.tuning_trials, evaluation.trials.to_csv(index=False, lineterminator="\n"))
    save_results(results, folder.results)
    return results


def kept_fits(folder: RunFolder) -> int:
    """How many fits the cache holds, of this study or of others."""
    return sum(1 for _ in folder.folds.rglob("*.json"))


def study_inputs(config: StudyConfig) -> Inputs:
    """The cohort and its study table, from the manifest and what earlier stages have kept. Raises as `evaluate`."""
    cohort = read_manifest(config)
    embedded = None
    if config.images is not None:
        embedded = load_embedded(config, cohort.digest)
        cohort = cohort.exclude(_imaging_errors(embedded, cohort))
    check_analysable(cohort.events, len(cohort.records), config.evaluation.folds)
    measured = load_regional_pet(config, cohort.digest) if _reads_pet_numbers(config) else None
    ids = [record.patient_id for record in cohort.records]
    radiomics = load_radiomics(config, ids, embedded.digests if embedded is not None else None)
    assembled = study_table(config, cohort.records, embedded, measured, radiomics)
    return Inputs(cohort, embedded, assembled, radiomics.made)


def as_evaluated(config: StudyConfig) -> StudyConfig:
    """The study, or the paper's grid of it, whichever the results in the run folder are of."""
    path, grid = RunFolder.of(config).results, paper_grid(config)
    if not path.exists():
        return config
    return grid if load_results(path).provenance.study_digest == study_digest(grid) else config


def hashes_of(config: StudyConfig, inputs: Inputs, folds: Sequence[Fold]) -> AuditHashes:
    """What results were made of, or would be."""
    return AuditHashes(
        study=study_digest(config),
        manifest=inputs.cohort.digest,
        weights=inputs.embedded.weights_digest if inputs.embedded is not None else None,
        folds=folds_digest(folds),
        data=data_digest(inputs.assembled.table),
        code=code_digest(),
    )


def _reads_pet_numbers(config: StudyConfig) -> bool:
    return any(row.readout == PET_NUMBERS for row in rows_of(config))


def _imaging_errors(embedded: Embedded, cohort: Cohort) -> list[ImagingError]:
    known = {patient.row for patient in (*cohort.records, *cohort.others)}
    return [ImagingError(**fields) for fields in embedded.unusable if fields["row"] in known]


def _truth(records: Sequence[PatientRecord]) -> pd.DataFrame | None:
    """True log-hazards of a synthetic cohort, in the order of the records: clinical, imaging, total."""
    truths = [asdict(record.truth) for record in records if record.truth is not None]
    return pd.DataFrame(truths) if truths else None


def _results(
    config: StudyConfig,
    inputs: Inputs,
    evaluation: Evaluation,
    studies: Sequence[StudyQuality],
    warnings: list[str],
) -> StudyResults:
    cohort = inputs.cohort
    flow = exclusion_flow(cohort.pool, cohort.excluded, study_stages(config))
    return StudyResults(
        study=config.name,
        source=config.source,
        synthetic=config.truth is not None,
        warnings=[*warnings, *evaluation.warnings],
        fold_notes=evaluation.fold_notes,
        flow=Flow.model_validate(asdict(flow)),
        cohort=CohortSummary.model_validate(asdict(summarise(cohort.records, config))),
        folds=evaluation.folds,
        rows=evaluation.rows,
        comparisons=evaluation.comparisons,
        clinical_model=evaluation.clinical_model,
        incremental_value=evaluation.incremental_value,
        risk_groups=evaluation.risk_groups,
        performance=evaluation.performance,
        splits=evaluation.splits,
        gates=evaluation.gates,
        stage=config.models.stage,
        incremental_over_stage=evaluation.incremental_over_stage,
        **vars(evaluation.sensitivity),
        drawn_masks=summarise_quality(studies, config.embedding.quality_limit),
        searches=evaluation.searches,
        provenance=_provenance(config, inputs),
    )


def _padding_warning(padded: int, entries: int) -> list[str]:
    if not padded:
        return []
    return [
        f"{padded} embedding(s) come from fewer than {entries} slices and were padded with zeros: "
        "their region of interest is only a few slices high."
    ]


def study_digest(config: StudyConfig) -> str:
    """SHA-256 (hex) of the content of a study file, less folders, which differ between machines, and less what only
    looks at results."""
    return digest(config.model_dump(mode="json", exclude={*_DECIDE_NO_RESULT}))


def _provenance(config: StudyConfig, inputs: Inputs) -> Provenance:
    cohort, embedded = inputs.cohort, inputs.embedded
    return Provenance(
        engram=__version__,
        python=python_version(),
        libraries=library_versions(),
        study_digest=study_digest(config),
        manifest_digest=cohort.digest,
        data_digest=data_digest(inputs.assembled.table),
        code_digest=code_digest(),
        weights=embedded.weights if embedded else None,
        weights_digest=embedded.weights_digest if embedded else None,
        untrained_weights=_any_untrained(embedded),
        verified_weights=embedded.verified if embedded else False,
        encoders=_encoders(embedded),
        radiomics=inputs.radiomics,
        protocol=embedded.protocol if embedded else {},
        protocol_digest=embedded.protocol_digest if embedded else None,
        rois={name: in_words(roi) for name, roi in config.rois.items()},
        mtv_threshold=config.pet_numbers.in_words if _reads_pet_numbers(config) else None,
        training=config.training.model_dump(mode="json"),
        tuning=config.tuning.model_dump(mode="json"),
        max_missing=config.evaluation.max_missing,
        seed=config.evaluation.seed,
    )


def _encoders(embedded: Embedded | None) -> dict[str, EncoderProvenance]:
    made = embedded.encoders if embedded is not None else {}
    return {name: EncoderProvenance.model_validate(asdict(one)) for name, one in made.items()}


def _any_untrained(embedded: Embedded | None) -> bool:
    """Whether any row looks through random weights: those of the memory, or of its image encoder alone."""
    return embedded is not None and (embedded.untrained or any(one.untrained for one in embedded.encoders.values()))
