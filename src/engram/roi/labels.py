"""Which label values are which bones, by segmenter and version (requirements 44, 45).

Label values are not portable: each segmenter, and each of its versions, has its own. A map is therefore
always read with a named scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engram.errors import ConfigError

_SIDES = ("left", "right")


@dataclass(frozen=True)
class BoneScheme:
    """The bones of one segmenter.

    groups: group -> bone name -> label value. Costal cartilages are not bone and are in no group.
    highest_label: the largest value, bone or not, that the segmenter can write.
    """

    name: str
    groups: Mapping[str, Mapping[str, int]]
    highest_label: int

    @property
    def bones(self) -> dict[str, int]:
        """Every bone: name -> label value."""
        return {bone: label for group in self.groups.values() for bone, label in group.items()}

    def labels(self, *groups: str) -> tuple[int, ...]:
        """Sorted label values of the named groups; of all bones where none is named."""
        chosen = groups or tuple(self.groups)
        return tuple(sorted(label for group in chosen for label in self.groups[group].values()))


def bone_scheme(name: str) -> BoneScheme:
    """The scheme called `name`. Raises ConfigError where there is none."""
    if name not in SCHEMES:
        raise ConfigError(f"images.label_scheme: unknown scheme {name!r}; use one of {', '.join(SCHEMES)}")
    return SCHEMES[name]


def _pairs(bone: str, first: int) -> dict[str, int]:
    return {f"{bone}_{side}": first + i for i, side in enumerate(_SIDES)}


def _vertebrae(lowest: int) -> dict[str, int]:
    """L5 (lowest label) up to C1, as TotalSegmentator counts."""
    levels = [*(f"L{i}" for i in range(5, 0, -1)), *(f"T{i}" for i in range(12, 0, -1))]
    levels += [f"C{i}" for i in range(7, 0, -1)]
    return {f"vertebrae_{level}": lowest + i for i, level in enumerate(levels)}


def _ribs(first: int) -> dict[str, int]:
    names = [f"rib_{side}_{i}" for side in _SIDES for i in range(1, 13)]
    return {name: first + i for i, name in enumerate(names)}


_TOTALSEGMENTATOR_V2 = BoneScheme(
    "totalsegmentator_v2",
    MappingProxyType(
        {
            "sacrum": {"sacrum": 25, "vertebrae_S1": 26},
            "vertebrae": _vertebrae(27),
            "humeri": _pairs("humerus", 69),
            "scapulae": _pairs("scapula", 71),
            "clavicles": _pairs("clavicula", 73),
            "femurs": _pairs("femur", 75),
            "hips": _pairs("hip", 77),
            "skull": {"skull": 91},
            "ribs": _ribs(92),
            "sternum": {"sternum": 116},
        }
    ),
    highest_label=117,
)

SCHEMES: Mapping[str, BoneScheme] = MappingProxyType({s.name: s for s in (_TOTALSEGMENTATOR_V2,)})
