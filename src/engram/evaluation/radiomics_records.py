"""What is saved of the radiomics that rows read."""

from __future__ import annotations

from engram.evaluation.record import Record


class RadiomicsProvenance(Record):
    """The table of radiomics that rows read."""

    tool: str | None  # as "MIRP 2.7.0"; None for a table of the user's own
    settings: dict[str, str]  # of each scan, in words; empty for a table of the user's own
    features: int  # the most that a model sees of a scan
    digest: str  # of the bytes of the table
