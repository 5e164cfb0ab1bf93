"""Whether the optional libraries are there; imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from engram.errors import ConfigError


def require_dicom() -> None:
    """Raises ConfigError, with the command to run, where pydicom or highdicom is not installed."""
    absent = [name for name in ("pydicom", "highdicom") if find_spec(name) is None]
    if absent:
        raise ConfigError(
            f"reading DICOM needs {' and '.join(absent)}. Install them with: pip install 'engram-survival[dicom]'"
        )
