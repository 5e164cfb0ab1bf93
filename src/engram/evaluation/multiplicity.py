"""p-values corrected for how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from statsmodels.stats.multitest import multipletests


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p: the chance of any false positive among these tests stays at the level.

    For the few that were declared before. Tests without a p are not counted, and stay None. Holm, Scand J Stat 6
    (1979) 65.
    """
    return _adjusted(p, "holm")


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's adjusted p: the share of false ones among the positive tests stays at the level.

    For the many that explore. Tests without a p are not counted, and stay None. J R Stat Soc B 57 (1995) 289.
    """
    return _adjusted(p, "fdr_bh")


def _adjusted(p: Sequence[float | None], method: str) -> list[float | None]:
    known = [value for value in p if value is not None]
    if not known:
        return [None] * len(p)
    adjusted = iter(multipletests(known, method=method)[1])
    return [None if value is None else float(next(adjusted)) for value in p]
