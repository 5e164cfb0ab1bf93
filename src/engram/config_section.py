"""What every section of the study file has in common."""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """Part of a study file: unknown fields are refused, numbers are finite, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _not_a_number_by_accident(cls, value: Any, info: ValidationInfo) -> Any:
        """true and false are no numbers, though Python counts with them."""
        kind = cls.model_fields[info.field_name or ""].annotation
        kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        if isinstance(value, bool) and bool not in kinds and {int, float} & set(kinds):
            raise ValueError(f"must be a number, not {str(value).lower()}")
        return value
