"""Rows of one study see the same files, or evaluate says which stage to run again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engram.config import StudyConfig
from engram.errors import StorageError
from engram.pipeline.check import CheckedCohort, check
from engram.pipeline.console import Silent
from engram.pipeline.embedded import Embedded, save_embedded
from engram.pipeline.evaluate import evaluate


def checked(config: StudyConfig) -> CheckedCohort:
    return check(config, workers=0, console=Silent())


def embedded(config: StudyConfig, found: CheckedCohort) -> None:
    """As if the patients had been embedded now; the store holds nothing."""
    keys: dict[str, Any] = {record.patient_id: {} for record in found.cohort.records}
    made = Embedded("mini", "w" * 64, True, False, {}, "p" * 64, keys, found.digests, [])
    save_embedded(made, config, found.cohort.digest)


def evaluated(config: StudyConfig) -> None:
    evaluate(config, workers=0, console=Silent())


def new_pet(made: Any, number: int) -> None:
    made.write(np.random.default_rng(99).uniform(0, 9, (6, 12, 12)).astype(np.float32), f"{number}_pet.nii.gz")


def test_embeddings_of_an_old_scan_are_not_compared_with_numbers_of_the_new_one(made) -> None:
    config = made.config()
    embedded(config, checked(config))
    new_pet(made, 4)
    checked(config)
    with pytest.raises(StorageError, match=r"patient P4: pet: .* different files.*Run 'engram embed' again"):
        evaluated(config)
    embedded(config, checked(config))
    with pytest.raises(KeyError, match=r"final"):  # it goes on to the embeddings, of which there are none here
        evaluated(config)


def test_what_a_scan_without_numbers_became_is_seen_too(made) -> None:
    config = made.config()
    embedded(config, checked(config))
    (made.folder / "4_ct.nii.gz").write_bytes(b"not an image")
    checked(config)
    with pytest.raises(StorageError, match="patient P4: ct, labels:totalsegmentator-2/total, mask:tumour, pet: "):
        evaluated(config)


def test_a_study_without_rows_of_pet_numbers_has_one_source_alone(made) -> None:
    config = made.config(models={"baselines": []})
    embedded(config, checked(config))
    new_pet(made, 4)
    checked(config)
    with pytest.raises(KeyError, match=r"final"):
        evaluated(config)
