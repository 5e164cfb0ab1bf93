"""The cohort table by site, held to that of tableone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tableone import TableOne  # type: ignore[import-untyped]

from engram.cohort.records import PatientRecord
from engram.cohort.summary import CohortSummary, GroupSummary, summarise
from engram.config import StudyConfig

CONFIG = StudyConfig.model_validate(
    {
        "name": "test",
        "manifest": "cohort.csv",
        "output": "out",
        "outcome": {"time": "t", "event": "e", "unit": "months"},
        "covariates": {
            "age": {"kind": "continuous", "unit": "1"},
            "sex": {"kind": "categorical"},
            "riss": {"kind": "ordinal", "levels": ["I", "II", "III"], "missing": "level"},
        },
        "evaluation": {"splits": "grouped", "group": "site"},
    }
)


def patients(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(60, 9, n), "sex": rng.choice(["F", "M"], n)})
    frame["riss"] = rng.choice(["I", "II", "III", None], n)
    frame["site"] = rng.choice(["A", "B", "C"], n, p=[0.2, 0.5, 0.3])
    frame.loc[:4, "age"] = np.nan
    return frame


def summarised(frame: pd.DataFrame) -> CohortSummary:
    def known(value: Any) -> Any:
        return None if pd.isna(value) else value

    records = [
        PatientRecord(
            f"P{i}", i + 2, None, None, None, {}, {n: known(row[n]) for n in CONFIG.covariates}, i % 3 > 0, 1.0 + i,
            group=row["site"],
        )
        for i, row in frame.iterrows()
    ]  # fmt: skip
    return summarise(records, CONFIG)


def test_values_are_those_of_tableone() -> None:
    frame = patients()
    columns = {"columns": ["age", "sex", "riss"], "categorical": ["sex", "riss"], "continuous": ["age"]}
    reference = TableOne(frame, **columns, groupby="site", pval=False, decimals={"age": 1}).tableone.droplevel(
        0, axis=1
    )
    summary = summarised(frame)
    sites = [group.name for group in summary.groups]
    for line in summary.characteristics:
        kind = "mean (SD)" if line.variable == "age" else "n (%)"
        level = "None" if line.level == "missing" else line.level
        expected = reference.loc[(f"{line.variable}, {kind}", level)]
        assert line.value.replace(" %", "") == expected["Overall"]
        assert [text.replace(" %", "") for text in line.by_group] == expected[sites].tolist()


def test_sites_come_by_size_with_their_events() -> None:
    frame = patients()
    summary = summarised(frame)
    counts = frame["site"].value_counts()
    assert [(group.name, group.n) for group in summary.groups] == list(counts.items())
    events = (np.arange(120) % 3 > 0)[frame["site"] == summary.groups[0].name].sum()
    assert summary.groups[0] == GroupSummary(summary.groups[0].name, int(counts.iloc[0]), int(events))
    assert sum(group.events for group in summary.groups) == summary.events


def test_a_site_with_one_known_value_has_no_spread() -> None:
    frame = patients()
    of_a = frame.index[frame["site"] == "A"]
    frame.loc[of_a[:-1], "age"] = np.nan
    age, *_ = summarised(frame).characteristics
    assert age.by_group[-1] == f"{frame.loc[of_a[-1], 'age']:.1f} (-)"


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({"A": 40, "B": 20}, [("A", 40), ("B", 20)]),
        ({"A": 40, "B": 10}, [("A", 40), ("B", 10)]),
        ({"A": 40, "B": 8, "C": 4}, [("A", 40), ("2 other sites", 12)]),
        ({"A": 40, "B": 15, "C": 4}, [("A", 40), ("2 other sites", 19)]),
        ({"A": 30, "B": 9, "C": 9, "D": 2}, [("A", 30), ("3 other sites", 20)]),
        ({"A": 40, "B": 4}, []),
        ({"A": 4, "B": 3}, []),
    ],
)
def test_no_column_tells_of_few_patients(sizes: dict[str, int], shown: list[tuple[str, int]]) -> None:
    frame = patients(sum(sizes.values()))
    frame["site"] = [site for site, n in sizes.items() for _ in range(n)]
    summary = summarised(frame)
    assert [(group.name, group.n) for group in summary.groups] == shown
    assert all(len(line.by_group) == len(shown) for line in summary.characteristics)
