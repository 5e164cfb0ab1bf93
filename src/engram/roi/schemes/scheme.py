"""What a table of label values says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True)
class LabelScheme:
    """The numbers that one task of one segmenter writes.

    name: "tool-version/task". first_version, last_version: of the tool; the table was compared with both.
    values: label value -> bone or organ by its name in `engram.roi.bones`; what is neither has no entry.
    highest_label: the largest value, bone or not, that the task can write.
    """

    name: str
    first_version: Version
    last_version: Version
    values: Mapping[int, str]
    highest_label: int

    @property
    def tool(self) -> str:
        """The segmenter, as "moose"."""
        return self.name.partition("-")[0]

    @property
    def task(self) -> str:
        """The task, as the segmenter calls it."""
        return self.name.partition("/")[2]

    @property
    def labels(self) -> dict[str, int]:
        """Label value of each bone and organ, by its name."""
        return {name: value for value, name in self.values.items()}


def from_value(first: int, names: Iterable[str]) -> dict[int, str]:
    """Names in their order, with whole numbers from `first` on."""
    return dict(enumerate(names, start=first))


def both_sides(*bones: str) -> list[str]:
    """Left then right of each bone."""
    return [f"{bone}_{side}" for bone in bones for side in ("left", "right")]


def levels(region: str, first: int, last: int) -> list[str]:
    """Vertebrae of a region ("C", "T", "L"), counted up or down."""
    step = 1 if last >= first else -1
    return [f"vertebrae_{region}{level}" for level in range(first, last + step, step)]


def ribs(side: str, first: int, last: int) -> list[str]:
    """Ribs of one side, counted up."""
    return [f"rib_{side}_{number}" for number in range(first, last + 1)]
