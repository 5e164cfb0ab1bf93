"""The part of the leakage audit that fits nothing: patients who come twice, and folds as they should be."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engram.evaluation.audit_records import AuditCheck
from engram.evaluation.transport import features_digest, outcome_digest
from engram.files import canonical_json, digest
from engram.survival.splits import Fold
from engram.table import PatientFeatures, StudyTable


@dataclass(frozen=True)
class Duplicates:
    """Patients who look like one another. ids: two or more of each group. why: what they have in common. across:
    whether one of them tests a model that another has trained."""

    ids: tuple[str, ...]
    why: str
    across: bool


def duplicates(table: StudyTable, folds: Sequence[Fold]) -> list[Duplicates]:
    """Groups with the same bytes of an embedding, and groups with the same covariates and outcome.

    An embedding that is one number all over, as where nothing was drawn, makes no group; nor do covariates alone.
    """
    found: list[Duplicates] = []
    for key, array in table.features.embeddings.items():
        varied = [number for number in range(len(table)) if len(np.unique(array[number])) > 1]
        bits = {
            number: hashlib.sha256(np.ascontiguousarray(array[number]).tobytes()).hexdigest() for number in varied
        }
        found += _groups(bits, f"the same embedding {' '.join(key)}", table, folds)
    if table.features.covariates.shape[1]:
        alone = {number: _clinical(table, number) for number in range(len(table))}
        found += _groups(alone, "the same covariates and outcome", table, folds)
    return found


def _groups(bits: dict[int, str], why: str, table: StudyTable, folds: Sequence[Fold]) -> Iterator[Duplicates]:
    members: dict[str, list[int]] = defaultdict(list)
    for number, one in bits.items():
        members[one].append(number)
    for group in (group for group in members.values() if len(group) > 1):
        across = any(
            bool(np.isin(group, fold.train_index).any() and np.isin(group, fold.test_index).any()) for fold in folds
        )
        yield Duplicates(tuple(table.features.ids[number] for number in group), why, across)


def _clinical(table: StudyTable, number: int) -> str:
    one = table.subset([number])
    unnamed = PatientFeatures(("",), one.features.covariates)
    return features_digest(unnamed) + outcome_digest(one.outcome)


def duplicate_checks(found: Sequence[Duplicates], *, images: bool) -> Iterator[AuditCheck]:
    """Counts only: who they are is said to the terminal. images: whether there are embeddings to compare."""
    alike = [group for group in found if "embedding" in group.why]
    groups = {group.ids for group in alike}
    across = {group.ids for group in alike if group.across}
    yield AuditCheck(
        name="same images",
        question="Are the images of one patient in the study under two ids?",
        passed=not groups if images else None,
        detail=(
            f"{len(groups)} group(s) of patients have an embedding in common, bit for bit; {len(across)} of them "
            "stand on both sides of a fold: a model is tested on what it was trained on. Leave one of each out."
            if groups
            else "No two patients have an embedding in common."
            if images
            else "The study has no images."
        ),
    )
    clinical = [group for group in found if "covariates" in group.why]
    yield AuditCheck(
        name="same covariates and outcome",
        question="Is one patient in the cohort table under two ids?",
        passed=None if clinical else True,
        detail=(
            f"{len(clinical)} group(s) of patients have all covariates, time and event in common, "
            f"{sum(group.across for group in clinical)} on both sides of a fold. That may be chance."
            if clinical
            else "No two patients have all covariates, time and event in common."
        ),
    )


def fold_check(folds: Sequence[Fold], again: Sequence[Fold], n: int) -> AuditCheck:
    """again: the same folds, made a second time. Patients who never test may only train, as in splits by time."""
    tests = np.concatenate([fold.test_index for fold in folds])
    wrong = [f"fold {k}" for k, fold in enumerate(folds, 1) if set(fold.train_index) & set(fold.test_index)]
    twice = len(tests) - len(set(tests.tolist()))
    outside = [number for number in tests.tolist() if not 0 <= number < n]
    other = folds_digest(folds) != folds_digest(again)
    never = n - len(set(tests.tolist()))
    faults = [f"patients both train and test in {', '.join(wrong)}"] * bool(wrong)
    faults += [f"{twice} patient(s) test twice"] * bool(twice) + ["folds name patients that are not there"] * bool(
        outside
    )
    faults += ["the same seed gave other folds"] * other
    said = (
        "; ".join(faults)
        if faults
        else f"Each of {len(tests)} patients tests once and trains nothing that tests it"
    )
    return AuditCheck(
        name="folds",
        question="Do the folds keep training and test patients apart, and are they the same again?",
        passed=not faults,
        detail=f"{said[0].upper()}{said[1:]}; {len(folds)} folds, {never} patient(s) who never test.",
    )


def folds_digest(folds: Sequence[Fold]) -> str:
    """SHA-256 (hex) of who trains and tests where, by position."""
    return digest([[fold.train_index.tolist(), fold.test_index.tolist()] for fold in folds])


def data_digest(table: StudyTable) -> str:
    """SHA-256 (hex) of ids, covariates, embeddings and outcomes."""
    both = [features_digest(table.features), outcome_digest(table.outcome)]
    return hashlib.sha256(canonical_json(both).encode()).hexdigest()
