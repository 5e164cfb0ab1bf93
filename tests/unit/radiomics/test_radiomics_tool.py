"""MIRP is found where it was said, and asked for what the study file says."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from engram.config_radiomics import Radiomics
from engram.errors import ConfigError
from engram.radiomics.tool import find_mirp, mirp_settings


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENGRAM_MIRP", raising=False)


def fake(folder: Path, body: str) -> str:
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_version_is_that_of_its_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = fake(tmp_path, "assert sys.argv[1] == '-I' and sys.argv[-1] == 'mirp'; sys.stdout.write('2.7.0')")
    found = find_mirp(command, Radiomics())
    assert (str(found.python), found.version) == (command, "2.7.0")
    assert find_mirp(None, Radiomics(command=command)) == found
    monkeypatch.setenv("ENGRAM_MIRP", command)
    assert find_mirp(None, Radiomics()) == found


def test_what_is_not_there_is_told_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no Python that has it was named.*pip install mirp"):
        find_mirp(None, Radiomics())
    with pytest.raises(ConfigError, match=r"--command: /no/python is not a command"):
        find_mirp("/no/python", Radiomics())
    with pytest.raises(ConfigError, match="has no mirp"):
        find_mirp(fake(tmp_path, "sys.exit(1)"), Radiomics())


def test_the_settings_are_those_of_the_study_file() -> None:
    asked = Radiomics(ct_bin_hu=10, pet_bin_suv=0.25, resample_mm=None)
    ct, pet = mirp_settings(asked, "CT"), mirp_settings(asked, "PET")
    assert (ct["image_modality"], ct["base_discretisation_bin_width"]) == ("ct", 10.0)
    assert (pet["image_modality"], pet["base_discretisation_bin_width"]) == ("pt", 0.25)
    assert ct["new_spacing"] is None
    assert isinstance(ct["base_discretisation_bin_width"], float)  # MIRP refuses whole numbers
