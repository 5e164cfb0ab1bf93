"""What is measured on one patient's images, in the pass that checks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import Any

from pydantic import TypeAdapter

from engram.config import StudyConfig
from engram.config_pet import PetNumbers as PetSection
from engram.imaging.align import AlignedPet
from engram.imaging.alignment import Alignment, alignment
from engram.imaging.field_of_view import share_inside
from engram.imaging.study import ImagePair
from engram.imaging.volume import Grid, Volume
from engram.roi.anatomy import PARTS, part_map
from engram.roi.bone_quality import BoneQuality, bone_quality
from engram.roi.bones import BoneMap, Mask
from engram.roi.label_place import bone_contrast
from engram.roi.mask_quality import MaskQuality, mask_quality
from engram.roi.pet_numbers import Liver, PetNumbers, Threshold, liver_suv, pet_numbers

_ROI, _PART = "roi", "part"


@dataclass(frozen=True)
class Measures:
    """Numbers of one patient's images. None, or nothing, where the study has no such scan or label map.

    digests: SHA-256 (hex) of the bytes of each file that was measured, by its use, as `Inspection` has them.
    bone_contrast: how often labelled bone is denser than what is around it; 0.5 is chance.
    rois: one a region of interest. roi_in_pet: share of each that lies in the PET's field of view.
    roi_pet, part_pet: SUV, MTV and TLG of each region of interest, and of each anatomical part of the label maps.
    """

    digests: dict[str, str]
    alignment: Alignment | None
    liver: Liver | None
    bones: BoneQuality | None
    bone_contrast: float | None
    rois: tuple[MaskQuality, ...]
    roi_in_pet: dict[str, float]
    roi_pet: tuple[PetNumbers, ...]
    part_pet: tuple[PetNumbers, ...]

    @classmethod
    def from_json(cls, content: Any) -> Measures:
        """The inverse of `to_json`. Raises ValueError (pydantic's) where it is not."""
        return _ADAPTER.validate_python(content)

    def to_json(self) -> Any:
        """Plain values for a JSON file; NaN as the text "nan"."""
        return without_nan(asdict(self))


_ADAPTER = TypeAdapter(Measures)


@dataclass(frozen=True)
class Loaded:
    """The images of one patient, read once. pet: on its own grid; the pair and all masks lie on `pair.grid`."""

    pair: ImagePair
    pet: Volume | None
    bones: BoneMap | None
    masks: Mapping[str, Mask]


def loaded_pair(ct: Volume | None, pet: Volume | None, aligned: AlignedPet | None) -> ImagePair:
    """Both scans on one grid. aligned: the PET on the CT's grid, where both are there."""
    alone = AlignedPet(pet, 1.0) if pet is not None and ct is None else None
    return ImagePair(ct, aligned or alone)


def measure(images: Loaded, digests: Mapping[str, str], config: StudyConfig) -> Measures:
    """Measure all that the study's images allow. digests: of the files that were read, by their use."""
    pair, pet, grid = images.pair, images.pet, images.pair.grid
    both = pair.ct is not None and pair.pet is not None and pet is not None
    liver = _liver(pet, images.bones, grid) if pet is not None else None
    rois = {name: config.rois[name].region == "spine_dilated" for name in images.masks}
    numbers = _pet_numbers(pet, images, config.pet_numbers, liver) if pet is not None else []
    return Measures(
        digests=dict(digests),
        alignment=alignment(pet, pair.ct, pair.pet) if both and pet and pair.ct and pair.pet else None,
        liver=liver,
        bones=bone_quality(images.bones, grid) if images.bones is not None else None,
        bone_contrast=bone_contrast(pair.ct, images.bones) if pair.ct and images.bones is not None else None,
        rois=tuple(mask_quality(n, images.masks[n], grid, one_piece=whole) for n, whole in rois.items()),
        roi_in_pet={n: share_inside(m, grid, pet.grid) for n, m in images.masks.items()} if pet is not None else {},
        roi_pet=tuple(_of_kind(numbers, _ROI)),
        part_pet=tuple(_of_kind(numbers, _PART)),
    )


def _liver(pet: Volume, bones: BoneMap | None, grid: Grid) -> Liver | None:
    if bones is None or "liver" not in bones.known:
        return None
    return liver_suv(pet, bones.mask(["liver"]), grid)


def _pet_numbers(pet: Volume, images: Loaded, asked: PetSection, liver: Liver | None) -> list[PetNumbers]:
    threshold = Threshold(asked.threshold, asked.chosen)
    return pet_numbers(pet, _regions(images), images.pair.grid, threshold=threshold, liver=liver)


def _regions(images: Loaded) -> Iterator[tuple[str, Mask]]:
    """Regions of interest, then parts: a region of interest may have the name of a part."""
    for name, mask in images.masks.items():
        yield f"{_ROI}|{name}", mask
    if images.bones is not None:
        parts = part_map(images.bones)
        for number, name in enumerate(PARTS, start=1):
            yield f"{_PART}|{name}", parts == number


def _of_kind(numbers: list[PetNumbers], kind: str) -> Iterator[PetNumbers]:
    for found in numbers:
        where, _, name = found.region.partition("|")
        if where == kind:
            yield replace(found, region=name)


def without_nan(value: Any) -> Any:
    """The value as JSON can have it: at any depth, the text "nan" for each NaN, and lists for tuples."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return "nan" if isinstance(value, float) and isnan(value) else value
