"""Templates and styles that come with the package."""

from __future__ import annotations

from importlib.resources import files


def resource(name: str) -> str:
    """The text of a file of this folder."""
    return files("engram.report").joinpath(name).read_text(encoding="utf-8")
