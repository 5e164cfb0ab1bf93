"""What the folds of a study are made of, without anything that a model sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engram.cohort.records import PatientRecord
from engram.config import StudyConfig
from engram.outcome import SurvivalOutcome
from engram.table import PatientFeatures, StudyTable


def split_table(records: Sequence[PatientRecord], config: StudyConfig) -> StudyTable:
    """Outcomes, sites and order of these patients: enough for `study_folds`, before there is an embedding."""
    ids = tuple(record.patient_id for record in records)
    nothing = PatientFeatures(ids, pd.DataFrame(index=range(len(ids))))
    return StudyTable(nothing, outcome_of(records, config), *for_splits(records))


def outcome_of(records: Sequence[PatientRecord], config: StudyConfig) -> SurvivalOutcome:
    """The outcomes, in the order of the records."""
    event, time = np.array([one.event for one in records], dtype=bool), np.array([one.time for one in records])
    return SurvivalOutcome(event, time, config.outcome.unit)


def for_splits(records: Sequence[PatientRecord]) -> tuple[tuple[str, ...] | None, tuple[float, ...] | None]:
    """Groups and order, each where every patient has one: the manifest is read with them where splits need them."""
    groups = tuple(record.group for record in records if record.group is not None)
    order = tuple(record.order for record in records if record.order is not None)
    return groups if len(groups) == len(records) else None, order if len(order) == len(records) else None
