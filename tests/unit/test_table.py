"""What the study table accepts: maps for map read-outs, vectors for vector read-outs."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from engram.config_embedding import ReadOutName
from engram.table import MAP_READOUTS, OWN_MAP, VECTOR_READOUTS, EmbeddingKey, PatientFeatures


def features(readout, shape):
    key = EmbeddingKey("PET", "spine", readout)
    return PatientFeatures(("a", "b"), pd.DataFrame(index=range(2)), {key: np.zeros(shape, dtype=np.float32)})


def test_every_read_out_is_a_map_or_a_vector():
    assert {*MAP_READOUTS, *VECTOR_READOUTS} == {*get_args(ReadOutName), OWN_MAP}
    assert not set(MAP_READOUTS) & set(VECTOR_READOUTS)


@pytest.mark.parametrize("readout", MAP_READOUTS)
def test_maps(readout):
    assert len(features(readout, (2, 1, 3, 4, 4))) == 2
    with pytest.raises(ValueError, match=r"expected \(2, entries, channels, h, w\), got \(2, 9\)"):
        features(readout, (2, 9))
    with pytest.raises(ValueError, match="expected"):
        features(readout, (3, 1, 3, 4, 4))


@pytest.mark.parametrize("readout", VECTOR_READOUTS)
def test_vectors(readout):
    whole = features(readout, (2, 9))
    (part,) = whole.subset(np.array([1])).embeddings.values()
    assert part.shape == (1, 9)
    with pytest.raises(ValueError, match=r"expected \(2, p\), got \(2, 1, 3, 4, 4\)"):
        features(readout, (2, 1, 3, 4, 4))
    with pytest.raises(ValueError, match="expected"):
        features(readout, (1, 9))


def test_an_unknown_read_out_is_refused():
    with pytest.raises(ValueError, match="unknown read-out; there are final, "):
        features("finale", (2, 9))
