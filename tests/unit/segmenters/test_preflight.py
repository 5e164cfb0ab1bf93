"""What is there and what is missing is told before any run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engram.errors import ConfigError
from engram.segmenters.installed import SEGMENTERS, find_executable, installed_version, segmenter
from engram.segmenters.preflight import Preflight, Said, preflight
from engram.segmenters.segmenter import Request

TOTAL, MOOSE = SEGMENTERS["totalsegmentator"], SEGMENTERS["moose"]


def told(found: Preflight) -> dict[str, str]:
    return {finding.what: str(finding) for finding in found.findings}


def test_a_tool_that_is_ready(install: Callable[[str, str], Path], tmp_path: Path) -> None:
    path = install("TotalSegmentator", "2.4.0")
    found = preflight(TOTAL, Request("total"), tmp_path / "results")
    assert found.ready is not None
    assert found.ready.executable == path
    assert (found.ready.version, found.ready.scheme.name) == ("2.4.0", "totalsegmentator-2/total")
    assert told(found)["weights"].startswith("warning")
    assert "GiB free" in told(found)["disk"]
    assert {"memory", "GPU", "licence"} <= set(told(found))


def test_a_missing_tool_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ENGRAM_MOOSE", raising=False)
    found = preflight(MOOSE, Request("clin_ct_ribs"), tmp_path)
    assert found.ready is None
    assert "moosez is not on the PATH" in told(found)["command"]
    assert "pip install moosez" in told(found)["command"]
    assert "32 GiB" in told(found)["memory"]


def test_a_version_without_a_table_is_refused_until_the_user_names_one(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("moosez", "9.0.0")
    request = Request("clin_ct_ribs")
    found = preflight(MOOSE, request, tmp_path)
    assert found.ready is None
    assert "no label table for task 'clin_ct_ribs' of moose 9.0.0" in told(found)["label table"]
    named = preflight(MOOSE, request, tmp_path, Said(scheme="moose-3/clin_ct_ribs"))
    assert named.ready is not None
    other = preflight(MOOSE, request, tmp_path, Said(scheme="moose-3/clin_ct_organs"))
    assert other.ready is None
    assert "is not of task clin_ct_ribs" in told(other)["label table"]


def test_tables_follow_the_version(install: Callable[[str, str], Path], tmp_path: Path) -> None:
    install("moosez", "2.2.30")
    found = preflight(MOOSE, Request("clin_ct_peripheral_bones"), tmp_path)
    assert found.ready is not None
    assert found.ready.scheme.name == "moose-2/clin_ct_peripheral_bones"


def test_the_users_word_goes_before_the_variable_and_the_path(
    install: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = install("TotalSegmentator", "2.4.0")
    other = tmp_path / "other"
    other.write_text(path.read_text())
    other.chmod(0o755)
    assert find_executable(TOTAL, None) == path
    monkeypatch.setenv("ENGRAM_TOTALSEGMENTATOR", str(other))
    assert find_executable(TOTAL, None) == other
    assert find_executable(TOTAL, str(path)) == path
    with pytest.raises(ConfigError, match=r"--command: .*nowhere is not a command"):
        find_executable(TOTAL, str(tmp_path / "nowhere"))


def test_a_wrapper_needs_its_version_said(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text("#!/bin/sh\n")
    wrapper.chmod(0o755)
    with pytest.raises(ConfigError, match="--tool-version"):
        installed_version(TOTAL, wrapper)
    found = preflight(TOTAL, Request("total"), tmp_path, Said(str(wrapper), "2.2.1"))
    assert found.ready is not None


def test_a_licence_is_looked_for(install: Callable[[str, str], Path], tmp_path: Path) -> None:
    install("TotalSegmentator", "2.4.0")
    request = Request("appendicular_bones")
    assert "totalseg_set_license" in told(preflight(TOTAL, request, tmp_path))["licence"]
    home = Path(os.environ["TOTALSEG_HOME_DIR"])
    home.mkdir()
    (home / "config.json").write_text(json.dumps({"license_number": "aca_12345678901234"}))
    found = preflight(TOTAL, request, tmp_path)
    assert told(found)["licence"].startswith("ok")
    assert "aca_" not in "".join(told(found).values())


@pytest.mark.parametrize(
    ("tool", "request_", "text"),
    [
        (MOOSE, Request("clin_ct_ribs", fast=True), "MOOSE has no such option"),
        (MOOSE, Request("clin_ct_ribs", device="cpu"), "--device: MOOSE"),
        (TOTAL, Request("appendicular_bones", fast=True), "no fast model"),
    ],
)
def test_what_a_tool_cannot_do_is_refused_before_it_starts(
    tool: object, request_: Request, text: str, install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("moosez", "3.0.3")
    found = preflight(tool, request_, tmp_path)  # type: ignore[arg-type]
    assert found.ready is None
    assert text in told(found)["options"]


def test_an_unknown_tool_is_named() -> None:
    with pytest.raises(ConfigError, match="totalsegmentator, moose"):
        segmenter("medsam")
