"""What a place of the study file takes, in words, read off the types that it is declared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_PLAIN: dict[object, tuple[str, str]] = {  # one of it, several of it
    str: ("text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    Path: ("a path", "paths"),
}
_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four"}


def allowed(study: type[BaseModel], location: Sequence[int | str]) -> str | None:
    """What may stand at this place of the study, as in "a number of at least 0"; None where that is not known."""
    kind: Any = study
    limits: tuple[Any, ...] = ()
    for part in location:
        step = _below(_plain(kind), part)
        if step is None:
            return None
        kind, limits = step
    return _words(kind, limits)


def _below(kind: Any, part: int | str) -> tuple[Any, tuple[Any, ...]] | None:
    """The declared type, and its limits, of a part of something of this type."""
    if _is_section(kind):
        field = kind.model_fields.get(str(part))
        return None if field is None else (field.annotation, tuple(field.metadata))
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return _unpacked(arguments[1])
    if get_origin(kind) in (tuple, list) and isinstance(part, int):
        return _unpacked(arguments[0] if _is_open(kind) else arguments[min(part, len(arguments) - 1)])
    return None


def _words(kind: Any, limits: Sequence[Any]) -> str | None:
    inner = _plain(kind)
    found = _of_plain(inner, limits)
    if found is None:
        return None
    return f"{found}, or null" if inner is not kind else found


def _of_plain(kind: Any, limits: Sequence[Any]) -> str | None:
    if kind in _PLAIN:
        return f"{_PLAIN[kind][0]}{_range(limits)}"
    if _is_section(kind):
        fields = [name for name, field in kind.model_fields.items() if field.is_required()]
        return f"a section with {', '.join(fields)}" if fields else "a section with fields of its own"
    origin = get_origin(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if origin is dict:
        inner, within = _unpacked(get_args(kind)[1])
        return (
            f"a section of names, each with {'fields of its own' if _is_section(inner) else _words(inner, within)}"
        )
    return _of_list(kind, limits) if origin in (tuple, list) else None


def _of_list(kind: Any, limits: Sequence[Any]) -> str | None:
    inner, within = _unpacked(get_args(kind)[0])
    several = _several(inner, within)
    if several is None:
        return None
    if not _is_open(kind):
        count = len(get_args(kind))
        return f"a list of {_COUNTS.get(count, count)} {several}"
    least = _limit(limits, "min_length")
    some = (
        f"at least {_COUNTS.get(least, least)} of " if least else "any of " if get_origin(inner) is Literal else ""
    )
    return f"a list of {some}{several}"


def _several(kind: Any, limits: Sequence[Any]) -> str | None:
    if kind in _PLAIN:
        return f"{_PLAIN[kind][1]}{_range(limits)}"
    if _is_section(kind):
        return "sections"
    return ", ".join(map(str, get_args(kind))) if get_origin(kind) is Literal else None


def _range(limits: Sequence[Any]) -> str:
    low, above = _limit(limits, "ge"), _limit(limits, "gt")
    high, below = _limit(limits, "le"), _limit(limits, "lt")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    found = {"of at least": low, "above": above, "of at most": high, "below": below}
    told = [f"{words} {value:g}" for words, value in found.items() if value is not None]
    return f" {' and '.join(told)}" if told else ""


def _limit(limits: Sequence[Any], name: str) -> Any:
    found = (getattr(one, name, None) for one in limits)
    return next((value for value in found if value is not None), None)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_open(kind: Any) -> bool:
    """Whether a list may have any length."""
    return get_origin(kind) is list or get_args(kind)[-1] is Ellipsis


def _plain(kind: Any) -> Any:
    """The type without null; itself where it is not optional, or may be of several types."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    others = [one for one in get_args(kind) if one is not NoneType]
    return others[0] if len(others) == 1 else kind


def _unpacked(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(kind) is not Annotated:
        return kind, ()
    inner, *notes = get_args(kind)
    limits = [limit for note in notes for limit in (note.metadata if isinstance(note, FieldInfo) else [note])]
    return inner, tuple(limits)
