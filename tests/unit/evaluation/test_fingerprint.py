"""Equal bits, equal fingerprint; one other bit anywhere, another one; what is not understood is refused."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from engram.config_models import Training
from engram.evaluation.fingerprint import fingerprint, parts


@dataclass(frozen=True)
class Held:
    number: float
    array: np.ndarray


def fitted(seed=0, level="b"):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=9), "y": ["a", "a", level, None, "b", "c", "c", "a", "b"]})
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    levels = Pipeline(
        [("impute", SimpleImputer(strategy="most_frequent", missing_values=None)), ("code", OneHotEncoder())]
    )
    return ColumnTransformer([("x", numbers, ["x"]), ("y", levels, ["y"])]).fit(frame)


def net(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def held(number=1.5, last=3.0):
    return Held(number, np.array([1, 2, last]))


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (fitted, {"seed": 1}),
        (fitted, {"level": "d"}),
        (net, {"seed": 1}),
        (held, {"number": np.nextafter(1.5, 2)}),
        (held, {"last": np.nextafter(3.0, 4)}),
        (Training, {"dropout": 0.25}),
    ],
)
def test_equal_bits_and_other_bits(make, change):
    assert fingerprint(make()) == fingerprint(make())
    assert fingerprint(make(**change)) != fingerprint(make())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, 1.0),
        (1, True),
        ("1", 1),
        ([1, 2], (1, 2)),
        ([[1], 2], [1, [2]]),
        ({"a": 1}, {"b": 1}),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(2, dtype=np.float32), np.zeros(1, dtype=np.float64)),
        (np.array(["a", None], dtype=object), np.array(["a", "None"], dtype=object)),
        (pd.Series([1.0], name="a"), pd.Series([1.0], name="b")),
    ],
)
def test_things_that_differ_differ(one, other):
    assert fingerprint(one) != fingerprint(other)


def test_order_and_layout_do_not_matter_where_they_mean_nothing():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"x", "y", "z"}) == fingerprint({"z", "y", "x"})
    array = np.arange(6.0).reshape(2, 3)
    assert fingerprint(np.asfortranarray(array)) == fingerprint(array)


def test_what_differs_is_named():
    one, other = parts({"a": [held(), net()]}), parts({"a": [held(last=4.0), net()]})
    assert {place for place in one if one[place] != other[place]} == {"['a'][0].array"}
    assert "['a'][1].0.weight" in one


def test_what_is_not_understood_is_refused_with_its_place():
    with pytest.raises(TypeError, match=r"\['deep'\]\[1\]: a function has no fingerprint"):
        fingerprint({"deep": [1, parts]})
    own: list[object] = []
    own.append(own)
    with pytest.raises(TypeError, match=r"\[0\]: holds itself"):
        fingerprint(own)
