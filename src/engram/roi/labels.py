"""Which label values are which bones, by segmenter, version and task (requirements 44, 45).

Label values are not portable: each segmenter, each of its tasks and some of its versions have their own. A map is
therefore always read with a named scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engram.errors import ConfigError
from engram.roi.schemes.moose import MOOSE
from engram.roi.schemes.scheme import LabelScheme, Version
from engram.roi.schemes.totalsegmentator import TOTALSEGMENTATOR

__all__ = ["SCHEMES", "LabelScheme", "label_scheme", "scheme_of"]

SCHEMES: Mapping[str, LabelScheme] = MappingProxyType({s.name: s for s in (*TOTALSEGMENTATOR, *MOOSE)})


def label_scheme(name: str) -> LabelScheme:
    """The scheme called `name`. Raises ConfigError where there is none."""
    if name not in SCHEMES:
        raise ConfigError(f"unknown label scheme {name!r}; use one of {', '.join(SCHEMES)}")
    return SCHEMES[name]


def scheme_of(tool: str, task: str, version: str) -> LabelScheme:
    """The scheme of what a segmenter wrote. version: of the package that ran, as "3.0.14".

    Raises ConfigError where no table was compared with that version: a newer one may have moved its numbers.
    """
    number = _number(version)
    of_task = [s for s in SCHEMES.values() if (s.tool, s.task) == (tool.lower(), task)]
    for scheme in of_task:
        if number is not None and scheme.first_version <= number <= scheme.last_version:
            return scheme
    known = "; ".join(f"{s.name}: {_shown(s.first_version)} to {_shown(s.last_version)}" for s in of_task)
    raise ConfigError(
        f"no label table for task {task!r} of {tool} {version} (known: {known or 'none of this task'}). "
        "Compare the numbers with those of the segmenter, and name the label scheme yourself."
    )


def _number(version: str) -> Version | None:
    parts = version.strip().removeprefix("v").split(".")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else None


def _shown(version: Version) -> str:
    return ".".join(map(str, version))
