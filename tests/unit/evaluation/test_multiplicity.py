"""Adjusted p against the example that Benjamini and Hochberg printed."""

import pytest

from engram.evaluation.multiplicity import benjamini_hochberg, holm

# Benjamini and Hochberg, J R Stat Soc B 57 (1995) 289, section 4: the 15 p of a trial of thrombolysis. At 5 %,
# Bonferroni and Hochberg call three of them, the false discovery rate four.
PUBLISHED = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459,
    0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_the_published_example():
    assert sum(p <= 0.05 for p in holm(PUBLISHED)) == 3
    assert sum(p <= 0.05 for p in benjamini_hochberg(PUBLISHED)) == 4
    assert holm(PUBLISHED)[:3] == pytest.approx([15 * 0.0001, 14 * 0.0004, 13 * 0.0019])
    assert benjamini_hochberg(PUBLISHED)[3] == pytest.approx(15 * 0.0095 / 4)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_order_is_kept_and_tests_without_a_p_do_not_count(adjust):
    alone = adjust([0.04, 0.01])
    assert adjust([None, 0.04, None, 0.01]) == [None, alone[0], None, alone[1]]
    assert alone == pytest.approx([0.04, 0.02])
    assert adjust([None, None]) == [None, None]
    assert adjust([]) == []
