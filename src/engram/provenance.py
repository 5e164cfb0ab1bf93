"""What a result was made with: versions of this package and of the libraries that make its numbers."""

from __future__ import annotations

import platform
from importlib.metadata import version

_LIBRARIES = (
    "torch", "transformers", "numpy", "scipy", "pandas", "scikit-learn", "lifelines", "optuna", "SimpleITK",
)  # fmt: skip


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide numbers, by name."""
    return {name: version(name) for name in _LIBRARIES}


def python_version() -> str:
    """Version of the running Python."""
    return platform.python_version()
