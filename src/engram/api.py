"""Engram's statistics on what is in memory: any embeddings, any covariates, no files (docs/python.md)."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engram import __version__
from engram.api_rows import Row, specs_of
from engram.cohort.records import PatientRecord, check_analysable
from engram.cohort.summary import summarise
from engram.config import Covariate, StudyConfig, checked_config
from engram.config_tuning import ProtocolName
from engram.errors import ConfigError
from engram.evaluation.audit_data import data_digest
from engram.evaluation.covariates import checked_covariates
from engram.evaluation.fold_jobs import code_digest
from engram.evaluation.results import CohortSummary, Comparison, Flow, Provenance, StudyResults, save_results
from engram.evaluation.rows import NONE, RowSpec
from engram.evaluation.study import Evaluation, evaluate_study
from engram.evaluation.transport import features_digest, outcome_digest
from engram.files import digest, write_text
from engram.jobs import Progress
from engram.outcome import SurvivalOutcome
from engram.provenance import library_versions, python_version
from engram.report.page import write_report
from engram.table import StudyTable

__all__ = ["Covariate", "Results", "Row", "StudyTable", "SurvivalOutcome", "evaluate"]

_OF_ROW = (
    "mean",
    "se",
    "ci_lower",
    "ci_upper",
    "p",
    "p_two_sided",
    "p_corrected",
    "p_adjusted",
    "protocol",
    "absent",
)
_MADE_HERE = ("seed", "protocols")  # arguments of `evaluate`, not fields of its sections


@dataclass(frozen=True, repr=False)
class Results:
    """What was measured. study: everything, as results.json has it (docs/results.md).

    out_of_fold: one line a row and patient: row, patient_id, fold (from 1), risk (log-risk, higher is worse),
    standardised_risk, event, time_months. It names patients, and `study` does not.
    """

    study: StudyResults
    out_of_fold: pd.DataFrame

    def __repr__(self) -> str:
        """Each row with c-index, standard error and corrected p, and how much there is beside them."""
        told = self.rows[["c_index", "se", "p_corrected"]].astype(float).round(3)
        beside = f"{len(self.study.comparisons)} comparison(s), {len(self.warnings)} warning(s)"
        return f"Results of '{self.study.study}'\n{told.to_string()}\n{beside}"

    @property
    def rows(self) -> pd.DataFrame:
        """One line a row, by its name: c_index (mean over the folds) with se and 95 % interval; p (one-sided t, as
        in the paper, optimistic), p_two_sided, p_corrected, p_adjusted; uno_c, mean_auc, ibs, ipa, slope, ici;
        protocol, and same_folds_c and gap where 'paper' was run beside another; absent: why a row has no numbers.
        """
        found = [{"row": row.name, **{name: getattr(row, name) for name in _OF_ROW}} for row in self.study.rows]
        for line, row in zip(found, self.study.rows, strict=True):
            line["same_folds_c"] = None if row.same_folds is None else row.same_folds.mean
            line["gap"] = None if row.same_folds is None else row.same_folds.gap
        frame = pd.DataFrame(found).set_index("row").rename(columns={"mean": "c_index"})
        return frame.join(self._beyond())

    @property
    def folds(self) -> pd.DataFrame:
        """Harrell's c of each row (lines) on each test fold (columns, from 1)."""
        columns = range(1, len(self.study.folds) + 1)
        rows = {row.name: row.c_index for row in self.study.rows}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(columns)).rename_axis("row")

    @property
    def comparisons(self) -> pd.DataFrame:
        """One line for each pair of rows that is compared, on the same folds: `Comparison` in docs/results.md."""
        found = [one.model_dump() for one in self.study.comparisons]
        return pd.DataFrame(found, columns=list(Comparison.model_fields))

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing any number."""
        return list(self.study.warnings)

    @property
    def fold_notes(self) -> list[str]:
        """What fits had to leave out or could not do, as columns that are constant in a training part."""
        return list(self.study.fold_notes)

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one file that needs no other. Raises StorageError."""
        with tempfile.TemporaryDirectory() as folder:
            page = write_report(self.study, Path(folder))
            return write_text(Path(path), page.read_text(encoding="utf-8"))

    def save(self, folder: str | Path) -> Path:
        """Write results.json, out_of_fold_risks.csv (which names patients), and the report with its tables and
        figures into a folder. Returns the path of results.json. Raises StorageError."""
        place = Path(folder)
        write_text(place / "out_of_fold_risks.csv", self.out_of_fold.to_csv(index=False, lineterminator="\n"))
        saved = save_results(self.study, place / "results.json")
        write_report(self.study, place)
        return saved

    def _beyond(self) -> pd.DataFrame:
        found = self.study.performance
        names = ("uno_c", "mean_auc", "ibs", "ipa")
        lines = {
            one.row: {**{name: getattr(one, name).mean for name in names}, "slope": one.slope, "ici": one.ici}
            for one in ([] if found is None else found.rows)
        }
        return pd.DataFrame.from_dict(lines, orient="index", columns=[*names, "slope", "ici"])


def evaluate(
    table: StudyTable,
    rows: Sequence[Row | str] | None = None,
    *,
    protocol: ProtocolName | Sequence[ProtocolName] = "nested",
    seed: int = 0,
    name: str = "study",
    endpoint: str = "time to event",
    source: str | None = None,
    truth: pd.DataFrame | None = None,
    evaluation: Mapping[str, Any] | None = None,
    sensitivity: Mapping[str, Any] | None = None,
    tuning: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    workers: int = 1,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Results:
    """Cross-validate rows on identical folds, with all the statistics of a study.

    table: as of `StudyTable.from_arrays`. rows: `Row`, or texts such as "clinical", "mine", "mine + clinical"; by
    default the covariates (by DeepSurv, too, where there are maps), each embedding, and each beside the covariates.
    protocol: 'nested' tunes inside each training part, 'fixed' takes the settings of `training`, 'paper' tunes on
    the test folds, which is optimistic; several are run beside each other. evaluation, sensitivity, tuning,
    training: fields of these sections of the study file (docs/study-file.md), such as evaluation={"folds": 3}; seed
    and protocols are arguments instead. name, endpoint, source: for the report. truth: true log-hazards of a
    synthetic cohort, columns clinical, imaging, total. workers: 1 works in this process; more start others, and a
    script must then be guarded by `if __name__ == "__main__"`. No number depends on it. cache: a folder where
    finished work is kept, so that the same call goes on from there; by default none is.
    Raises ConfigError, CohortError, PatientError.
    """
    specs = specs_of(rows, table.features)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"evaluate: workers is {workers!r}. Give a whole number, 1 or more.")
    protocols = (protocol,) if isinstance(protocol, str) else tuple(protocol)
    given = {"evaluation": evaluation, "sensitivity": sensitivity, "tuning": tuning, "training": training}
    sections = {kind: dict(fields) for kind, fields in given.items() if fields}
    config = _config(table, sections, name=name, endpoint=endpoint, source=source, seed=seed, protocols=protocols)
    check_analysable(int(table.outcome.event.sum()), len(table), config.evaluation.folds)
    with tempfile.TemporaryDirectory() as folder:
        found = evaluate_study(
            table,
            config,
            truth,
            encoder=NONE,
            workers=workers if workers > 1 else 0,  # a process of its own would run an unguarded script again
            cache_dir=Path(folder if cache is None else cache),
            progress=progress,
            specs=specs,
        )
    return Results(_results(table, config, specs, found, synthetic=truth is not None), found.out_of_fold)


def _config(
    table: StudyTable,
    sections: dict[str, dict[str, Any]],
    *,
    name: str,
    endpoint: str,
    source: str | None,
    seed: int,
    protocols: Sequence[str],
) -> StudyConfig:
    """The arguments as a study file would have them. No file and no column is read: their names are dashes."""
    for field in _MADE_HERE:
        where = next((kind for kind, fields in sections.items() if field in fields), None)
        if where is not None:
            argument = field.removesuffix("s")
            raise ConfigError(f"evaluate: {field} in `{where}`: it is the argument `{argument}`.")
    _add_columns_of_splits(table, sections.setdefault("evaluation", {}))
    images = {"images": {}, "rois": {NONE: {"mask": NONE}}} if table.features.embeddings else {}
    fields = {
        "name": name,
        "manifest": Path(NONE),
        "output": Path(NONE),
        "outcome": {"time": NONE, "event": NONE, "unit": table.outcome.unit, "name": endpoint},
        "covariates": {name: one.model_dump() for name, one in table.features.declared.items()},
        "models": {"baselines": ()},
        "source": source,
        **images,
        **sections,
        "evaluation": {**sections["evaluation"], "seed": seed},
        "tuning": {**sections.get("tuning", {}), "protocols": tuple(protocols)},
    }
    return checked_config(fields, "evaluate")


def _add_columns_of_splits(table: StudyTable, evaluation: dict[str, Any]) -> None:
    """Splits by site or time take what the table has; a study file would name its column."""
    for splits, field, there in (("grouped", "group", table.groups), ("temporal", "order", table.order)):
        if evaluation.get("splits") != splits:
            continue
        argument = "groups" if field == "group" else field
        if there is None:
            raise ConfigError(f"evaluate: splits '{splits}' need `{argument}` of StudyTable.from_arrays.")
        evaluation.setdefault(field, argument)


def _results(
    table: StudyTable, config: StudyConfig, specs: Sequence[RowSpec], found: Evaluation, *, synthetic: bool
) -> StudyResults:
    wanted = config.tuning.headline
    other = next((row for row in found.rows if row.absent is None and row.protocol != wanted), None)
    if other is not None:
        raise RuntimeError(f"row '{other.name}' was run by protocol '{other.protocol}', not '{wanted}'")
    known = {**vars(found), **vars(found.sensitivity)}
    measured = {field: known[field] for field in StudyResults.model_fields if field in known}
    n = len(table)
    return StudyResults(
        study=config.name,
        source=config.source,
        synthetic=synthetic,
        flow=Flow(pool=n, steps=[], analysed=n),
        cohort=CohortSummary.model_validate(asdict(summarise(_records(table), config))),
        provenance=_provenance(table, config, specs),
        **measured,
    )


def _records(table: StudyTable) -> list[PatientRecord]:
    """The patients as those of a manifest, without files."""
    covariates = checked_covariates(table.features, table.features.declared).astype(object)
    known = covariates.where(covariates.notna(), None)
    told = zip(table.features.ids, table.outcome.event, table.outcome.time, strict=True)
    return [
        PatientRecord(
            patient_id=who, row=row, ct=None, pet=None, labels={}, masks={},
            covariates={name: known[name].iloc[row - 1] for name in table.features.declared},
            event=bool(event), time=float(time), group=None if table.groups is None else table.groups[row - 1],
        )
        for row, (who, event, time) in enumerate(told, 1)
    ]  # fmt: skip


def _provenance(table: StudyTable, config: StudyConfig, specs: Sequence[RowSpec]) -> Provenance:
    study = config.model_dump(mode="json", exclude={"folder", "output", "store", "manifest", "report"})
    data = {"features": features_digest(table.features), "outcome": outcome_digest(table.outcome)}
    return Provenance(
        engram=__version__,
        python=python_version(),
        libraries=library_versions(),
        study_digest=digest({**study, "rows": [asdict(spec) for spec in specs]}),
        manifest_digest=digest(data),
        data_digest=data_digest(table),
        code_digest=code_digest(),
        weights=None,
        weights_digest=None,
        untrained_weights=False,
        verified_weights=False,
        protocol={},
        protocol_digest=None,
        rois={},
        training=config.training.model_dump(mode="json"),
        tuning=config.tuning.model_dump(mode="json"),
        max_missing=config.evaluation.max_missing,
        seed=config.evaluation.seed,
    )
