"""Which rows share one search for hyperparameters, and how many fits a study takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engram.config_tuning import ProtocolName, Tuning
from engram.evaluation.rows import RowSpec
from engram.evaluation.search_space import has_map_head


@dataclass(frozen=True)
class SearchGroup:
    """Rows, by their positions, that use what was found for one of them. name: as tables print it."""

    name: str
    owner: int
    members: tuple[int, ...]


def groups_of(specs: Sequence[RowSpec], *, share: bool) -> list[SearchGroup]:
    """Every row is in one group. With `share`, image rows of one head that reads maps are one group, and so are
    multimodal ones: the search is made on the first that sees one scan alone. All other rows are cheap, and are
    searched each by itself.
    """
    found: dict[str, list[int]] = {}
    for position, spec in enumerate(specs):
        shared = share and has_map_head(spec)
        name = f"{spec.head}, {spec.survival}, {spec.family}" if shared else spec.name
        found.setdefault(name, []).append(position)
    return [SearchGroup(name, _owner(specs, members), tuple(members)) for name, members in found.items()]


def _owner(specs: Sequence[RowSpec], members: Sequence[int]) -> int:
    return next((position for position in members if len(specs[position].modalities) == 1), members[0])


@dataclass(frozen=True)
class Phase:
    """One stretch of work. jobs: what workers are given; fits: of each job, fewer where trials are pruned."""

    protocol: ProtocolName
    title: str
    jobs: int
    fits: int

    @property
    def most_fits(self) -> int:
        """Fits of the whole phase, were none pruned."""
        return self.jobs * self.fits

    @property
    def in_words(self) -> str:
        """What begins, for whoever waits."""
        most = "up to " * (self.fits > 1)  # a search ends trials early; a row is fitted once
        return f"Protocol '{self.protocol}': {self.title}, {most}{self.most_fits} fits"


def phases_of(specs: Sequence[RowSpec], folds: int, tuning: Tuning) -> list[Phase]:
    """What a study does for each of its protocols, in the order in which it is done."""
    searches, found = len(groups_of(specs, share=tuning.share)), []
    for protocol in tuning.protocols:
        if protocol == "nested":
            fits = (tuning.trials + 1) * tuning.inner_folds
            found.append(Phase(protocol, "searches inside the training parts", searches * folds, fits))
        if protocol == "paper":
            fits = (tuning.trials + 1) * folds
            found.append(Phase(protocol, "searches on the test folds, as in the paper", searches, fits))
        found.append(Phase(protocol, "rows on test folds", len(specs) * folds, 1))
    return found
