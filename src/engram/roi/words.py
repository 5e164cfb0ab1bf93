"""What a region of interest is, in words for the report."""

from __future__ import annotations

from engram.config_images import Roi

_NAMES = {
    "skeleton": "all bones",
    "axial_skeleton": "skull, spine, sacrum, ribs and sternum",
    "skull": "skull",
    "cervical": "cervical vertebrae",
    "thoracic": "thoracic vertebrae",
    "lumbar": "lumbar vertebrae",
    "sacrum_pelvis": "sacrum and hip bones",
    "ribs_sternum": "ribs and sternum",
    "shoulder_girdle": "scapulae and clavicles",
    "limbs": "bones of the free limbs",
}


def in_words(roi: Roi) -> str:
    """How the region is made, with every setting that shapes it."""
    if roi.region is None:
        return "ready mask"
    if roi.region == "spine_dilated":
        return _spine(roi)
    if roi.region == "skeleton":
        return f"all bones and {_spine(roi)}"
    if roi.region == "marrow":
        return _marrow(roi)
    if roi.region == "ct_threshold":
        return _approximate(roi)
    return _NAMES[roi.region] + _dilated(roi)


def _marrow(roi: Roi) -> str:
    erode_mm, proximal_mm = (roi.settings[name] for name in ("erode_mm", "proximal_mm"))
    upper = f", humeri and femora to {proximal_mm:g} mm from their joint" if proximal_mm else ""
    margin = f", without {erode_mm:g} mm of surface" if erode_mm else ""
    return f"bones of active marrow: spine, sacrum, hip bones, ribs, sternum, shoulder girdle{upper}{margin}"


def _approximate(roi: Roi) -> str:
    settings = roi.settings
    return (
        f"approximate skeleton from the CT alone, no segmentation: at least {settings['threshold_hu']:g} HU after "
        f"smoothing by {settings['smooth_mm']:g} mm, holes up to {settings['hole_cm2']:g} cm2 filled, pieces of at "
        f"least {settings['smallest_ml']:g} mL"
    )


def _spine(roi: Roi) -> str:
    settings = roi.settings
    sacrum = "with" if settings["include_sacrum"] else "without"
    canal = " and canal" if settings["fill_canal"] else ""
    closed = f", closed by {settings['close_mm']:g} mm" if settings["close_mm"] else ""
    return f"vertebrae {sacrum} sacrum{canal}{closed}{_dilated(roi)}"


def _dilated(roi: Roi) -> str:
    by_mm = roi.settings["dilate_mm"]
    return f", dilated by {by_mm:g} mm" if by_mm else ""
