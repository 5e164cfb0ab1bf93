"""The cardinal sin: nothing of a test patient may reach a training artefact, bit for bit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engram.config import StudyConfig
from engram.evaluation import fold_fit
from engram.evaluation.fingerprint import parts
from engram.evaluation.fold_fit import fit_fold, visible
from engram.evaluation.folds import stratified_folds
from engram.evaluation.rows import rows_of
from engram.outcome import SurvivalOutcome
from engram.survival.deepsurv import inner_splits
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

N = 30
CONFIG = StudyConfig.model_validate(
    {
        "name": "leakage",
        "manifest": Path("cohort.csv"),
        "outcome": {"time": "t", "unit": "months", "event": "e"},
        "covariates": {
            "age": {"kind": "continuous", "unit": "years"},
            "sparse": {"kind": "continuous", "unit": "1"},
            "site": {"kind": "categorical"},
            "stage": {"kind": "ordinal", "levels": ["I", "II", "III"], "missing": "level"},
        },
        "images": {"labels": "bones", "label_scheme": "totalsegmentator-2/total"},
        "rois": {"spine": {"mask": "m"}},
        "embedding": {"readouts": ["final", "volume", "regions"]},
        "models": {
            "baselines": ["pet_numbers", "resnet50"],
            "heads": ["averaging", "attention", "3D CNN", "flatten", "PCA"],
            "fusions": ["concatenation", "gate"],
            "vector_models": ["ridge Cox", "MLP"],
            "stage": "stage",
        },
        "training": {"max_epochs": 4, "patience": 2, "inner_folds": 2, "ensemble": 2, "hidden": [8]},
        "evaluation": {"folds": 3},
        "output": Path("out"),
    }
)
# One row of each kind is enough of what is not in every study.
OF_HEADS = [f"PET, spine, {head}" for head in ("attention", "3D CNN", "flatten", "PCA")]
OF_HEADS += ["PET + CT, spine, gate", "PET + CT, spine, attention, gate", "PET + CT + clinical, spine, gate"]
OTHERS = ["PET, spine, volume, MLP", "PET + CT + clinical, spine, regions, MLP", "stage alone"]
OTHERS += ["ResNet-50 of PET, spine"]
USUAL = {"averaging", "PCA", "-"}
ROWS = {
    row.name: row
    for row in rows_of(CONFIG)
    if row.name in (*OF_HEADS, *OTHERS)
    or (
        (row.head in USUAL and row.fusion != "gate" and not row.name.endswith(("MLP", "PCA", "alone")))
        and row.readout != "resnet50"
    )
}
VECTOR_ROWS = ["PET, spine, volume", "PET + CT + clinical, spine, volume", "PET + CT + clinical, spine, regions"]
VECTOR_ROWS += ["PET numbers, spine", "PET numbers + clinical, spine"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(
        {
            "age": rng.normal(60, 8, n),
            "sparse": np.where(rng.random(n) < 0.4, np.nan, rng.normal(size=n)),
            "site": rng.choice(["a", "b", "c"], n),
            "stage": rng.choice(["I", "II", "III", None], n),
        }
    )
    embeddings = {
        EmbeddingKey(m, "spine"): rng.normal(size=(n, 2, 3, 4, 4)).astype(np.float32) for m in ("PET", "CT")
    }
    for modality in ("PET", "CT"):
        for readout, p in (("volume", 12), ("regions", 20)):
            embeddings[EmbeddingKey(modality, "spine", readout)] = rng.normal(size=(n, p)).astype(np.float32)
        no_such_part = rng.random(n) < 0.3
        embeddings[EmbeddingKey(modality, "spine", "regions")][no_such_part, :5] = np.nan
    embeddings[EmbeddingKey("PET", "spine", "resnet50")] = rng.normal(size=(n, 9)).astype(np.float32)
    embeddings[EmbeddingKey("PET", "spine", "pet_numbers")] = rng.gamma(2, size=(n, 5)).astype(np.float32)
    embeddings[EmbeddingKey("PET", "spine", "pet_numbers")][rng.random(n) < 0.2, 3:] = np.nan
    ids = tuple(f"P{seed}-{i}" for i in range(n))
    outcome = SurvivalOutcome(rng.random(n) < 0.7, rng.exponential(30, n) + 0.1)
    return StudyTable(PatientFeatures(ids, covariates, embeddings), outcome)


TABLE = make_table()
PROBES = make_table(seed=99, n=7).features
FOLD = stratified_folds(TABLE.outcome, folds=3, time_quantiles=2, seed=0)[0]


def altered(table, patient, kind, rng):
    """The table with one patient's covariates, embeddings, outcome, or all of them, made wild."""
    covariates = table.features.covariates.copy()
    embeddings = {key: memory.copy() for key, memory in table.features.embeddings.items()}
    event, time = table.outcome.event.copy(), table.outcome.time.copy()
    if kind in ("covariates", "all"):
        wild = [rng.normal() * 1e6, rng.choice([np.nan, 1e6]), f"new-{rng.integers(9)}", rng.choice(["I", "III"])]
        for column, value in zip(covariates.columns, wild, strict=True):
            covariates.loc[patient, column] = value
    if kind in ("missing", "all"):
        covariates.loc[patient, "sparse"] = np.nan
        covariates.loc[patient, "stage"] = None
    if kind in ("embeddings", "all"):
        for memory in embeddings.values():
            memory[patient] = rng.normal(size=memory[patient].shape) * 1e4
    if kind in ("absent", "all"):
        for key, memory in embeddings.items():
            if key.readout == "regions":
                memory[patient, 5 * rng.integers(4) :][:5] = np.nan
            if key.readout == "pet_numbers":
                memory[patient, 1 + rng.integers(4) :] = np.nan
    if kind in ("outcome", "all"):
        event[patient], time[patient] = not event[patient], rng.exponential(1000) + 1e-3
    features = PatientFeatures(table.features.ids, covariates, embeddings)
    return StudyTable(features, SurvivalOutcome(event, time))


def artefacts(table, spec, fold=FOLD):
    """Everything that training leaves behind, taken from the very path that a study runs through."""
    models = []
    original = fold_fit.fit_model

    def keep(*args, **kwargs):
        models.append(original(*args, **kwargs))
        return models[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_fit, "fit_model", keep)
        result = fit_fold(table, spec, fold, CONFIG)
    (model,) = models
    inputs = model.pipeline[:-1].transform(visible(PROBES, spec))
    found = {"probes": model.predict(visible(PROBES, spec)), "train": result.train_risk, "inputs": parts(inputs)}
    if spec.fusion == "gate":
        found["gate"] = model.gate(visible(PROBES, spec))
    return found | {"pipeline": parts(model.pipeline), "notes": np.array(model.notes)}, result


REFERENCE = {}


def reference(name):
    if name not in REFERENCE:
        REFERENCE[name] = artefacts(TABLE, ROWS[name])
    return REFERENCE[name]


KINDS = st.sampled_from(["covariates", "missing", "embeddings", "absent", "outcome", "all"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(ROWS)), st.sampled_from(FOLD.test_index.tolist()), KINDS, st.integers(0, 1000))
def test_no_change_of_a_test_patient_reaches_training(name, patient, kind, seed):
    assert_nothing_reaches_training(name, patient, kind, seed)


@pytest.mark.parametrize("name", [*OF_HEADS, *OTHERS])
def test_no_change_of_a_test_patient_reaches_the_training_of_any_head(name):
    assert_nothing_reaches_training(name, int(FOLD.test_index[0]), "all", 0)


def assert_nothing_reaches_training(name, patient, kind, seed):
    before, result = reference(name)
    table = altered(TABLE, patient, kind, np.random.default_rng(seed))
    after, changed = artefacts(table, ROWS[name])
    assert before.keys() == after.keys()
    for what, value in before.items():
        np.testing.assert_array_equal(value, after[what], err_msg=f"{what} of {name} after {kind} of {patient}")
    if kind == "outcome":
        np.testing.assert_array_equal(result.test_risk, changed.test_risk)
    others = FOLD.test_index != patient
    np.testing.assert_allclose(result.test_risk[others], changed.test_risk[others], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_change_of_a_training_patient_does_reach_training(name):
    """Without this the test above could pass by comparing nothing."""
    before, _ = reference(name)
    for kind in ("outcome", "all"):
        after, _ = artefacts(altered(TABLE, int(FOLD.train_index[0]), kind, np.random.default_rng(1)), ROWS[name])
        assert not np.array_equal(before["probes"], after["probes"])


def test_all_test_patients_at_once():
    for name in ("Clinical, ridge Cox", "PET + CT + clinical, spine", *VECTOR_ROWS, *OF_HEADS, *OTHERS):
        table = TABLE
        for patient in FOLD.test_index.tolist():
            table = altered(table, patient, "all", np.random.default_rng(patient))
        after, _ = artefacts(table, ROWS[name])
        for what, value in reference(name)[0].items():
            np.testing.assert_array_equal(value, after[what], err_msg=f"{what} of {name}")


def test_test_patients_need_not_even_exist_for_training():
    """A table of the training patients alone gives the same model."""
    alone = TABLE.subset(FOLD.train_index)
    for name, spec in ROWS.items():
        fit = fold_fit.fit_model(alone, spec, CONFIG, seed=fold_fit.job_seed(0, name, 0))
        np.testing.assert_array_equal(fit.predict(visible(PROBES, spec)), reference(name)[0]["probes"])


def test_sub_tables_share_no_memory_with_the_whole():
    training, test = TABLE.subset(FOLD.train_index), TABLE.features.subset(FOLD.test_index)
    for key, memory in TABLE.features.embeddings.items():
        assert not np.shares_memory(training.features.embeddings[key], memory)
        assert not np.shares_memory(test.embeddings[key], memory)
    assert not np.shares_memory(training.outcome.time, TABLE.outcome.time)
    assert not hasattr(test, "outcome")


def test_a_row_sees_only_what_its_name_says():
    for spec in ROWS.values():
        seen = visible(TABLE.features, spec)
        assert seen.covariates.shape[1] == (0 if spec.family == "image" else 1 if spec.only else 4)
        assert {key.modality for key in seen.embeddings} == set(spec.modalities)
        assert {key.readout for key in seen.embeddings} == ({spec.readout} if spec.modalities else set())


def test_folds_and_inner_splits_are_disjoint_by_patient():
    for fold in stratified_folds(TABLE.outcome, folds=3, time_quantiles=4, seed=3):
        assert not set(fold.train_index) & set(fold.test_index)
        training = TABLE.outcome.subset(fold.train_index)
        for inner in inner_splits(training, folds=2, time_quantiles=4, seed=0):
            assert not set(inner.train_index) & set(inner.test_index)
            assert max(inner.test_index.max(), inner.train_index.max()) < len(fold.train_index)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_folds_do_not_know_features(seed):
    """They are a function of outcomes and seed: the features are not even an argument."""
    one, other = make_table(seed), make_table(seed + 1)
    mixed = StudyTable(other.features, one.outcome)
    for a, b in zip(
        stratified_folds(one.outcome, folds=3, time_quantiles=4, seed=seed),
        stratified_folds(mixed.outcome, folds=3, time_quantiles=4, seed=seed),
        strict=True,
    ):
        np.testing.assert_array_equal(a.test_index, b.test_index)
