"""The entry point and what it prints: no traceback, no weight, lines where there is no terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engram import cli, commands, terminal
from engram.errors import StorageError
from engram.terminal import Terminal, _Lines


def test_the_entry_point_imports_nothing_that_takes_time() -> None:
    heavy = "{'typer', 'rich', 'numpy', 'pydantic', 'torch'}"
    code = f"import sys; import engram.cli; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_interrupt_is_an_exit_status_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


def test_an_error_of_ours_is_one_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise StorageError("disk: full. Free some space.")

    monkeypatch.setattr("engram.commands.app", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: disk: full. Free some space.\n"


def test_without_a_terminal_each_tenth_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _Lines("Reading", clock=lambda: 0.0)
    for done in range(1, 101):
        lines.tell(done, 100)
    assert capsys.readouterr().out.splitlines() == [f"Reading: {n} of 100 (0:00)" for n in range(10, 101, 10)]


def test_without_a_terminal_a_long_job_is_heard_of_each_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 10, 31, 40, 62, 125])
    lines = _Lines("Embedding", clock=lambda: next(now))
    for done in (0.01, 0.02, 0.03, 0.04, 1.05):
        lines.tell(done, 200)
    assert capsys.readouterr().out.splitlines() == [
        "Embedding: 0 of 200 (0:31)",
        "Embedding: 0 of 200 (1:02)",
        "Embedding: 1 of 200 (2:05)",
    ]


def _interrupted_stage() -> None:
    with Terminal().stage("Reading") as tell:
        tell(3.7, 8)
        raise KeyboardInterrupt


def test_a_bar_counts_whole_jobs_and_vanishes_when_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "out", terminal.Console(force_terminal=True, width=100, highlight=False))
    with pytest.raises(KeyboardInterrupt):
        _interrupted_stage()
    erased, end = "\x1b[2K", "Stopped. Finished work is kept: the same command goes on from here.\n"
    assert capsys.readouterr().out.rpartition(erased)[2].removeprefix("\x1b[?25h") == end
    with Terminal().stage("Reading") as tell:
        tell(3.7, 8)
    assert "3/8" in capsys.readouterr().out


@pytest.mark.parametrize(("time", "end"), [("9", "No patient left out"), ("0", "Patients left out: ")])
def test_check_speaks_of_exclusions_only_where_there_are_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], time: str, end: str
) -> None:
    rows = [f"P{number},{number + 1},1,60" for number in range(8)]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,t,e,age", *rows, f"P9,{time},1,60"]))
    (tmp_path / "study.yaml").write_text(
        "name: s\nmanifest: cohort.csv\noutput: results\noutcome: {time: t, unit: months, event: e}\n"
        "covariates: {age: {kind: continuous, unit: years}}\nevaluation: {folds: 2}\n"
    )
    commands.check(study=tmp_path / "study.yaml", workers=1)
    assert capsys.readouterr().out.splitlines()[-1].startswith(end)
