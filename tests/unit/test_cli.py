"""The entry point and what it prints: no traceback, no weight, lines where there is no terminal."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
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


STAGE = """
import os, signal, sys, time
from engram import cli, commands
from engram.jobs import run_jobs
from engram.terminal import Terminal
def told(study, workers):
    with Terminal().stage("Reading") as tell:
        run_jobs(time.sleep, [60, 60], workers=2, progress=tell)
if __name__ == "__main__":
    from engram.pipeline import run
    run.run = lambda config, workers, console: told(config, workers)
    commands.load_config = lambda path: path
    sys.argv = ["engram", "run", __file__]
    print("ready", flush=True)
    cli.main()
"""


def test_a_request_to_end_is_one_line_and_a_status_of_its_own(tmp_path: Path) -> None:
    """As a queue or a machine that shuts down asks for it."""
    script = tmp_path / "stage.py"
    script.write_text(STAGE)
    running = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    children, deadline = Path(f"/proc/{running.pid}/task/{running.pid}/children"), time.monotonic() + 20
    while len(children.read_text().split()) < 2 and time.monotonic() < deadline:  # a worker, and their tracker
        time.sleep(0.05)
    running.terminate()
    said, wrong = running.communicate(timeout=20)
    assert said == "Stopped. Finished work is kept: the same command goes on from here.\n"
    assert (wrong, running.returncode) == ("", 143)


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


def test_without_a_terminal_a_job_that_says_nothing_is_heard_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_BEAT_SECONDS", 0.01)
    now = itertools.count(0, 10)
    with _Lines("Auditing", clock=lambda: float(next(now))).beating() as tell:
        time.sleep(0.15)
        tell(1, 40)
        time.sleep(0.15)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Auditing: at work (0:30)"
    assert said[-1].startswith("Auditing: 1 of 40 (")


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
