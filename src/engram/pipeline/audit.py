"""The leakage audit of a user's own study, from the manifest to audit.json."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engram.config import StudyConfig
from engram.config_tuning import ProtocolName
from engram.evaluation.audit import (
    Run,
    cheap,
    kinds_of,
    order_check,
    permutation_check,
    permuted_rows,
    training_checks,
)
from engram.evaluation.audit_data import (
    Duplicates,
    duplicate_checks,
    duplicates,
    fold_check,
)
from engram.evaluation.audit_planted import planted_leak
from engram.evaluation.audit_records import NOT_AUDITED, Audit, AuditCheck, AuditHashes, PermutedRow, save_audit
from engram.evaluation.audit_results import results_check
from engram.evaluation.fold_fit import FoldResult
from engram.evaluation.folds import drawn_folds, study_folds
from engram.evaluation.out_of_fold import saved_risks
from engram.evaluation.preprocess import keys_of
from engram.evaluation.protocols import headline_rows
from engram.evaluation.results import load_results
from engram.evaluation.rows import RowSpec, rows_of
from engram.pipeline.console import Console
from engram.pipeline.evaluate import as_evaluated, hashes_of, study_inputs
from engram.pipeline.folders import RunFolder
from engram.survival.splits import Fold
from engram.table import EmbeddingKey, StudyTable

QUICK_EPOCHS = 10  # what leaks, leaks in the first epochs ...
QUICK_TRIALS = 2  # ... and with any settings
_STATES = {True: "passed", False: "FAILED", None: "noted"}


@dataclass(frozen=True)
class Audited:
    """audit: as saved at `path`. duplicates: who they are, which is not saved."""

    audit: Audit
    path: Path
    duplicates: list[Duplicates]

    @property
    def lines(self) -> list[str]:
        """For the terminal: every check, then the patients who come twice by their ids."""
        said = [f"{_STATES[one.passed]}: {one.name}. {one.question}\n    {one.detail}" for one in self.audit.checks]
        twins = [f"{', '.join(one.ids)}: {one.why}" for one in self.duplicates]
        failed = [one.name for one in self.audit.failed]
        last = (
            f"{len(failed)} check(s) failed: {', '.join(failed)}." if failed else f"No check failed. {NOT_AUDITED}"
        )
        return [*said, *twins, last, f"Audit: {self.path}. Run 'engram report' to have it on the page."]


def audit_study(
    config: StudyConfig, *, everything: bool, permutations: int, workers: int, console: Console
) -> Audited:
    """Audit the study and write audit.json. Raises as `engram.pipeline.evaluate.evaluate`.

    everything: all rows on all folds, trained as in the study; by default one row of each kind on the first fold,
    for a few epochs with one network. Where 'engram study' made the results, its grid is audited.
    """
    config = as_evaluated(config)
    inputs = study_inputs(config)
    table = inputs.assembled.table
    folds, again = study_folds(table, config.evaluation), study_folds(table, config.evaluation)
    there = [spec for spec in rows_of(config) if set(keys_of(spec)) <= table.features.embeddings.keys()]
    specs = there if everything else kinds_of(there)
    fitted, alike = folds if everything else folds[:1], duplicates(table, folds)
    work = _Work(_audited(config, everything=everything), workers)
    with console.stage("Auditing") as tell:
        checks: list[AuditCheck] = []
        for number, check in enumerate(work.checks(table, specs, fitted), 1):
            checks.append(check)
            tell(number, work.stages + 1)
        permuted = work.permuted(table, specs, permutations)
        tell(work.stages + 1, work.stages + 1)
    hashes = hashes_of(config, inputs, folds)
    checks += [
        _of_results(config, hashes, table, there, folds, everything=everything, workers=workers),
        permutation_check(permuted),
        fold_check(folds, again, len(table)),
        *duplicate_checks(alike, images=bool(table.features.embeddings)),
    ]
    audit = Audit(
        study=config.name,
        patients=len(table),
        rows=[spec.name for spec in specs],
        rows_of_study=len(rows_of(config)),
        folds=list(range(1, len(fitted) + 1)),
        checks=[*checks, _scope(config, specs, inputs.assembled.absent, everything=everything)],
        permuted=permuted,
        hashes=hashes,
    )
    return Audited(audit, save_audit(audit, RunFolder.of(config).audit), alike)


@dataclass(frozen=True)
class _Work:
    config: StudyConfig
    workers: int
    stages: int = 6

    def checks(self, table: StudyTable, specs: Sequence[RowSpec], folds: Sequence[Fold]) -> Iterator[AuditCheck]:
        declared = self.config.covariates
        yield from training_checks(table, specs, folds, declared, self.run(self.workers))
        planted = next(iter(cheap(specs)), specs[0])
        yield planted_leak(table, planted, folds[0], declared, self.run(0))
        folds = study_folds(table, self.config.evaluation)
        yield order_check(table, cheap(specs), folds, _Work(_by(self.config, "fixed"), 0).run(0))

    def permuted(self, table: StudyTable, specs: Sequence[RowSpec], permutations: int) -> list[PermutedRow]:
        def folds_of(permuted: StudyTable) -> list[Fold]:
            return drawn_folds(permuted, self.config.evaluation)

        return permuted_rows(table, cheap(specs), folds_of, self.run(0), permutations=permutations)

    def run(self, workers: int) -> Run:
        """The path that the study takes, with nothing kept. workers: 0 where jobs are shorter than a start."""

        def run(table: StudyTable, specs: Sequence[RowSpec], folds: Sequence[Fold]) -> list[list[FoldResult]]:
            with tempfile.TemporaryDirectory() as folder:
                return headline_rows(table, specs, folds, self.config, workers=workers, cache_dir=Path(folder))

        return run


def _audited(config: StudyConfig, *, everything: bool) -> StudyConfig:
    """The study with the protocol that gives its results, and where not everything is wanted, with little training.
    One that is tuned on its test folds alone leaks, and says so: there the settings of `training` are audited."""
    headline = config.tuning.headline
    alone = _by(config, "fixed" if headline == "paper" else headline)
    if everything:
        return alone
    tuning, training = alone.tuning, alone.training
    few = {"trials": min(QUICK_TRIALS, tuning.trials)}
    short = {"max_epochs": min(QUICK_EPOCHS, training.max_epochs), "ensemble": 1}
    return alone.model_copy(
        update={"tuning": tuning.model_copy(update=few), "training": training.model_copy(update=short)}
    )


def _by(config: StudyConfig, protocol: ProtocolName) -> StudyConfig:
    """The study under one protocol."""
    return config.model_copy(update={"tuning": config.tuning.model_copy(update={"protocols": (protocol,)})})


def _scope(
    config: StudyConfig, specs: Sequence[RowSpec], absent: Mapping[EmbeddingKey, str], *, everything: bool
) -> AuditCheck:
    searches = f", searches of {QUICK_TRIALS} trials" * ("nested" in config.tuning.protocols)
    how = (
        "Every row on every fold, trained as in the study."
        if everything
        else f"One row of each kind ({len(specs)}), on the first fold; networks trained for {QUICK_EPOCHS} epochs "
        f"at most, one each{searches}. 'engram audit --all' takes every row and fold, and the full training."
    )
    left_out = [spec for spec in rows_of(config) if not absent.keys().isdisjoint(keys_of(spec))]
    if left_out:
        reasons = dict.fromkeys(absent[key] for spec in left_out for key in keys_of(spec) if key in absent)
        how += f" Left out, as in the study: {len(left_out)} row(s) without numbers ({'; '.join(reasons)})."
    if "paper" in config.tuning.protocols:
        how += " The protocol 'paper' tunes on the test folds, as it says: not audited."
    return AuditCheck(name="scope", question="What was trained again?", passed=None, detail=f"{how} {NOT_AUDITED}")


def _of_results(
    config: StudyConfig,
    hashes: AuditHashes,
    table: StudyTable,
    there: Sequence[RowSpec],
    folds: Sequence[Fold],
    *,
    everything: bool,
    workers: int,
) -> AuditCheck:
    """The saved risks of all rows, or of the cheap ones on the first fold, against those of fits made now."""
    folder = RunFolder.of(config)
    made = load_results(folder.results).provenance if folder.results.is_file() else None
    saved = saved_risks(folder.out_of_fold) if folder.out_of_fold.is_file() else {}
    specs = there if everything else cheap(there)
    whole = everything or config.tuning.headline == "paper"  # which tunes on all folds at once
    fitted = folds if whole else folds[:1]
    run = _Work(config, workers).run(workers if everything else 0)
    return results_check(made, hashes, saved, table.features.ids, fitted, specs, lambda: run(table, specs, fitted))
