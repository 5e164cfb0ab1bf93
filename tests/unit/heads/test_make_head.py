"""Every head by its name: what it takes, how long its vector is, how many parameters it has."""

import pytest
import torch

from engram.config_models import Training
from engram.heads.discarded import Flat
from engram.heads.make import OF_VOLUMES, make_head

SHAPES = [(2, 64, 8, 8), (2, 64, 32, 32), (2, 3, 4, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["averaging", *OF_VOLUMES])
def test_a_head_says_how_long_its_vector_is(name, shape):
    shape = (1, *shape[2:]) if name == "averaging" else shape
    module = make_head(name, shape, Training())
    vectors = module(torch.randn(2, *shape))
    assert vectors.shape == (2, module.out_features)
    assert torch.isfinite(vectors).all()


@pytest.mark.parametrize(("name", "count"), [("averaging", 92_672), ("3D CNN", 17_552), ("flatten", 0)])
def test_parameters(name, count):
    shape = (1, 8, 8) if name == "averaging" else (2, 64, 8, 8)
    assert sum(p.numel() for p in make_head(name, shape, Training()).parameters()) == count


def test_light_attention_follows_the_settings():
    settings = Training(attention_base=8, attention_out=3, attention_pool=3)
    module = make_head("attention", (2, 6, 8, 8), settings)
    assert (module.mix[1].out_channels, module.out_features, module.pool) == (8, 3, 3)


def test_flat_keeps_every_number():
    memory = torch.arange(48.0).reshape(2, 2, 3, 2, 2)
    assert torch.equal(Flat((2, 3, 2, 2))(memory), memory.reshape(2, 24))


def test_what_is_no_head_or_no_shape_of_it_is_refused():
    with pytest.raises(ValueError, match="'PCA' is no head; there are averaging, attention"):
        make_head("PCA", (1, 8, 8), Training())
    with pytest.raises(ValueError, match="reads 4 axes a patient"):
        make_head("attention", (1, 8, 8), Training())
    with pytest.raises(ValueError, match="reads 3 axes a patient"):
        make_head("averaging", (2, 64, 8, 8), Training())
    for name in ("3D CNN", "flatten"):
        with pytest.raises(ValueError, match="expected memories"):
            make_head(name, (2, 6, 8, 8), Training())(torch.zeros(3, 6, 8, 8))
