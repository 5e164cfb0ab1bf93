"""Stacked networks: the numbers of training one by one, whoever else is in the stack."""

import numpy as np
import pytest
import torch
from torch import nn

from engram.config_models import Training
from engram.outcome import SurvivalOutcome
from engram.survival.cox_loss import cox_loss, risk_sets
from engram.survival.dropout_masks import Masks
from engram.survival.inputs import ModelInputs
from engram.survival.network import Design
from engram.survival.side_by_side import InnerRun, best_looks, trained_nets
from engram.survival.stacked import learning_rate, stackable
from engram.survival.stacked_cox import StackedRiskSets
from engram.survival.training import LabelledBatch, _schedule, best_epoch, local_seed, new_net, train

AVERAGED = Design()
SETTINGS = Training(max_epochs=12, patience=5, hidden=(8,), learning_rate=1e-2)
CHANGES = [
    {},
    {"norm": "layer"},
    {"norm": "batch", "embedding_dropout": 0.2},
    {"norm": "none", "dropout": 0.0},
    {"hidden": ()},
    {"hidden": (8, 4), "schedule": "step"},
    {"ties": "efron", "weight_decay": 0.0, "l2": 0.1},
    {"clip_norm": 0.05},
]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cohort(n, seed=0, columns=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, columns)).astype(np.float32)
    time, censoring = rng.exponential(5 * np.exp(-x[:, 0])), rng.exponential(10, n)
    months = np.ceil(np.minimum(time, censoring)).clip(1)  # many ties
    inputs = ModelInputs(x[:, :2], vectors={"PET": x[:, 2:]})
    return inputs, SurvivalOutcome(time <= censoring, months)


def run_of(n, m, seed, columns=4):
    inputs, outcome = cohort(n, seed, columns)
    return InnerRun(
        inputs, LabelledBatch.of(inputs, outcome), LabelledBatch.of(*cohort(m, seed + 50, columns)), seed
    )


class DrawnDropout(nn.Module):
    """Dropout of one network by the masks that it has in a stack."""

    def __init__(self, p, seed, place):
        super().__init__()
        self.p, self.seed, self.place, self.masks = p, seed, place, None

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        self.masks = self.masks or Masks(self.p, [self.seed], [len(x)], place=self.place, width=x.shape[1])
        return x * self.masks.draw()[0].clone()


def alone(inputs, settings, seed):
    net = new_net(inputs, settings)
    for place, layer in enumerate(net.head):
        if isinstance(layer, nn.Dropout):
            net.head[place] = DrawnDropout(layer.p, seed, place)
    return net


def one_by_one(run, settings):
    with local_seed(run.seed):
        return best_epoch(alone(run.inputs, settings, run.seed), run.training, run.validation, settings)


def assert_same(looks, others, tolerance=1e-5):
    assert [look.epoch for look in looks] == [look.epoch for look in others]
    for look, other in zip(looks, others, strict=True):
        torch.testing.assert_close(look.risk, other.risk, rtol=0, atol=tolerance)
        assert look.loss == pytest.approx(other.loss, abs=tolerance)


@pytest.mark.parametrize("change", CHANGES)
def test_early_stopping_is_that_of_networks_trained_one_by_one(change):
    settings = SETTINGS.model_copy(update=change)
    runs = [run_of(40, 15, 1), run_of(33, 18, 2), run_of(41, 9, 3)]
    assert_same(best_looks(runs, settings, AVERAGED), [one_by_one(run, settings) for run in runs], 1e-6)


@pytest.mark.parametrize("change", CHANGES)
def test_trained_networks_are_those_trained_one_by_one(change):
    settings = SETTINGS.model_copy(update=change)
    inputs, outcome = cohort(50)
    everyone = LabelledBatch.of(inputs, outcome)
    nets = trained_nets(inputs, everyone, settings, AVERAGED, epochs=9, seeds=[4, 5, 6])
    for seed, net in zip([4, 5, 6], nets, strict=True):
        with local_seed(seed):
            other = alone(inputs, settings, seed)
            train(other, everyone, settings, epochs=9)
        assert not net.training
        torch.testing.assert_close(net(everyone.batch), other.eval()(everyone.batch), rtol=0, atol=1e-6)


def test_company_does_not_matter():
    run = run_of(40, 15, 1)
    together = best_looks([run_of(60, 30, 2), run, run_of(20, 8, 3)], SETTINGS, AVERAGED)
    assert_same([together[1]], best_looks([run], SETTINGS, AVERAGED), 1e-6)


def test_the_same_stack_gives_the_same_bits():
    runs = [run_of(40, 15, 1), run_of(33, 18, 2)]
    first, second = (best_looks(runs, SETTINGS, AVERAGED) for _ in range(2))
    assert all(torch.equal(a.risk, b.risk) and a.loss == b.loss for a, b in zip(first, second, strict=True))


def test_runs_of_different_widths_are_stacked_apart_and_come_back_in_order():
    runs = [run_of(30, 12, 1), run_of(30, 12, 2, columns=6), run_of(30, 12, 3)]
    assert_same(best_looks(runs, SETTINGS, AVERAGED), [one_by_one(run, SETTINGS) for run in runs])


def test_the_global_generator_is_left_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    best_looks([run_of(30, 12, 1)], SETTINGS, AVERAGED)
    assert torch.equal(torch.rand(3), expected)


def test_networks_with_more_to_learn_than_a_head_are_not_stacked():
    inputs, _ = cohort(10)
    both = ModelInputs(inputs.clinical, vectors={"PET": inputs.clinical, "CT": inputs.clinical})
    maps = ModelInputs(None, {"PET": np.zeros((10, 1, 8, 8), np.float32)})
    nets = [new_net(both, SETTINGS), new_net(both, SETTINGS, Design(fusion="gate")), new_net(maps, SETTINGS)]
    assert [stackable(net, net.head) for net in nets] == [True, False, False]


@pytest.mark.parametrize("schedule", ["cosine", "step"])
@pytest.mark.parametrize("epochs", [1, 7, 200])
def test_learning_rates_are_those_of_the_schedule(schedule, epochs):
    settings = Training(schedule=schedule, max_epochs=epochs)
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=settings.learning_rate)
    scheduler = _schedule(optimizer, settings)
    for done in range(epochs):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(settings, done) == pytest.approx(expected, rel=1e-9, abs=1e-15)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_losses_and_gradients_are_those_of_the_cox_loss(ties, scale):
    outcomes = [cohort(n, seed)[1] for seed, n in enumerate((30, 21, 1, 30))]
    outcomes[3] = SurvivalOutcome(np.zeros(30, dtype=bool), outcomes[3].time)
    sets = [risk_sets(outcome) for outcome in outcomes]
    stacked = StackedRiskSets(sets)
    risk = scale * torch.randn(4, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    losses, gradients = stacked.losses(risk, ties), stacked.gradients(risk, ties)
    for row, (outcome, each) in enumerate(zip(outcomes, sets, strict=True)):
        leaf = risk[row, : len(outcome)].clone().requires_grad_()
        loss = cox_loss(leaf, each, ties)
        loss.backward()
        torch.testing.assert_close(losses[row], loss.detach())
        torch.testing.assert_close(gradients[row, : len(outcome)], leaf.grad, rtol=1e-9, atol=1e-12)
        assert not gradients[row, len(outcome) :].any()
