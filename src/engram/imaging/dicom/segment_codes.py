"""What a segment is, in SNOMED CT codes (DICOM PS3.16 CID 7150, 7191, 7192), by the name that Engram gives it."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

_SCT = codes.SCT


@dataclass(frozen=True)
class SegmentCodes:
    """category: of CID 7150. kind: the property type; what it means to a reader that does not know the name."""

    category: Code
    kind: Code


def _anatomy(kind: Code) -> SegmentCodes:
    return SegmentCodes(_SCT.AnatomicalStructure, kind)


_UNKNOWN = SegmentCodes(_SCT.Tissue, _SCT.Tissue)
_BONE = SegmentCodes(_SCT.Tissue, _SCT.BoneTissue)
_KNOWN = {
    "spine": _anatomy(_SCT.Spine),
    "spine_dilated": _anatomy(_SCT.Spine),
    "skeleton": _BONE,
    "axial_skeleton": _BONE,
    "shoulder_girdle": _BONE,
    "limbs": _BONE,
    "bone": _BONE,
    "marrow": SegmentCodes(_SCT.Tissue, _SCT.BoneMarrow),
    "skull": _anatomy(_SCT.Skull),
    "cervical": _anatomy(_SCT.CervicalSpine),
    "thoracic": _anatomy(_SCT.ThoracicSpine),
    "lumbar": _anatomy(_SCT.LumbarSpine),
    "sacrum": _anatomy(_SCT.Sacrum),
    "sacrum_pelvis": _anatomy(_SCT.BoneStructureOfPelvis),
    "ribs_sternum": _anatomy(_SCT.BoneOfThorax),
    "sternum": _anatomy(_SCT.Sternum),
    "liver": _anatomy(_SCT.Liver),
    "lesion": SegmentCodes(_SCT.MorphologicallyAbnormalStructure, _SCT.Lesion),
}


def segment_codes(name: str) -> SegmentCodes:
    """Codes of a region by its name in any case; of a name that is not known, "Tissue": its label says the rest."""
    return _KNOWN.get(name.strip().lower(), _UNKNOWN)
