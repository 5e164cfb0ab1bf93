"""The report's fixed texts for results of a user's own embeddings, which may be of anything: no images in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from engram.evaluation.results import RowResult
from engram.table import OWN

_INSTEAD: Final = (
    (r"Is imaging worth", "Are the embeddings worth"),
    (r"\bImage(s?)\b", r"Embedding\1"),
    (r"\bimage(s?)\b", r"embedding\1"),
    (r"\beach scan\b", "each embedding"),
)


def said(text: str, rows: Iterable[RowResult]) -> str:
    """A fixed text (no name of a row in it) as it is where any row sees images, else with embeddings for images."""
    seen = [row.readout for row in rows if row.family != "clinical"]
    if not seen or any(readout not in OWN for readout in seen):
        return text
    for pattern, instead in _INSTEAD:
        text = re.sub(pattern, instead, text)
    return text
