"""`engram study`: what it says it will do, how long it still takes, and that it is run as the grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engram.jobs import Progress
from engram.pipeline import study as module
from engram.pipeline.check import check
from engram.pipeline.estimate import Estimating, in_words
from engram.pipeline.folders import RunFolder
from engram.pipeline.study import plan


class Heard:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[tuple[float, int]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def part(self, text: str, jobs: int) -> None:
        self.lines.append(f"{text} ({jobs})")

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        del title
        yield lambda done, total: self.progress.append((done, total))


def test_the_plan_says_rows_folds_trials_fits_and_what_shares_a_search(made: Any) -> None:
    first, *rest = plan(made.config(tuning={"trials": 4}))
    rows = int(first.split()[0])
    assert (
        "on 2 folds by 'nested' and 'paper' ('nested' gives the results), searches of 4 trials beside the" in first
    )
    fits = [int(line.split()[-2]) for line in rest if line.startswith("  Protocol")]
    assert int(first.split()[-2]) == sum(fits)
    assert fits[1] == fits[3] == 2 * rows
    shared = "averaging, DeepSurv, image: searched on 'PET, spine' for"
    assert shared in rest
    assert rest[rest.index(shared) + 1] == "  PET, spine (averaging, DeepSurv)"
    assert any(line.startswith("Clinical, ridge Cox") for line in rest)


def test_the_study_files_own_protocols_stay(made: Any) -> None:
    first, *rest = plan(made.config(tuning={"protocols": ["fixed"]}))
    rows = int(first.split()[0])
    assert f"by 'fixed': {2 * rows} fits" in first
    assert sum("Protocol" in line for line in rest) == 1
    assert not [line for line in rest if "searched" in line]
    assert sum(not line.startswith("  ") for line in rest) == rows


def test_the_plan_says_what_its_numbers_leave_out(made: Any) -> None:
    def notes(**sections: Any) -> str:
        return " ".join(line for line in plan(made.config(**sections)) if line.startswith("  "))

    assert "come on top" not in notes()
    assert "come on top" in notes(evaluation={"folds": 2, "repeats": 2})
    assert "come on top" in notes(sensitivity={"permutations": 5})
    assert "rows of radiomics will have no numbers: features absent: run 'engram radiomics'" in notes()
    assert "rows of resnet50 will have no numbers: weights absent" in notes()
    assert "will have no numbers" not in notes(models={"baselines": []})
    features = RunFolder.of(made.config()).radiomics
    features.parent.mkdir(parents=True)
    features.touch()
    assert "rows of radiomics" not in notes()


def test_check_says_which_rows_will_have_no_numbers(made: Any) -> None:
    heard = Heard()
    check(made.config(models={"baselines": ["radiomics"]}), workers=0, console=heard)
    assert heard.lines[0].startswith("rows of radiomics will have no numbers: features absent")


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


def test_each_part_is_estimated_by_its_own_fits() -> None:
    heard, now = Heard(), [0.0]
    console = Estimating(heard, clock=lambda: now[0])
    with console.stage("Fitting") as tell:
        console.part("searches", 60)
        for seconds, done in ((1, 2), (63, 33)):  # two seconds a fit
            now[0] = seconds
            tell(done, 100)
        tell(60, 100)
        console.part("rows", 40)
        for seconds, done in ((100, 61), (160, 62)):  # a minute a fit
            now[0] = seconds
            tell(done, 100)
        for seconds, done in ((200, 1), (260, 3)):  # other work, with a total of its own
            now[0] = seconds
            tell(done, 5)
    assert heard.lines[0] == "searches (60)"
    assert "33 of 100 done; about 54 s left of this part (40 fits follow it)" in heard.lines[1]
    assert "62 of 100 done; about 38 min left, were" in heard.lines[3]
    assert "3 of 5 done; about 1 min left, were" in heard.lines[4]


def test_times_are_in_words() -> None:
    assert [in_words(s) for s in (0.2, 59, 61, 3540, 7260)] == ["1 s", "59 s", "1 min", "59 min", "2 h 1 min"]
