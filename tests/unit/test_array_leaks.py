"""Columns that say what the outcome says are refused; honest ones, and few patients, are not."""

import numpy as np
import pandas as pd
import pytest

from engram import Covariate, StudyTable, SurvivalOutcome
from engram.errors import ConfigError

N = 40
RNG = np.random.default_rng(0)
TIME = RNG.exponential(20, N) + 0.1
EVENT = RNG.random(N) < 0.5
NOISE = RNG.normal(size=(N, 3))


def made(covariate=None, embedding=None, kind=None, n=N, time=TIME):
    covariates = None if covariate is None else pd.DataFrame({"noise": NOISE[:n, 0], "x": covariate})
    return StudyTable.from_arrays(
        range(n),
        covariates,
        SurvivalOutcome(EVENT[:n], time[:n]),
        {} if embedding is None else {"v": embedding},
        kinds={} if kind is None else {"x": kind},
    )


GAP = np.where(np.arange(N) == 7, np.nan, TIME)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (TIME, "is the time of the outcome"),
        (GAP, "is the time of the outcome"),
        (-TIME / 12, "puts patients in the order of their times"),
        (np.log(TIME), "puts patients in the order of their times"),
        (np.floor(TIME / 6) + 0.5, "puts patients in the order of their times"),
        (np.where(TIME > 14, 0.5, 1.5), "puts patients in the order of their times"),
        (np.where(EVENT, -0.5, 0.5), "is the event of the outcome"),
    ],
)
def test_the_answer_as_a_covariate_or_in_an_embedding_is_refused(column, told):
    with pytest.raises(ConfigError, match=f"leakage: 'x' {told}"):
        made(covariate=column)
    if not np.isnan(column).any():
        with pytest.raises(ConfigError, match=f"embedding 'v': leakage: its number 3 of 4 {told}"):
            made(embedding=np.c_[NOISE[:, :2], column, NOISE[:, 2]])


def test_the_event_as_a_category_is_refused():
    with pytest.raises(ConfigError, match="'x' is the event"):
        made(covariate=EVENT)
    with pytest.raises(ConfigError, match="'x' is the event"):
        made(covariate=np.where(EVENT, "yes", "no"), kind=Covariate(kind="categorical"))


def test_what_is_nearly_the_answer_or_so_by_chance_is_taken():
    swapped = TIME.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    one_rare = np.where(TIME.max() == TIME, 1.5, 0.5)
    for column in (swapped, one_rare, NOISE[:, 1], np.full(N, 2.5)):
        made(covariate=column, embedding=column[:, None])
    made(covariate=-TIME[:5] / 12, n=5)  # one of 60 orders
    made(covariate=NOISE[:, 1], time=np.full(N, 3.0))  # no order at all


def test_maps_are_looked_through():
    maps = RNG.normal(size=(N, 5, 5))
    made(embedding=maps)
    maps[:, 1, 2] = 3 * TIME
    with pytest.raises(ConfigError, match="its number 8 of 25 puts"):
        made(embedding=maps)
