"""DeepSurv: direction, determinism, early stopping that sees training patients only, batch statistics."""

import numpy as np
import pytest
import torch

from engram.config_models import Training
from engram.errors import CohortError
from engram.outcome import SurvivalOutcome
from engram.survival import training as training_module
from engram.survival.deepsurv import (
    DEFAULT_EPOCHS,
    FittedDeepSurv,
    SplitPatients,
    best_epochs_and_risks,
    fit_deepsurv,
    inner_splits,
)
from engram.survival.inputs import ModelInputs
from engram.survival.metrics import harrell_c
from engram.survival.network import Batch, Design
from engram.survival.training import LabelledBatch, Look, best_epoch, local_seed, new_net, train

FAST = Training(max_epochs=40, patience=10, inner_folds=1, ensemble=1, learning_rate=1e-2)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cohort(n=80, seed=0, maps=False, strength=1.5):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    time, censoring = rng.exponential(np.exp(-strength * signal)) + 0.01, rng.exponential(3, n) + 0.01
    clinical = np.c_[signal, rng.normal(size=(n, 2))].astype(np.float32)
    outcome = SurvivalOutcome(time <= censoring, np.minimum(time, censoring))
    if not maps:
        return ModelInputs(clinical), outcome
    pictures = rng.normal(size=(n, 1, 8, 8), scale=0.3) + signal[:, None, None, None]
    return ModelInputs(None, {"PET": pictures.astype(np.float32)}), outcome


@pytest.mark.parametrize("maps", [False, True])
def test_signal_is_found_in_new_patients_and_higher_is_worse(maps):
    inputs, outcome = cohort(100, maps=maps)
    fitted = fit_deepsurv(inputs, outcome, FAST, seed=0)
    new_inputs, new_outcome = cohort(200, seed=9, maps=maps)
    assert harrell_c(fitted.predict(new_inputs), new_outcome) > 0.7
    assert fitted.notes == ()


def test_same_seed_same_risks_whatever_the_global_generator_and_another_seed_others():
    inputs, outcome = cohort()
    risks = []
    for seed, noise in ((1, 0), (1, 5), (2, 0)):
        torch.manual_seed(noise)
        risks.append(fit_deepsurv(inputs, outcome, FAST, seed=seed).predict(inputs))
    np.testing.assert_array_equal(risks[0], risks[1])
    assert not np.array_equal(risks[0], risks[2])


def test_the_global_generator_is_left_as_it_was():
    inputs, outcome = cohort(30)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit_deepsurv(inputs, outcome, FAST, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_prediction_of_a_patient_does_not_depend_on_the_others():
    inputs, outcome = cohort(60, maps=True)
    fitted = fit_deepsurv(inputs, outcome, FAST, seed=0)
    alone = fitted.predict(inputs.subset(np.array([5])))
    np.testing.assert_allclose(alone, fitted.predict(inputs)[5:6], atol=1e-5)


def test_batch_statistics_are_those_of_the_training_patients_after_few_epochs():
    inputs, outcome = cohort()
    with local_seed(0):
        net = new_net(inputs, FAST)
        train(net, LabelledBatch.of(inputs, outcome), FAST, epochs=2)
    linear, norm = net.head[0], net.head[1]
    hidden = linear(Batch(inputs).clinical)
    torch.testing.assert_close(norm.running_mean, hidden.mean(dim=0))
    torch.testing.assert_close(norm.running_var, hidden.var(dim=0))
    assert not net.head.training


def test_early_stopping_finds_the_best_of_all_epochs(monkeypatch):
    inputs, outcome = cohort()
    half = np.arange(40)
    parts = [LabelledBatch.of(inputs.subset(i), outcome.subset(i)) for i in (half, half + 40)]
    curve = iter([3.0, 2.0, 1.0, 1.5, 0.5, 2.0, 2.0, 2.0])
    monkeypatch.setattr(training_module, "cox_loss", lambda *_: next(curve))
    monkeypatch.setattr(training_module._Run, "step", lambda *_: None)
    with local_seed(0):
        best = best_epoch(new_net(inputs, FAST), *parts, FAST.model_copy(update={"patience": 3}))
    assert best.epoch == 5
    assert len(list(curve)) == 0


def test_more_inner_folds_give_the_median_epoch(monkeypatch):
    inputs, outcome = cohort()
    looks = [Look(epoch, 0.0, torch.zeros(1)) for epoch in (3, 30, 9)]
    monkeypatch.setattr("engram.survival.deepsurv.best_looks", lambda *_: looks)
    fitted = fit_deepsurv(inputs, outcome, FAST.model_copy(update={"inner_folds": 3}), seed=0)
    assert fitted.epochs == 9


@pytest.mark.parametrize(("inner_folds", "splits", "held_out"), [(1, 1, 16), (3, 3, 27), (5, 5, 16)])
def test_inner_splits_hold_out_training_patients(inner_folds, splits, held_out):
    _, outcome = cohort(80)
    found = inner_splits(outcome, folds=inner_folds, time_quantiles=4, seed=0)
    assert len(found) == splits
    assert abs(len(found[0].test_index) - held_out) <= 1


def test_inner_parts_without_events_are_left_out_and_said():
    inputs, outcome = cohort(40)
    event = np.zeros(40, dtype=bool)
    event[np.argsort(outcome.time)[:1]] = True
    rare = SurvivalOutcome(event, outcome.time)
    fitted = fit_deepsurv(inputs, rare, FAST.model_copy(update={"inner_folds": 3}), seed=0)
    assert fitted.epochs == min(DEFAULT_EPOCHS, FAST.max_epochs)
    assert "no inner split" in fitted.notes[0]
    event[np.argsort(outcome.time)[1:2]] = True
    two = fit_deepsurv(
        inputs, SurvivalOutcome(event, outcome.time), FAST.model_copy(update={"inner_folds": 3}), seed=0
    )
    assert two.notes
    assert np.isfinite(two.predict(inputs)).all()


def test_too_few_patients_for_an_inner_split_train_the_default():
    inputs, outcome = cohort(9)
    fitted = fit_deepsurv(inputs, outcome, FAST, seed=0)
    assert fitted.epochs == min(DEFAULT_EPOCHS, FAST.max_epochs)


def test_nobody_at_risk_is_refused():
    inputs, outcome = cohort(20)
    with pytest.raises(CohortError, match="had an event while another was at risk"):
        fit_deepsurv(inputs, SurvivalOutcome(np.zeros(20, dtype=bool), outcome.time), FAST, seed=0)


def gradients(l2):
    inputs, outcome = cohort(30, maps=True)
    settings = FAST.model_copy(update={"weight_decay": 0.0, "l2": l2, "clip_norm": 1e9, "dropout": 0.0})
    with local_seed(0):
        net = new_net(inputs, settings)
        start = {name: p.detach().clone() for name, p in net.named_parameters()}
        train(net, LabelledBatch.of(inputs, outcome), settings, epochs=1)
    return start, {name: p.grad for name, p in net.named_parameters()}


def test_the_explicit_penalty_is_on_the_survival_head_alone():
    start, plain = gradients(0.0)
    _, penalised = gradients(0.5)
    for name, before in start.items():
        expected = plain[name] + (2 * 0.5 * before if name.startswith("head") else 0)
        torch.testing.assert_close(penalised[name], expected, msg=name)
    assert any(name.startswith("towers") for name in start)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": ()},
        {"hidden": (16, 8)},
        {"norm": "none"},
        {"norm": "layer"},
        {"embedding_dropout": 0.5},
        {"schedule": "step"},
        {"ties": "efron"},
        {"dropout": 0.0},
        {"max_epochs": 1},
    ],
)
def test_every_setting_trains(change):
    inputs, outcome = cohort(40)
    fitted = fit_deepsurv(inputs, outcome, FAST.model_copy(update={"max_epochs": 5, **change}), seed=0)
    assert np.isfinite(fitted.predict(inputs)).all()
    assert 1 <= fitted.epochs <= 5


def test_norm_and_embedding_dropout_are_layers_of_the_survival_head_and_none_where_they_are_off():
    inputs, _ = cohort(10)
    expected = {
        ("batch", 0.0): ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"],
        ("layer", 0.0): ["Linear", "LayerNorm", "ReLU", "Dropout", "Linear"],
        ("none", 0.0): ["Linear", "ReLU", "Dropout", "Linear"],
        ("none", 0.4): ["Dropout", "Linear", "ReLU", "Dropout", "Linear"],
    }
    for (norm, dropout), layers in expected.items():
        net = new_net(inputs, FAST.model_copy(update={"norm": norm, "embedding_dropout": dropout}))
        assert [type(layer).__name__ for layer in net.head] == layers
        if dropout:
            assert net.head[0].p == dropout


def best_epochs_and_risk(inputs, outcome, validation_inputs, validation_outcome, settings, seed):
    parts = SplitPatients(inputs, outcome, validation_inputs, validation_outcome)
    return best_epochs_and_risks([parts], settings, [seed])[0]


def test_the_validation_risk_is_that_of_the_best_epoch():
    """One epoch is the only one there is, so both ways must give the same network."""
    inputs, outcome = cohort(60)
    parts = [(inputs.subset(i), outcome.subset(i)) for i in (np.arange(40), np.arange(40, 60))]
    settings = FAST.model_copy(update={"max_epochs": 1})
    epoch, risk = best_epochs_and_risk(*parts[0], *parts[1], settings, 3)
    assert epoch == 1
    fitted = fit_deepsurv(*parts[0], settings, 3, epochs=1)
    np.testing.assert_allclose(risk, fitted.predict(parts[1][0]), rtol=1e-6)
    assert fitted.notes == ()


def test_parts_that_rank_nobody_are_not_judged():
    inputs, outcome = cohort(40)
    nobody = SurvivalOutcome(np.zeros(40, dtype=bool), outcome.time)
    assert best_epochs_and_risk(inputs, outcome, inputs, nobody, FAST, 0) is None
    assert best_epochs_and_risk(inputs, nobody, inputs, outcome, FAST, 0) is None


def test_the_risk_of_the_best_epoch_is_not_that_of_the_last(monkeypatch):
    inputs, outcome = cohort(60, maps=True)
    losses = []
    original = training_module.cox_loss

    def keep(risk, *others):
        losses.append((original(risk, *others), risk.detach().clone()))
        return losses[-1][0]

    monkeypatch.setattr(training_module, "cox_loss", keep)
    validation = cohort(20, seed=5, maps=True)
    epoch, risk = best_epochs_and_risk(inputs, outcome, *validation, FAST, 0)
    looks = [look for look in losses if len(look[1]) == 20]
    assert epoch == 1 + int(np.argmin([float(loss) for loss, _ in looks])) < len(looks)
    np.testing.assert_array_equal(risk, looks[epoch - 1][1].double().numpy())


def test_vectors_stand_before_covariates_in_a_survival_head_and_both_are_used():
    inputs, outcome = cohort(60)
    both = ModelInputs(inputs.clinical, vectors={"PET": np.flip(inputs.clinical, axis=1)[:, :2].copy()})
    fitted = fit_deepsurv(both, outcome, FAST, seed=0)
    assert fitted.nets[0].fusion.out_features == 2 + 3
    assert fitted.gate(both) is None
    other = ModelInputs(both.clinical, vectors={"PET": both.vectors["PET"] + 1})
    assert not np.allclose(fitted.predict(both), fitted.predict(other))


def test_flatten_makes_a_linear_model_of_every_number():
    rng = np.random.default_rng(0)
    _, outcome = cohort(30)
    volumes = ModelInputs(None, volumes={"PET": rng.normal(size=(30, 2, 3, 4, 4)).astype(np.float32)})
    net = fit_deepsurv(volumes, outcome, FAST, seed=0, design=Design("flatten")).nets[0]
    assert sum(p.numel() for p in net.parameters()) == 2 * 3 * 4 * 4


def test_maps_beside_volumes_are_refused():
    maps, volumes = np.zeros((3, 1, 4, 4), dtype=np.float32), np.zeros((3, 2, 3, 4, 4), dtype=np.float32)
    with pytest.raises(ValueError, match="averaged maps or whole memories, not both"):
        ModelInputs(None, {"PET": maps}, volumes={"CT": volumes})
    with pytest.raises(ValueError, match="volumes of PET: unexpected shape"):
        ModelInputs(None, volumes={"PET": maps})


def test_an_ensemble_is_the_mean_of_networks_of_different_seeds():
    inputs, outcome = cohort(40)
    settings = FAST.model_copy(update={"max_epochs": 5, "ensemble": 3})
    together = fit_deepsurv(inputs, outcome, settings, seed=7)
    first = fit_deepsurv(inputs, outcome, settings.model_copy(update={"ensemble": 1}), seed=7)
    alone = [FittedDeepSurv((net,), together.epochs, ()).predict(inputs) for net in together.nets]
    assert np.allclose(alone[0], first.predict(inputs), atol=1e-6)  # stacked products differ in the last bits
    assert not np.allclose(alone[0], alone[1])
    assert np.allclose(together.predict(inputs), np.mean(alone, axis=0))


def test_pet_ct_and_clinical_are_all_used():
    inputs, outcome = cohort(40)
    rng = np.random.default_rng(0)
    maps = {m: rng.normal(size=(40, 1, 8, 8)).astype(np.float32) for m in ("PET", "CT")}
    both = ModelInputs(inputs.clinical, maps)
    fitted = fit_deepsurv(both, outcome, FAST.model_copy(update={"max_epochs": 5}), seed=0)
    assert fitted.nets[0].fusion.out_features == 128 + 128 + 3
    base = fitted.predict(both)
    for changed in (
        ModelInputs(inputs.clinical + 1, maps),
        ModelInputs(inputs.clinical, {**maps, "PET": maps["PET"] + 1}),
        ModelInputs(inputs.clinical, {**maps, "CT": maps["CT"] + 1}),
    ):
        assert not np.allclose(fitted.predict(changed), base)


@pytest.mark.parametrize(
    ("clinical", "maps", "message"),
    [
        (None, {}, "one length"),
        (np.zeros((2, 1)), {"PET": np.zeros((3, 1, 8, 8))}, "one length"),
        (np.zeros(2), {}, "unexpected shape"),
        (np.full((2, 1), np.nan), {}, "finite"),
    ],
)
def test_impossible_inputs_are_refused(clinical, maps, message):
    with pytest.raises(ValueError, match=message):
        ModelInputs(clinical, maps)


def test_vectors_stand_after_the_covariates_in_the_order_of_fusion():
    clinical, pet, ct = np.full((3, 2), 1.0), np.full((3, 1), 2.0), np.full((3, 2), 3.0)
    inputs = ModelInputs(clinical, vectors={"PET": pet, "CT": ct})
    assert inputs.columns.tolist() == [[1, 1, 2, 3, 3]] * 3
    assert ModelInputs(None, vectors={"PET": pet}).subset(np.array([2, 0])).columns.tolist() == [[2], [2]]
    assert len(ModelInputs(None, vectors={"PET": pet})) == 3


def test_impossible_vectors_are_refused():
    maps = {"PET": np.zeros((3, 1, 8, 8))}
    with pytest.raises(ValueError, match="one length"):
        ModelInputs(None, maps, {"PET": np.zeros((2, 1))})
    with pytest.raises(ValueError, match="vectors of PET: unexpected shape"):
        ModelInputs(np.zeros((3, 1)), vectors={"PET": np.zeros((3, 0))})
    with pytest.raises(ValueError, match="no maps"):
        _ = ModelInputs(np.zeros((3, 1)), maps).columns


def test_inputs_and_outcomes_must_match():
    inputs, outcome = cohort(20)
    with pytest.raises(ValueError, match="20 patients but 19"):
        fit_deepsurv(inputs, outcome.subset(np.arange(19)), FAST, seed=0)


@pytest.mark.parametrize("name", ["type", "half", "training", "a name of theirs"])
def test_images_may_have_any_name(name):
    inputs, outcome = cohort(20, maps=True)
    (maps,) = inputs.maps.values()
    settings = FAST.model_copy(update={"max_epochs": 2})
    renamed = fit_deepsurv(ModelInputs(inputs.clinical, maps={name: maps}), outcome, settings, seed=0)
    assert np.array_equal(
        renamed.predict(ModelInputs(inputs.clinical, maps={name: maps})),
        fit_deepsurv(inputs, outcome, settings, seed=0).predict(inputs),
    )
