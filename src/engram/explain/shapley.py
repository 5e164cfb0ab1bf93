"""Shapley values of a game of few players: exact, or by antithetic permutations where there are many.

Sources: Shapley, Contributions to the Theory of Games II (1953) 307; sampling by permutations, each with its
reverse: Mitchell et al., JMLR 23 (2022) 43.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Game = Callable[[BoolArray], Float64]  # coalitions (m, p), True where a player takes part, to their worth (m,)

MOST_EXACT = 12  # players: 4,096 coalitions
PAIRS = 64  # of permutations, each with its reverse


@dataclass(frozen=True)
class Shapley:
    """values: (p,), which add up to the worth of all players less that of none. se: (p,) standard error of sampled
    ones, None where they are exact. none, everyone: worth of these coalitions."""

    values: Float64
    se: Float64 | None
    none: float
    everyone: float


def shapley(game: Game, players: int, *, seed: int, most_exact: int = MOST_EXACT, pairs: int = PAIRS) -> Shapley:
    """Exact for at most `most_exact` players, otherwise from `pairs` of permutations, which `seed` draws. Raises
    ValueError for fewer than one player, or fewer than two pairs."""
    if players < 1 or pairs < 2:
        raise ValueError(f"expected a player and two pairs of permutations at least, got {players} and {pairs}")
    return _exact(game, players) if players <= most_exact else _sampled(game, players, pairs, seed)


def _exact(game: Game, players: int) -> Shapley:
    numbers = np.arange(2**players)
    members = (numbers[:, None] >> np.arange(players)) & 1 == 1
    worth = game(members)
    weights = np.array([factorial(k) * factorial(players - k - 1) / factorial(players) for k in range(players)])
    values = np.empty(players)
    for player in range(players):
        without = numbers[~members[:, player]]
        gained = worth[without | (1 << player)] - worth[without]
        values[player] = weights[members[without].sum(axis=1)] @ gained
    return Shapley(values, None, float(worth[0]), float(worth[-1]))


def _sampled(game: Game, players: int, pairs: int, seed: int) -> Shapley:
    rng = np.random.default_rng(seed)
    found = np.empty((pairs, players))
    for pair in range(pairs):
        order = rng.permutation(players)
        found[pair] = (_along(game, order) + _along(game, order[::-1])) / 2
    ends = game(np.array([[False] * players, [True] * players]))
    se = found.std(axis=0, ddof=1) / np.sqrt(pairs)
    return Shapley(found.mean(axis=0), se, float(ends[0]), float(ends[1]))


def _along(game: Game, order: npt.NDArray[np.intp]) -> Float64:
    """What each player adds to those before it."""
    members = np.zeros((len(order) + 1, len(order)), dtype=np.bool_)
    for step, player in enumerate(order, 1):
        members[step:, player] = True
    added = np.empty(len(order))
    added[order] = np.diff(game(members))
    return added
