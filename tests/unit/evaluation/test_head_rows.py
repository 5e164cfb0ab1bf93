"""Heads, gate and MLP as rows of a study: which there are, what they find, what they are sent, what is kept."""

import json

import numpy as np
import pandas as pd
import pytest
from side_analyses import fixed_rows

from engram.evaluation import fold_jobs
from engram.evaluation.comparisons import pairs_of
from engram.evaluation.fold_fit import FoldResult, fit_fold, fit_model, visible
from engram.evaluation.fold_jobs import fold_outcomes
from engram.evaluation.folds import stratified_folds
from engram.evaluation.gates import gate_shares
from engram.evaluation.maps import MapStatistics
from engram.evaluation.preprocess import build_pipeline
from engram.evaluation.row_results import row_results
from engram.evaluation.rows import rows_of
from engram.evaluation.study import _out_of_fold
from engram.evaluation.transport import load_table, save_row_tables
from engram.outcome import SurvivalOutcome
from engram.table import EmbeddingKey, PatientFeatures, StudyTable

ALL = ("averaging", "attention", "3D CNN", "flatten", "PCA")


def row(config, name):
    return next(spec for spec in rows_of(config) if spec.name == name)


def test_each_head_and_fusion_is_a_row_and_changes_no_other_row_s_name(make_config):
    plain = rows_of(make_config())
    models = {"heads": ALL, "multimodal_heads": ["averaging", "attention"], "fusions": ["concatenation", "gate"]}
    rows = rows_of(make_config(models=models))
    assert set(plain) <= set(rows)
    added = [spec.name for spec in rows if spec not in plain]
    alone = [f"{image}, spine, {head}" for image in ("PET", "CT") for head in ALL[1:]]
    both = ["PET + CT, spine, gate"]
    for head in ALL[1:]:
        both += [f"PET + CT, spine, {head}", *[f"PET + CT, spine, {head}, gate"] * (head != "PCA")]
    with_clinical = [f"{image} + clinical, spine, attention" for image in ("PET", "CT")]
    with_clinical += [f"PET + CT + clinical, spine, {what}" for what in ("gate", "attention", "attention, gate")]
    assert added == [*alone, *both, *with_clinical]
    kinds = {spec.head: spec.survival for spec in rows if spec.family == "image"}
    assert kinds == {head: "ridge Cox" if head == "PCA" else "DeepSurv" for head in ALL}


def test_parts_of_a_gated_row(make_config):
    config = make_config(models={"heads": ["attention"], "fusions": ["gate"]})
    gated = row(config, "PET + CT, spine, attention, gate")
    assert (gated.head, gated.fusion, gated.survival, gated.reads_memory) == ("attention", "gate", "DeepSurv", True)
    assert row(config, "PET, spine, attention").fusion == "-"
    assert row(config, "PET + clinical, spine").fusion == "concatenation"
    assert row(config, "PET + CT + clinical, spine, gate").fusion == "gate"


def test_an_mlp_on_vectors_is_a_row_beside_ridge_cox(make_config):
    plain = make_config(embedding={"readouts": ["volume"]})
    config = make_config(embedding={"readouts": ["volume"]}, models={"vector_models": ["ridge Cox", "MLP"]})
    assert set(rows_of(plain)) <= set(rows_of(config))
    mlp = row(config, "PET + CT + clinical, spine, volume, MLP")
    assert (mlp.head, mlp.fusion, mlp.survival) == ("PCA", "concatenation", "DeepSurv")


def test_baselines_are_rows_only_where_they_are_asked_for(make_config):
    assert not [spec for spec in rows_of(make_config(models={"baselines": None})) if spec.readout == "resnet50"]
    models = {"baselines": ["radiomics", "resnet50", "vit", "hiera"], "vector_models": ["ridge Cox", "MLP"]}
    found = [spec for spec in rows_of(make_config(models=models)) if spec.readout not in ("final", "-")]
    assert len(found) == 4 * 3 * 2
    assert {spec.family for spec in found} == {"image"}
    assert found[0].name == "Radiomics of PET, spine"
    assert "ResNet-50 of PET + CT, spine, MLP" in [spec.name for spec in found]
    assert [spec.fusion for spec in found[:6:2]] == ["-", "-", "concatenation"]
    assert {(spec.readout == "radiomics", spec.head) for spec in found} == {(True, "selection"), (False, "PCA")}


def test_the_stage_alone_sees_that_covariate_alone(make_config, make_study):
    table, _ = make_study(60)
    config = make_config(models={"stage": "stage"})
    spec = row(config, "stage alone")
    assert list(visible(table.features, spec).covariates.columns) == ["stage"]
    model = fit_model(table, spec, config, seed=0)
    assert model.pipeline.named_steps["survival"].cox_.coefficients.shape == (4,), "three levels and missing"
    with pytest.raises(ValueError, match=r"models\.stage is 'age2', which is none of the covariates"):
        make_config(models={"stage": "age2"})
    named = {**make_config().covariates, "r_iss": make_config().covariates["stage"]}
    assert row(make_config(covariates=named, models={"stage": "r_iss"}), "R-ISS alone").only == ("r_iss",)


def test_a_baseline_of_no_images_is_refused(make_config):
    with pytest.raises(ValueError, match="asks for resnet50, but the study has no images"):
        make_config(images=None, rois={}, models={"baselines": ["resnet50"]})


def differences(config):
    specs = rows_of(config)
    pairs = pairs_of(specs)
    return {frozenset((specs[p.row].name, specs[p.other].name)): (p.differs_in, p.prespecified) for p in pairs}


def test_rows_are_compared_where_head_fusion_or_model_alone_differ(make_config):
    models = {"heads": ALL[:2], "fusions": ["concatenation", "gate"], "vector_models": ["ridge Cox", "MLP"]}
    found = differences(
        make_config(models={**models, "stage": "stage"}, embedding={"readouts": ["final", "volume", "volume_map"]})
    )

    def between(one, other):
        return found.get(frozenset((one, other)), (None, None))[0]

    assert between("PET, spine", "PET, spine, attention") == "head"
    assert between("PET + CT, spine", "PET + CT, spine, gate") == "fusion"
    assert between("PET + CT, spine, attention", "PET + CT, spine, gate") is None
    assert between("PET, spine", "PET + CT, spine, gate") == "images"
    assert between("PET + CT, spine, gate", "PET + CT + clinical, spine, gate") == "what the row sees"
    assert between("PET + CT, spine, gate", "PET + CT + clinical, spine") is None
    assert between("PET, spine, volume", "PET, spine, volume, MLP") == "survival model"
    assert between("PET, spine, volume", "PET, spine") == "read-out, head and survival model"
    assert between("PET, spine, volume, MLP", "PET, spine") is None
    assert between("PET, spine, volume_map, attention", "PET, spine, attention") == "read-out"
    assert between("PET, spine, volume_map, attention", "PET, spine") is None
    assert between("stage alone", "Clinical, ridge Cox") == "what the row sees"
    assert between("stage alone", "Clinical, DeepSurv") is None
    assert not [pair for pair, (_, planned) in found.items() if planned and "stage alone" in pair]


def test_volumes_are_standardised_by_training_means_of_each_pixel_and_one_sd():
    volumes = np.random.default_rng(0).normal(3, 2, (40, 2, 3, 4, 4)).astype(np.float32)
    found = MapStatistics.of_volumes(volumes)
    np.testing.assert_allclose(found.mean, volumes.mean(axis=0), rtol=1e-5)
    assert found.sd == pytest.approx(np.sqrt(np.mean((volumes - volumes.mean(axis=0)) ** 2)), rel=1e-5)
    standard = found.apply(volumes)
    assert (standard.dtype, standard.shape) == (np.float32, volumes.shape)
    np.testing.assert_allclose(standard.std(), 1, rtol=1e-4)


@pytest.mark.parametrize("paper", [False, True])
def test_a_head_is_given_the_memory_or_the_paper_s_layout_of_it(make_config, paper):
    rng = np.random.default_rng(0)
    memory = rng.normal(size=(12, 2, 64, 8, 8)).astype(np.float32)
    features = PatientFeatures(
        tuple("abcdefghijkl"), pd.DataFrame(index=range(12)), {EmbeddingKey("PET", "spine"): memory}
    )
    config = make_config(
        models={"heads": ["attention", "PCA"], "origins": ["PET"]},
        embedding={"map_size": "paper" if paper else "native"},
    )
    step = build_pipeline(row(config, "PET, spine, attention"), config, seed=0).named_steps["preprocess"]
    inputs = step.fit(features).transform(features)
    assert inputs.volumes["PET"].shape == ((12, 2, 32, 64, 64) if paper else memory.shape)
    flat = build_pipeline(row(config, "PET, spine, PCA"), config, seed=0).named_steps["preprocess"]
    assert flat.fit(features).transform(features).vectors["PET"].shape == (12, 8)
    assert flat.vectors_["PET"].kept.size == (2 * 32 * 64 * 64 if paper else 2 * 64 * 8 * 8)


@pytest.fixture(scope="module")
def planted():
    """120 patients whose PET tells the hazard by a pattern over channels and pixels; the CT is noise."""
    rng = np.random.default_rng(0)
    n, shape = 120, (2, 4, 8, 8)
    hazard = 1.5 * rng.normal(size=n)
    pattern = rng.normal(size=shape)
    pet, ct = rng.normal(size=(2, n, *shape))
    pet += hazard[:, None, None, None, None] * pattern
    pet[:, :, :, :4] += hazard[:, None, None, None, None]
    time, censoring = rng.exponential(30 * np.exp(-hazard)) + 0.1, rng.exponential(90, n) + 0.1
    arrays = {EmbeddingKey(m, "spine"): a.astype(np.float32) for m, a in (("PET", pet), ("CT", ct))}
    features = PatientFeatures(tuple(f"P{i}" for i in range(n)), pd.DataFrame(index=range(n)), arrays)
    return StudyTable(features, SurvivalOutcome(time <= censoring, np.minimum(time, censoring)))


@pytest.fixture
def config(make_config):
    models = {"families": ["image"], "heads": ALL, "fusions": ["concatenation", "gate"]}
    training = {"max_epochs": 20, "patience": 8, "inner_folds": 1, "ensemble": 1, "learning_rate": 1e-2}
    return make_config(covariates={}, models=models, training=training, evaluation={"folds": 3})


def one_fold(planted, config, name):
    folds = stratified_folds(planted.outcome, folds=3, time_quantiles=4, seed=0)
    return fit_fold(planted, row(config, name), folds[0], config), folds[0]


@pytest.mark.parametrize(
    "name", [*(f"PET, spine, {head}" for head in ALL[1:]), "PET, spine", "PET + CT, spine, gate"]
)
def test_a_planted_signal_is_found_by_every_head_and_higher_is_worse(planted, config, name):
    assert one_fold(planted, config, name)[0].c_index > 0.65


def test_each_patient_has_a_share_of_its_own_and_other_rows_have_none(planted, config):
    result, fold = one_fold(planted, config, "PET + CT, spine, gate")
    assert result.gate.shape == fold.test_index.shape
    assert ((result.gate > 0) & (result.gate < 1)).all()
    assert len(np.unique(result.gate)) > 1
    for name in ("PET + CT, spine", "PET, spine", "PET + CT, spine, PCA"):
        assert one_fold(planted, config, name)[0].gate is None


def test_the_share_of_pet_is_summed_up_over_all_test_patients(make_config):
    config = make_config(models={"fusions": ["concatenation", "gate"]})
    specs = [row(config, name) for name in ("PET, spine", "PET + CT, spine, gate")]

    def on(*shares):
        nothing = np.zeros(len(shares))
        return FoldResult(nothing, nothing, 0.5, (), np.array(shares) if shares else None)

    outcomes = [SurvivalOutcome(np.ones(n, dtype=bool), np.arange(1.0, n + 1)) for n in (2, 3)]
    (found,) = gate_shares(specs, [[on(), on()], [on(0.1, 0.3), on(0.6, 0.8, 1.0)]], outcomes, seed=0)
    assert (found.row, found.first, found.n) == ("PET + CT, spine, gate", "PET", 5)
    assert found.mean == pytest.approx(0.56)
    assert found.quartiles == pytest.approx([0.3, 0.6, 0.8])
    assert found.fold_means == pytest.approx([0.2, 0.8])


def test_every_row_gives_the_same_risks_again_and_from_the_tables_that_travel(planted, config, tmp_path):
    quick = config.model_copy(update={"training": config.training.model_copy(update={"max_epochs": 2})})
    specs = [row(quick, name) for name in ("PET, spine", "PET, spine, attention", "PET + CT, spine, 3D CNN, gate")]
    specs += [row(quick, "PET, spine, flatten"), row(quick, "PET, spine, PCA")]
    folds = stratified_folds(planted.outcome, folds=3, time_quantiles=4, seed=0)[:1]
    found = fixed_rows(planted, specs, folds, quick, workers=0, cache_dir=tmp_path)
    for spec, (result,) in zip(specs, found, strict=True):
        direct = fit_fold(planted, spec, folds[0], quick)
        np.testing.assert_array_equal(direct.test_risk, result.test_risk, err_msg=spec.name)
        np.testing.assert_array_equal(direct.train_risk, result.train_risk, err_msg=spec.name)


def test_only_rows_that_read_memories_are_sent_them(planted, config, tmp_path):
    averaged = fold_jobs.averaged(planted, config)
    specs = [row(config, name) for name in ("PET, spine", "CT, spine", "PET, spine, attention", "CT, spine, PCA")]
    paths = save_row_tables(planted, averaged, specs, tmp_path)
    assert len(set(paths.values())) == len(list(tmp_path.iterdir())) == 2
    shapes = [load_table(paths[spec]).features.embeddings["PET", "spine", "final"].shape[1:3] for spec in specs]
    assert shapes == [(1, 1), (1, 1), (2, 4), (2, 4)]


def test_the_gate_is_kept_and_read_back_and_written_for_its_row_alone(planted, config, tmp_path):
    quick = config.model_copy(update={"training": config.training.model_copy(update={"max_epochs": 2})})
    specs = [row(quick, name) for name in ("PET + CT, spine", "PET + CT, spine, gate")]
    folds = stratified_folds(planted.outcome, folds=2, time_quantiles=4, seed=0)
    first = fixed_rows(planted, specs, folds, quick, workers=0, cache_dir=tmp_path)
    gates = [json.loads(file.read_text())["gate"] for file in sorted(tmp_path.glob("*.json"))]
    assert sorted(gate is None for gate in gates) == [False, False, True, True]
    again = fixed_rows(planted, specs, folds, quick, workers=0, cache_dir=tmp_path)
    for fold, one, other in zip(folds, first[1], again[1], strict=True):
        np.testing.assert_array_equal(one.gate, other.gate)
        assert one.gate.shape == fold.test_index.shape
    written = _out_of_fold(specs, first, folds, planted)
    of_row = {name: lines.set_index("patient_id")["gate_pet"] for name, lines in written.groupby("row")}
    ids = [planted.features.ids[i] for i in folds[1].test_index]
    np.testing.assert_array_equal(of_row["PET + CT, spine, gate"][ids], first[1][1].gate)
    assert of_row["PET + CT, spine"].isna().all()


@pytest.mark.parametrize("gate", [[0.5], ["half"], 3])
def test_a_kept_result_with_a_damaged_gate_is_made_again(planted, config, tmp_path, gate):
    quick = config.model_copy(update={"training": config.training.model_copy(update={"max_epochs": 1})})
    specs = [row(quick, "PET + CT, spine, gate")]
    folds = stratified_folds(planted.outcome, folds=2, time_quantiles=4, seed=0)[:1]
    first = fixed_rows(planted, specs, folds, quick, workers=0, cache_dir=tmp_path)
    (file,) = tmp_path.glob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "gate": gate}))
    again = fixed_rows(planted, specs, folds, quick, workers=0, cache_dir=tmp_path)
    np.testing.assert_array_equal(first[0][0].gate, again[0][0].gate)


def test_given_epochs_are_trained_and_no_inner_split_is_made(planted, config, monkeypatch):
    monkeypatch.setattr("engram.survival.deepsurv.inner_splits", None)
    model = build_pipeline(row(config, "PET, spine, attention"), config, seed=0, epochs=2)
    model.fit(planted.features, planted.outcome.to_structured())
    assert model.named_steps["survival"].fitted_.epochs == 2


def test_an_mlp_reads_vectors_beside_covariates(make_config, make_study):
    table, truth = make_study(120)
    vectors = np.random.default_rng(1).normal(size=(120, 10))
    vectors[:, 0] += 3 * truth["imaging"]
    features = PatientFeatures(
        table.features.ids,
        table.features.covariates,
        {EmbeddingKey("PET", "spine", "volume"): vectors.astype(np.float32)},
    )
    table = StudyTable(features, table.outcome)
    models = {"origins": ["PET"], "vector_models": ["MLP"]}
    config = make_config(embedding={"readouts": ["volume"]}, models=models)
    folds = stratified_folds(table.outcome, folds=3, time_quantiles=4, seed=0)
    c = {
        name: fit_fold(table, row(config, name), folds[0], config).c_index
        for name in ("PET, spine, volume, MLP", "PET + clinical, spine, volume, MLP")
    }
    assert 0.6 < c["PET, spine, volume, MLP"] < c["PET + clinical, spine, volume, MLP"]
    net = fit_model(table, row(config, "PET + clinical, spine, volume, MLP"), config, seed=0)
    assert net.pipeline.named_steps["survival"].fitted_.nets[0].fusion.widths == (8,)


def test_a_row_of_an_encoder_names_it(make_config, make_study, tmp_path):
    table, _ = make_study(60)
    vectors = {EmbeddingKey("PET", "spine", "resnet50"): np.random.default_rng(0).normal(size=(60, 9))}
    arrays = {**table.features.embeddings, **{key: a.astype(np.float32) for key, a in vectors.items()}}
    features = PatientFeatures(table.features.ids, table.features.covariates, arrays)
    models = {"origins": ["PET"], "families": ["image"], "baselines": ["resnet50"]}
    config = make_config(models=models, training={"max_epochs": 1, "ensemble": 1})
    whole, specs = StudyTable(features, table.outcome), rows_of(config)
    folds = stratified_folds(table.outcome, folds=2, time_quantiles=4, seed=0)
    results = fixed_rows(whole, specs, folds, config, workers=0, cache_dir=tmp_path)
    found = row_results(specs, results, folds, fold_outcomes(whole, folds), None, encoder="mini", seed=0)
    assert [(r.name, r.encoder) for r in found] == [
        ("PET, spine", "mini"),
        ("ResNet-50 of PET, spine", "ResNet-50"),
    ]
