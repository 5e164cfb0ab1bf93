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
    """A fixed text as it is where any row sees images, else with embeddings for images. Names of rows that stand in
    it must be in \u201cthese quotes\u201d: they are left alone."""
    seen = [row.readout for row in rows if row.family != "clinical"]
    if not seen or any(readout not in OWN for readout in seen):
        return text
    parts = re.split("(\u201c[^\u201d]*\u201d)", text)
    return "".join(part if part.startswith("\u201c") else _without_images(part) for part in parts)


def _without_images(text: str) -> str:
    for pattern, instead in _INSTEAD:
        text = re.sub(pattern, instead, text)
    return text
