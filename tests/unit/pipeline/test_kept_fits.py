"""A run that goes on says that work was kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engram.config import load_config
from engram.jobs import Progress
from engram.pipeline.evaluate import evaluate
from engram.pipeline.folders import RunFolder


class Heard:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def part(self, text: str, jobs: int) -> None:
        del text, jobs

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        del title
        yield lambda _done, _total: None


def test_a_second_run_says_how_much_was_kept_and_made(tmp_path: Path) -> None:
    rows = [f"P{i},{i + 1},{i % 3 != 0:d},{50 + i % 7}" for i in range(24)]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,t,e,age", *rows]))
    (tmp_path / "study.yaml").write_text(
        "name: s\nmanifest: cohort.csv\noutput: results\noutcome: {time: t, unit: months, event: e}\n"
        "covariates: {age: {kind: continuous, unit: years}}\nevaluation: {folds: 2}\n"
        "training: {max_epochs: 2, inner_folds: 1, ensemble: 1}\n"
    )
    config = load_config(tmp_path / "study.yaml")

    def told() -> list[str]:
        heard = Heard()
        evaluate(config, workers=0, console=heard)
        return heard.lines

    assert told() == ["Cross-validated: 4 fit(s) made now"]
    next(RunFolder.of(config).folds.glob("*.json")).unlink()
    assert told() == [
        "3 fit(s) of earlier runs are kept; those that this study needs are not made again",
        "Cross-validated: 1 fit(s) made now, the others kept",
    ]
