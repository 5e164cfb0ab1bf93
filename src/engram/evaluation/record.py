"""The base of everything that is saved in results.json."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen, and without fields that the schema does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
