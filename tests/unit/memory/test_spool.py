"""Features on disk: what comes back is what was put, laid out as it was."""

from __future__ import annotations

import pytest
import torch

from engram.memory.contract import SliceFeatures
from engram.memory.spool import FeatureSpool


@pytest.fixture
def features() -> SliceFeatures:
    """As the encoder gives them: one slice of a batch, channels first in the finest level and last in the other."""
    generator = torch.Generator().manual_seed(0)
    fine = torch.randn(2, 3, 16, generator=generator).permute(2, 0, 1)[:, 1:2]
    coarse = torch.randn(2, 4, 5, generator=generator).to(torch.bfloat16).permute(1, 0, 2)[:, :1]
    return SliceFeatures((fine, coarse), torch.zeros(4, 1, 5))


def test_features_come_back_to_the_bit_and_in_their_layout(features: SliceFeatures) -> None:
    other = SliceFeatures(tuple(level + 1 for level in features.levels), features.position)
    with FeatureSpool(keep=True) as spool:
        spool.put(4, features)
        spool.put(2, other)
        spool.put(4, other)  # once is kept
        for z, put in ((4, features), (2, other)):
            assert z in spool
            found = spool.get(z)
            for ours, theirs in zip((*found.levels, found.position), (*put.levels, put.position), strict=True):
                assert ours.dtype == theirs.dtype
                assert torch.equal(ours, theirs)
                wide = [axis for axis, side in enumerate(theirs.shape) if side > 1]
                order = sorted(wide, key=theirs.stride, reverse=True)
                assert sorted(wide, key=ours.stride, reverse=True) == order


def test_nothing_is_kept_for_a_single_pass(features: SliceFeatures) -> None:
    with FeatureSpool(keep=False) as spool:
        spool.put(4, features)
        assert 4 not in spool
        assert spool.n_bytes == 0
        with pytest.raises(KeyError):
            spool.get(4)


def test_the_size_is_that_of_what_was_put(features: SliceFeatures) -> None:
    with FeatureSpool(keep=True) as spool:
        spool.put(4, features)
        once = spool.n_bytes
        spool.put(5, features)
        assert spool.n_bytes == 2 * once > 4 * 48 + 2 * 20
