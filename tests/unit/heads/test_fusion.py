"""Concatenation of modality vectors and covariates."""

import pytest
import torch

from engram.heads.fusion import Concatenation

PET, CT, CLINICAL = torch.ones(2, 3), 2 * torch.ones(2, 3), 3 * torch.ones(2, 4)


def test_order_is_modalities_then_clinical():
    fusion = Concatenation([3, 3], 4)
    assert fusion.out_features == 10
    assert fusion([PET, CT], CLINICAL)[0].tolist() == [1] * 3 + [2] * 3 + [3] * 4
    assert not list(fusion.parameters())


def test_image_only_and_clinical_only():
    assert Concatenation([3], 0)([PET], None).shape == (2, 3)
    assert Concatenation([], 4)([], CLINICAL).shape == (2, 4)


@pytest.mark.parametrize(("vectors", "clinical"), [([PET], None), ([PET, CT], CLINICAL), ([PET], PET)])
def test_what_was_not_declared_is_refused(vectors, clinical):
    with pytest.raises(ValueError, match="expected vectors"):
        Concatenation([3], 4)(vectors, clinical)


def test_nothing_to_fuse_is_refused():
    with pytest.raises(ValueError, match="nothing to fuse"):
        Concatenation([], 0)
