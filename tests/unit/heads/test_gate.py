"""The gate: one share of PET a patient."""

import pytest
import torch

from engram.heads.fusion import Gate


def test_it_has_257_parameters_at_128():
    """2 d + 1 (paper 2.3.2)."""
    assert sum(p.numel() for p in Gate([128, 128], 9).parameters()) == 257


def test_a_patient_s_vector_is_the_mixture_by_its_share_then_clinical():
    torch.manual_seed(0)
    gate, pet, ct, clinical = Gate([4, 4], 2), torch.randn(3, 4), torch.randn(3, 4), torch.randn(3, 2)
    alpha = gate.alpha([pet, ct])
    expected = 1 / (1 + torch.exp(-(torch.cat([pet, ct], 1) @ gate.logit.weight[0] + gate.logit.bias)))
    torch.testing.assert_close(alpha, expected)
    found = gate([pet, ct], clinical)
    torch.testing.assert_close(found[1], torch.cat([alpha[1] * pet[1] + (1 - alpha[1]) * ct[1], clinical[1]]))
    assert found.shape == (3, gate.out_features) == (3, 6)


def test_all_of_pet_or_all_of_ct():
    gate, pet, ct = Gate([2, 2], 0), torch.ones(1, 2), 5 * torch.ones(1, 2)
    for bias, expected in ((50.0, pet), (-50.0, ct)):
        with torch.no_grad():
            gate.logit.bias.fill_(bias)
        torch.testing.assert_close(gate([pet, ct], None), expected)


@pytest.mark.parametrize("widths", [[4], [4, 3], [4, 4, 4]])
def test_other_than_two_vectors_of_one_width_are_refused(widths):
    with pytest.raises(ValueError, match="two vectors of one width"):
        Gate(widths, 0)


def test_a_vector_of_another_width_is_refused():
    with pytest.raises(ValueError, match="expected vectors of widths"):
        Gate([3, 3], 2)([torch.zeros(2, 3), torch.zeros(2, 3)], None)
