"""What is wrong with a study file, in words: each field by its place, with what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from engram.config_allowed import allowed
from engram.outcome import MONTHS_PER_UNIT

_NOT_WRITTEN = {"folder"}  # set by Engram itself
_YES_OR_NO = "YAML reads an unquoted yes, no, on or off as true or false: quote it, as in ['no', 'yes']"
_MOST_SHOWN = 60  # characters of a wrong value


def in_words(error: ValidationError, sections: Mapping[str, type[BaseModel]]) -> list[str]:
    """One line for each wrong field. sections: those of the study file by their place, the whole file under ''."""
    fields = {place: sorted(set(section.model_fields) - _NOT_WRITTEN) for place, section in sections.items()}
    lines = [f"{_field(loc)}: {_explain(found, loc, sections[''], fields)}" for found, loc in _places(error)]
    return list(dict.fromkeys(lines))


def _places(error: ValidationError) -> list[tuple[Any, tuple[int | str, ...]]]:
    """What was found, and where; a list that is too short is wrong as a whole, not in the part that it lacks."""
    return [(e, e["loc"][:-1] if _lacks_a_part(e) else e["loc"]) for e in error.errors()]


def _lacks_a_part(error: Any) -> bool:
    return error["type"] == "missing" and isinstance(error["loc"][-1], int)


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "study"


def _explain(
    error: Any, location: tuple[int | str, ...], study: type[BaseModel], fields: Mapping[str, Sequence[str]]
) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return f"unknown field; {_known_field(location, fields)}"
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if location and location[-1] == "unit" and kind == "literal_error":
        return f"unknown unit {_shown(value)}; use one of {', '.join(MONTHS_PER_UNIT)}"
    if kind == "string_type" and isinstance(value, bool | int | float | date):
        return _quote(value)
    what = allowed(study, location)
    if kind == "missing" and not _lacks_a_part(error):
        return "is missing" if what is None else f"is missing; it is {what}"
    return f"must be {what}, not {_shown(value)}" if what else f"{error['msg']} (value: {_shown(value)})"


def _quote(value: bool | int | float | date) -> str:
    """Text was wanted, and YAML made something else of it."""
    if isinstance(value, bool):
        return f"is text, but the value is {_shown(value)}. {_YES_OR_NO}"
    example = f": '{value}'" if len(str(value)) <= _MOST_SHOWN else ""
    return f"is text, but the value is a {'date' if isinstance(value, date) else 'number'}. Quote it{example}"


def _shown(value: Any) -> str:
    """A wrong value as YAML has it, cut where it is long."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, dict):
        return f"a section ({', '.join(map(str, value))})" if value else "an empty section"
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


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
