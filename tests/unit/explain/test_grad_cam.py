"""Grad-CAM: equal to autograd, at its height where the risk is decided, and no trace of it in the model."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from engram.errors import CohortError, ConfigError
from engram.evaluation.fingerprint import fingerprint
from engram.explain.fold_models import fold_models
from engram.explain.grad_cam import GradCam, _on_map, grad_cam, peak_of
from engram.outcome import SurvivalOutcome
from engram.survival.network import Batch
from engram.table import EmbeddingKey, StudyTable

PET = EmbeddingKey("PET", "spine")
GATED = "PET + CT + clinical, spine, gate"


@pytest.fixture
def model_of(evaluated):
    """The model of the first fold, and its held-out patients."""

    def make(row, **how):
        study, kept, _ = evaluated(row, **how)
        model = fold_models(*study, **kept)[0]
        return model, study[0].features.subset(model.test_index)

    return make


def by_hooks(net, inputs, tower):
    """Grad-CAM of one network, from the whole network and its hooks."""
    seen = {}
    relu = net.towers[tower].features[7]
    relu.register_forward_hook(lambda _module, _given, out: seen.update(out=out) or out.retain_grad())
    net(Batch(inputs)).sum().backward()
    out = seen["out"]
    net.zero_grad()
    return (out.grad.mean(dim=(2, 3), keepdim=True) * out).sum(dim=1)[0].detach()


@pytest.mark.parametrize(("row", "modality"), [("PET, spine", "PET"), (GATED, "PET"), (GATED, "CT")])
def test_it_equals_a_direct_autograd_computation(model_of, row, modality):
    model, held_out = model_of(row)
    patient = held_out.subset(np.array([0]))
    found = grad_cam(model, patient, modality)
    inputs = model.inputs(patient)
    cells = torch.stack([by_hooks(net, inputs, list(inputs.maps).index(modality)) for net in model.deepsurv.nets])
    expected = interpolate(cells.mean(0)[None, None], size=(8, 8), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(found.signed, expected.numpy(), rtol=1e-4, atol=1e-7)
    assert np.abs(found.signed).max() > 0
    assert found.networks == 2


def test_the_model_stays_as_it_was_and_gives_the_same_again(model_of):
    model, held_out = model_of(GATED)
    patient = held_out.subset(np.array([0]))
    before, risk = fingerprint(model.fitted.pipeline), model.risk(patient)
    one, two = grad_cam(model, patient, "PET"), grad_cam(model, patient, "PET")
    np.testing.assert_array_equal(one.signed, two.signed)
    assert fingerprint(model.fitted.pipeline) == before
    assert model.risk(patient) == risk
    assert all(weights.grad is None for net in model.deepsurv.nets for weights in net.parameters())


def with_a_blob(table):
    """Maps of 16 x 16 pixels in which a blob, rows 4 to 8 and columns 8 to 12, decides the risk; little else."""
    rng, n = np.random.default_rng(11), len(table)
    level = rng.exponential(size=n).astype(np.float32)
    pet = rng.normal(scale=0.1, size=(n, 1, 1, 16, 16)).astype(np.float32)
    pet[:, :, :, 4:8, 8:12] += level[:, None, None, None, None]
    outcome = SurvivalOutcome(np.ones(n, dtype=bool), rng.exponential(np.exp(-2.5 * level)) + 0.01)
    return StudyTable(dataclasses.replace(table.features, embeddings={PET: pet}), outcome)


def test_it_peaks_where_a_planted_blob_decides_the_risk(model_of):
    training = {"max_epochs": 20, "patience": 20, "inner_folds": 1, "ensemble": 1, "learning_rate": 1e-2}
    model, held_out = model_of("PET, spine", change=with_a_blob, training=training)
    bright = held_out.embeddings[PET][:, 0, 0, 4:8, 8:12].mean(axis=(1, 2))
    for number in np.argsort(-bright)[:4]:
        plane = grad_cam(model, held_out.subset(np.array([number])), "PET").on_plane((64, 32))
        y, x = np.unravel_index(plane.argmax(), plane.shape)
        assert (16 <= y < 32, 16 <= x < 24) == (True, True)  # the plane is 4 times as high, and twice as wide


def test_cells_lie_on_the_pixels_that_they_were_pooled_from():
    cells = torch.zeros(4, 4)
    cells[0, 3] = 1
    found = _on_map(cells, (16, 18), 4)
    assert found.shape == (16, 18)
    y, x = (np.arange(n) + 0.5 for n in found.shape)
    centre = (found.sum(1) @ y / found.sum(), found[:, :16].sum(0) @ x[:16] / found[:, :16].sum())
    assert centre[0] < 4 < 12 < centre[1]
    np.testing.assert_array_equal(found[:, 16], found[:, 15])


def test_the_plane_has_scales_of_its_own_and_the_sign_is_kept():
    signed = np.array([[1.0, 0.0], [0.0, -1.0]], dtype=np.float32)
    cam = GradCam("PET", signed, (2, 2), 1)
    plane = cam.on_plane((40, 20))
    assert plane.shape == (40, 20)
    assert plane[0, 0] == 1
    assert plane[-1, -1] == -1
    np.testing.assert_allclose(plane[:20, :10], plane[:20, :10].clip(0), atol=1e-6)
    assert cam.on_plane((40, 20), positive=True).min() == 0
    smaller = GradCam("PET", np.repeat(np.repeat(signed, 8, 0), 8, 1), (2, 2), 1).on_plane((4, 4))
    np.testing.assert_allclose(smaller[0, 0], 1.0, atol=1e-6)


def test_the_record_says_where_and_how_much_and_not_who(model_of):
    model, _ = model_of("PET, spine")
    signed = np.zeros((4, 8), dtype=np.float32)
    signed[3, 1], signed[0, 0] = -3, 1
    record = peak_of(GradCam("PET", signed, (1, 2), 2), model, 7)
    assert (record.highest, record.lowest, record.raising) == (1, -3, 0.25)
    assert record.peak == [3.5 / 4, 1.5 / 8]
    assert (record.patient, record.fold, record.networks) == (7, 1, 2)
    assert peak_of(GradCam("PET", 0 * signed, (1, 2), 2), model, 7).raising is None


def test_what_has_no_averaging_cnn_or_trained_the_model_is_refused(model_of):
    model, held_out = model_of("PET, spine")
    patient = held_out.subset(np.array([0]))
    with pytest.raises(ConfigError, match="'PET, spine' has no averaging CNN of 'CT'"):
        grad_cam(model, patient, "CT")
    with pytest.raises(ValueError, match="one patient, got 20"):
        grad_cam(model, held_out, "PET")
    with pytest.raises(CohortError, match="trained this model"):
        grad_cam(model, dataclasses.replace(patient, ids=model.train_ids[:1]), "PET")
