"""Light attention: shapes, weights over channels, and the pooled side that changes nothing."""

import pytest
import torch

from engram.heads.attention import LightAttention


@pytest.fixture
def memory():
    return torch.randn(3, 2, 6, 8, 8, generator=torch.Generator().manual_seed(0))


def head(base=16, out=5, pool=4, entries=2):
    torch.manual_seed(0)
    return LightAttention(entries, base=base, out_features=out, pool=pool)


@pytest.mark.parametrize("shape", [(2, 64, 8, 8), (2, 64, 32, 32), (2, 32, 64, 64), (2, 3, 4, 4), (1, 5, 2, 6)])
def test_any_memory_gives_one_vector(shape):
    module = head(entries=shape[0], pool=8)
    assert module(torch.randn(2, *shape)).shape == (2, 5)
    weights = module.weights(torch.randn(2, *shape))
    assert weights.shape == (2, shape[1])
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))


def test_parameters_are_those_of_the_paper_s_layers():
    """Convolution 2 to 16, its norm, an MLP 16 to 16 to 1, and a projection 16 to 32; none depends on the maps."""
    count = sum(p.numel() for p in head(out=32).parameters())
    assert count == (2 * 16 + 16) + (16 + 16) + (16 * 16 + 16 + 16 + 1) + (16 * 32 + 32)


def as_described(module, memory):
    """The paper's steps one by one, in its order."""
    pool, mix, norm, gelu = module.mix
    x = gelu(norm(mix(pool(memory))))
    vectors = []
    for patient in x:
        g = patient.mean(dim=(2, 3))
        logits = torch.stack([module.logit(g[:, d])[0] for d in range(g.shape[1])])
        weights = torch.exp(logits) / torch.exp(logits).sum()
        summed = sum(w * patient[:, d] for d, w in enumerate(weights))
        small = torch.nn.functional.adaptive_avg_pool2d(summed, module.pool)
        vectors.append(module.project(small.mean(dim=(1, 2))))
    return torch.stack(vectors)


@pytest.mark.parametrize("pool", [1, 2, 3, 4, 5, 8])
def test_it_is_the_paper_s_order_of_steps_for_every_side_of_the_pooled_map(memory, pool):
    module = head(pool=pool)
    torch.testing.assert_close(module(memory), as_described(module, memory))


def test_a_side_that_divides_the_map_is_inert_and_another_is_not(memory):
    found = {pool: head(pool=pool)(memory) for pool in (1, 2, 3, 4, 8)}
    for pool in (2, 4, 8):
        torch.testing.assert_close(found[1], found[pool])
    assert not torch.allclose(found[1], found[3])


def test_channels_may_come_in_any_order_and_their_weights_move_along(memory):
    module, order = head(), torch.tensor([3, 0, 5, 1, 2, 4])
    torch.testing.assert_close(module(memory[:, :, order]), module(memory))
    torch.testing.assert_close(module.weights(memory[:, :, order]), module.weights(memory)[:, order])


def test_a_patient_s_vector_does_not_depend_on_the_others(memory):
    module = head()
    torch.testing.assert_close(module(memory)[1:2], module(memory[1:2]))


@pytest.mark.parametrize("shape", [(3, 2, 8, 8), (3, 2, 6, 1, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected memories"):
        head()(torch.zeros(shape))
