"""Windows by name: what turns black and white when a scan becomes 8-bit frames.

A name stands for its numbers and nothing else: these decide the frames and are part of an embedding's address, so
a window written as a name and as the same numbers is one window. CT windows are level and width as radiologists
set them (bone 400/1800, soft tissue 40/400, lung -600/1500); `wide` is the whole 12-bit range of a scanner.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

Window = tuple[float, float]

CT_WINDOWS_HU: Mapping[str, Window] = {
    "bone": (-500.0, 1300.0),
    "soft_tissue": (-160.0, 240.0),
    "lung": (-1350.0, 150.0),
    "wide": (-1024.0, 3071.0),
}
PET_WINDOWS_SUV: Mapping[str, Window] = {"suv_5": (0.0, 5.0), "suv_10": (0.0, 10.0), "suv_20": (0.0, 20.0)}


def window_name(window: Window, known: Mapping[str, Window]) -> str | None:
    """The name of a window with these numbers; None where it has none."""
    return next((name for name, numbers in known.items() if numbers == tuple(window)), None)


def _ct_window(value: Any) -> Any:
    return _numbers(value, CT_WINDOWS_HU)


def _pet_window(value: Any) -> Any:
    return _numbers(value, PET_WINDOWS_SUV)


def _numbers(value: Any, known: Mapping[str, Window]) -> Any:
    """The numbers of a name; anything else is left to be read as two numbers."""
    if not isinstance(value, str):
        return value
    if value not in known:
        raise ValueError(f"unknown window '{value}'; use one of {', '.join(known)}, or [low, high]")
    return known[value]


def _ordered(window: Window) -> Window:
    low, high = window
    if not (isfinite(low) and isfinite(high) and low < high):
        raise ValueError(f"a window goes from low to high, not from {low} to {high}")
    return window


CtWindow = Annotated[Window, BeforeValidator(_ct_window), AfterValidator(_ordered)]
PetWindow = Annotated[Window, BeforeValidator(_pet_window), AfterValidator(_ordered)]
