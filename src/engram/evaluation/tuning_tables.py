"""What tuning found, as it is saved: a record of each search, and a table of every trial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from engram.config import StudyConfig
from engram.config_tuning import ProtocolName
from engram.evaluation.protocols import Searched
from engram.evaluation.rows import RowSpec
from engram.evaluation.search_groups import SearchGroup
from engram.evaluation.search_space import space_of
from engram.evaluation.trials import PRUNED, Trial, best_of
from engram.evaluation.tuning_records import BestTrial, Search
from engram.files import canonical_json

COLUMNS = ("protocol", "group", "row", "fold", "trial", "state", "value", "folds_judged", "epochs", "parameters")


def search_records(searched: Sequence[Searched], specs: Sequence[RowSpec], config: StudyConfig) -> list[Search]:
    """One record for each protocol and group, with the best trial of each of its folds."""
    parts: dict[tuple[ProtocolName, SearchGroup], list[Searched]] = {}
    for one in searched:
        parts.setdefault((one.protocol, one.group), []).append(one)
    return [
        Search(
            group=group.name,
            protocol=protocol,
            row=specs[group.owner].name,
            rows=[specs[member].name for member in group.members],
            trials=config.tuning.trials,
            pruned=sum(trial.state == PRUNED for one in made for trial in one.trials),
            space=space_of(specs[group.owner], config.training),
            best=[_best(one) for one in made],
        )
        for (protocol, group), made in parts.items()
    ]


def _best(searched: Searched) -> BestTrial:
    best = best_of(searched.trials)
    return BestTrial(
        fold=_from_one(searched), trial=best.number, score=best.score, values=best.values, epochs=best.epochs
    )


def trials_table(searched: Sequence[Searched], specs: Sequence[RowSpec]) -> pd.DataFrame:
    """One line a trial: COLUMNS; no patient in it.

    fold: from 1, empty where the search is over all test folds. value: mean c-index over the folds that judged it.
    parameters: as JSON.
    """
    lines = [_line(one, trial, specs) for one, trial in _all(searched)]
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    return frame.astype({"fold": "Int64", "epochs": "Int64"})


def _all(searched: Sequence[Searched]) -> Iterator[tuple[Searched, Trial]]:
    for one in searched:
        for trial in one.trials:
            yield one, trial


def _line(searched: Searched, trial: Trial, specs: Sequence[RowSpec]) -> dict[str, Any]:
    return {
        "protocol": searched.protocol,
        "group": searched.group.name,
        "row": specs[searched.group.owner].name,
        "fold": _from_one(searched),
        "trial": trial.number,
        "state": trial.state,
        "value": trial.score,
        "folds_judged": len(trial.judged),
        "epochs": trial.epochs,
        "parameters": canonical_json(trial.values),
    }


def _from_one(searched: Searched) -> int | None:
    return None if searched.fold is None else searched.fold + 1
