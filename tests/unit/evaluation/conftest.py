"""A small study whose truth is known: covariates with gaps, four embeddings, one of them informative."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from side_analyses import fixed_rows, quick_rows

from engram.config import StudyConfig
from engram.evaluation.variants import Runner
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_config():
    """A study file's content, with fast training and without baselines; sections can be replaced."""

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
            "training": {"max_epochs": 12, "patience": 4, "inner_folds": 1, "ensemble": 1, "learning_rate": 1e-2},
            "output": Path("out"),
        }
        models = {"baselines": [], **sections.pop("models", {})}
        return StudyConfig.model_validate(body | {"models": models} | sections)

    return make


@pytest.fixture
def make_study():
    """A study table and its true log-hazards. strength: of the signal in `age` and in the PET maps alike."""

    def make(n=60, seed=0, strength=1.5, rois=("spine",), pixels=4):
        rng = np.random.default_rng(seed)
        clinical, imaging = strength * rng.normal(size=n), strength * rng.normal(size=n)
        time = rng.exponential(30 * np.exp(-(clinical + imaging))) + 0.1
        censoring = rng.exponential(60, n) + 0.1
        outcome = SurvivalOutcome(time <= censoring, np.minimum(time, censoring))
        covariates = pd.DataFrame(
            {
                "age": 60 + 8 * (clinical if strength else rng.normal(size=n)),
                "sex": rng.choice(["F", "M"], n),
                "stage": rng.choice(["I", "II", "III", None], n),
            }
        )
        covariates.loc[rng.choice(n, n // 10, replace=False), "age"] = np.nan
        embeddings = {}
        for roi in rois:
            for modality in ("PET", "CT"):
                memory = rng.normal(size=(n, 2, 4, pixels, pixels), scale=0.5)
                memory += imaging[:, None, None, None, None] if modality == "PET" else 0
                embeddings[EmbeddingKey(modality, roi)] = memory.astype(np.float32)
        ids = tuple(f"P{i:03d}" for i in range(n))
        table = StudyTable(PatientFeatures(ids, covariates, embeddings), outcome)
        truth = pd.DataFrame({"clinical": clinical, "imaging": imaging, "total": clinical + imaging})
        return table, truth

    return make


@pytest.fixture
def clinical(make_study):
    """A table without images, for rows that see covariates alone."""

    def make(**settings):
        table, _ = make_study(**settings)
        return replace(table, features=replace(table.features, embeddings={}))

    return make


@pytest.fixture
def runner(tmp_path):
    return Runner(fixed_rows, 0, tmp_path / "folds")


@pytest.fixture
def quick(tmp_path):
    return Runner(quick_rows, 0, tmp_path / "folds")
