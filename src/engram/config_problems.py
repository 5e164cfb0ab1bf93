"""What is wrong with a study file, in words: each field by its place, with what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from engram.outcome import MONTHS_PER_UNIT

_NOT_WRITTEN = {"folder"}  # set by Engram itself
_YES_OR_NO = "YAML reads an unquoted yes, no, on or off as true or false: quote it, as in ['no', 'yes']"


def in_words(error: ValidationError, sections: Mapping[str, type[BaseModel]]) -> list[str]:
    """One line for each wrong field. sections: those of the study file by their place, the whole file under ''."""
    fields = {place: sorted(set(section.model_fields) - _NOT_WRITTEN) for place, section in sections.items()}
    return [f"{_field(found['loc'])}: {_explain(found, fields)}" for found in error.errors()]


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "study"


def _explain(error: Any, fields: Mapping[str, Sequence[str]]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown field; {_known_field(error['loc'], fields)}"
    if error["loc"] and error["loc"][-1] == "unit" and error["type"] == "literal_error":
        return f"unknown unit {error['input']!r}; use one of {', '.join(MONTHS_PER_UNIT)}"
    if error["type"] == "string_type" and isinstance(error["input"], bool):
        return f"is text, but the value is {str(error['input']).lower()}. {_YES_OR_NO}"
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        return f"is text, but the value is a number. Quote it: '{error['input']}'"
    value = "" if error["type"] in ("missing", "value_error") else f" (value: {error['input']!r})"
    return f"{error['msg'].removeprefix('Value error, ')}{value}"


def _known_field(location: tuple[int | str, ...], fields: Mapping[str, Sequence[str]]) -> str:
    """Where a field belongs that is known elsewhere, or which one was meant here, or elsewhere."""
    name, within = str(location[-1]), [str(part) for part in location[:-1]]
    here = ".".join([within[0], "<name>"][: len(within)]) if within else ""
    homes = [_under(place) for place, known in fields.items() if name in known]
    if homes:
        return f"'{name}' belongs {' or '.join(homes)}"
    for place in (here, *fields):
        near = get_close_matches(name, fields.get(place, ()), n=1)
        if near:
            return f"did you mean '{near[0]}'{'' if place == here else ' ' + _under(place)}?"
    return "docs/study-file.md names the fields there are"


def _under(place: str) -> str:
    return f"under '{place}'" if place else "at the top level"
