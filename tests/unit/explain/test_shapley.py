"""Shapley values: equal to brute force over all orders, and with an honest error where they are sampled."""

from itertools import permutations

import numpy as np
import pytest

from engram.explain.shapley import shapley


def by_brute_force(game, players):
    """The mean over every order of what a player adds."""
    added = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        members = np.zeros(players, dtype=bool)
        for player in order:
            before = game(members[None])[0]
            members[player] = True
            added[player] += game(members[None])[0] - before
    return added / len(orders)


def drawn_game(players, seed=0):
    """A worth of its own for each coalition."""
    worth = np.random.default_rng(seed).normal(size=2**players)
    return lambda members: worth[members @ (1 << np.arange(players))]


@pytest.mark.parametrize("players", [1, 2, 5])
def test_exact_values_are_the_mean_over_all_orders(players):
    game = drawn_game(players)
    found = shapley(game, players, seed=0)
    np.testing.assert_allclose(found.values, by_brute_force(game, players), atol=1e-12)
    assert found.se is None
    assert found.values.sum() == pytest.approx(found.everyone - found.none, abs=1e-12)


def test_who_adds_nothing_gets_nothing_and_equals_get_the_same():
    found = shapley(lambda members: (members[:, 0] & members[:, 1]) * 6.0, 3, seed=0)
    np.testing.assert_allclose(found.values, [3, 3, 0], atol=1e-12)


def test_twelve_players_of_an_additive_game_get_their_own():
    worth = np.arange(12.0)
    np.testing.assert_allclose(shapley(lambda members: members @ worth, 12, seed=0).values, worth, atol=1e-9)


def test_sampled_values_add_up_and_lie_within_their_error():
    game = drawn_game(8, seed=3)
    exact = shapley(game, 8, seed=0)
    sampled = shapley(game, 8, seed=1, most_exact=4, pairs=200)
    assert sampled.values.sum() == pytest.approx(exact.everyone - exact.none, abs=1e-9)
    away = np.abs(sampled.values - exact.values) / sampled.se
    assert 0.1 < away.max() < 4
    assert sampled.se.max() < 0.2


def test_the_stated_error_is_that_of_other_draws():
    game = drawn_game(6, seed=4)
    drawn = [shapley(game, 6, seed=seed, most_exact=1, pairs=40) for seed in range(60)]
    spread = np.std([one.values for one in drawn], axis=0)
    np.testing.assert_allclose(np.mean([one.se for one in drawn], axis=0) / spread, 1, atol=0.35)


def test_pairs_with_their_reverse_are_exact_where_players_act_in_twos():
    """Of interactions of two, one order and its reverse give each half: no draw is left."""
    between = np.random.default_rng(5).normal(size=(6, 6))
    found = shapley(lambda m: np.einsum("mi,ij,mj->m", m, between, m), 6, seed=0, most_exact=1, pairs=2)
    np.testing.assert_allclose(found.se, 0, atol=1e-12)


def test_the_same_seed_draws_the_same():
    game = drawn_game(6)
    one, two, other = (shapley(game, 6, seed=seed, most_exact=1, pairs=4) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.values, two.values)
    assert not np.array_equal(one.values, other.values)


@pytest.mark.parametrize(("players", "pairs"), [(0, 4), (3, 1)])
def test_a_game_of_nobody_or_an_error_of_one_pair_is_refused(players, pairs):
    with pytest.raises(ValueError, match="expected a player and two pairs"):
        shapley(drawn_game(3), players, seed=0, pairs=pairs)
