"""Without the optional libraries the user is told what to install."""

import pytest

from engram.errors import ConfigError
from engram.imaging.dicom import libraries


def test_what_is_absent_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    libraries.require_dicom()
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "highdicom" else object())
    with pytest.raises(
        ConfigError, match=r"needs highdicom\. Install them with: pip install 'engram-survival\[dicom\]'"
    ):
        libraries.require_dicom()
