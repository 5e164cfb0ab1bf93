"""The small studies of the evaluation, for models that explain them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from engram.config import StudyConfig
from engram.evaluation.folds import study_folds
from engram.evaluation.protocols import headline_rows
from engram.evaluation.rows import rows_of
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def config_of():
    """A study file's content, with fast training; sections can be replaced."""

    def make(**sections):
        body = {
            "name": "test",
            "manifest": Path("cohort.csv"),
            "outcome": {"time": "t", "unit": "months", "event": "e"},
            "covariates": {
                "age": {"kind": "continuous", "unit": "years"},
                "sex": {"kind": "categorical", "levels": ["F", "M"]},
                "stage": {"kind": "ordinal", "levels": ["I", "II", "III"], "missing": "level"},
            },
            "images": {},
            "rois": {"spine": {"mask": "m"}},
            "models": {"baselines": [], "fusions": ["concatenation", "gate"]},
            "evaluation": {"folds": 2},
            "training": {"max_epochs": 8, "patience": 4, "inner_folds": 1, "ensemble": 2, "learning_rate": 1e-2},
            "output": Path("out"),
        }
        return StudyConfig.model_validate(body | sections)

    return make


@pytest.fixture
def table_of():
    """A table of patients whose risk is told by age and by a blob in the PET; gaps in age and stage."""

    def make(n=40, seed=0, pixels=8, strength=1.5):
        rng = np.random.default_rng(seed)
        clinical, imaging = rng.normal(size=(2, n))
        time = rng.exponential(30 * np.exp(-strength * (clinical + imaging))) + 0.1
        covariates = pd.DataFrame(
            {
                "age": 60 + 8 * clinical,
                "sex": rng.choice(["F", "M"], n),
                "stage": rng.choice(["I", "II", "III", None], n),
            }
        )
        covariates.loc[rng.choice(n, n // 10, replace=False), "age"] = np.nan
        pet, ct = rng.normal(size=(2, n, 2, 4, pixels, pixels), scale=0.3).astype(np.float32)
        pet[:, :, :, 2:4, 5:7] += 2 * imaging[:, None, None, None, None].astype(np.float32)
        embeddings = {EmbeddingKey("PET", "spine"): pet, EmbeddingKey("CT", "spine"): ct}
        ids = tuple(f"P{i:03d}" for i in range(n))
        outcome = SurvivalOutcome(rng.random(n) < 0.8, time)
        return StudyTable(PatientFeatures(ids, covariates, embeddings), outcome)

    return make


@pytest.fixture
def evaluated(config_of, table_of, tmp_path):
    """A study whose rows were evaluated: table, folds, config, and what `fold_models` needs besides."""

    def make(row, others=(), change=lambda table: table, **sections):
        table, config = change(table_of()), config_of(**sections)
        spec, *more = [next(s for s in rows_of(config) if s.name == name) for name in (row, *others)]
        folds = study_folds(table, config.evaluation)
        kept = tmp_path / "folds"
        results = headline_rows(table, [spec, *more], folds, config, workers=0, cache_dir=kept)
        return (table, spec, folds, config), {"cache_dir": kept, "workers": 0, "specs": [spec, *more]}, results[0]

    return make
