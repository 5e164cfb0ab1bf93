"""`engram study`: what it says it will do, how long it still takes, and that it is run as the grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engram.jobs import Progress
from engram.pipeline import study as module
from engram.pipeline.estimate import Estimating, in_words
from engram.pipeline.study import plan


class Heard:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[float, int]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        del title
        yield lambda done, total: self.progress.append((done, total))


def test_the_plan_says_rows_folds_trials_fits_and_what_shares_a_search(made: Any) -> None:
    first, *rest = plan(made.config(tuning={"trials": 4}))
    rows = int(first.split()[0])
    assert "on 2 folds by 'nested' and 'paper', searches of 4 trials and the study file's own settings" in first
    fits = [int(line.split()[-2]) for line in rest if line.startswith("  Protocol")]
    assert int(first.split()[-2]) == sum(fits)
    assert fits[1] == fits[3] == 2 * rows
    shared = "averaging, DeepSurv, image: searched on 'PET, spine'"
    assert shared in rest
    assert rest[rest.index(shared) + 1] == "  PET, spine (averaging, DeepSurv)"
    assert any(line.startswith("Clinical, ridge Cox") for line in rest)


def test_the_study_files_own_protocols_stay(made: Any) -> None:
    first, *rest = plan(made.config(tuning={"protocols": ["fixed"]}))
    assert "by 'fixed': up to" in first
    assert sum("Protocol" in line for line in rest) == 1


def test_the_grid_is_what_runs_and_its_first_line_says_how_much(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(module, "run", lambda config, **told: ran.append((config, told)) or "page")
    heard = Heard()
    config = made.config()
    assert module.study(config, workers=3, console=heard) == "page"
    ((grid, told),) = ran
    assert grid.tuning.protocols == ("nested", "paper")
    assert "attention" in grid.models.heads
    assert told["workers"] == 3
    assert heard.lines == [plan(config)[0]]


def test_estimates_come_from_the_last_stretch_and_not_too_often() -> None:
    heard, now = Heard(), [0.0]
    with Estimating(heard, clock=lambda: now[0]).stage("Fitting") as tell:
        for seconds, done in ((1, 50), (61, 52), (100, 60), (400, 70), (500, 80), (1400, 90), (2000, 100)):
            now[0] = seconds
            tell(done, 100)
    assert [line.split(";")[0] for line in heard.lines] == ["52 of 100 done", "70 of 100 done", "90 of 100 done"]
    assert "about 9 min left" in heard.lines[1]  # 18 fits in 339 s, 30 to go
    assert heard.progress[-1] == (100, 100)


def test_times_are_in_words() -> None:
    assert [in_words(s) for s in (0.2, 59, 61, 3540, 7260)] == ["1 s", "59 s", "1 min", "59 min", "2 h 1 min"]
