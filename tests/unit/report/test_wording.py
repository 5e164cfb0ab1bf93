"""Fixed texts say embeddings where every row sees the user's own, and images elsewhere."""

from types import SimpleNamespace

import pytest

from engram.report.wording import said


def rows(*readouts):
    found = [SimpleNamespace(family="image", readout=readout) for readout in readouts]
    return [SimpleNamespace(family="clinical", readout="-"), *found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is imaging worth it over clinical?", "Are the embeddings worth it over clinical?"),
        ("Image-only rows", "Embedding-only rows"),
        ("No: images made it worse.", "No: embeddings made it worse."),
        ("components of each scan", "components of each embedding"),
        ("imagined", "imagined"),
    ],
)
def test_own_embeddings_are_no_images(text, expected):
    assert said(text, rows("vector", "map")) == expected
    for others in (rows("final"), rows("vector", "volume"), rows("pet_numbers"), rows()):
        assert said(text, others) == text
