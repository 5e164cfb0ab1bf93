"""From the name of a head to a head."""

from __future__ import annotations

from typing import Final

from engram.config_models import Training
from engram.heads.attention import LightAttention
from engram.heads.averaging import AveragingHead
from engram.heads.discarded import Cnn3d, Flat

Head = AveragingHead | LightAttention | Cnn3d | Flat

OF_MAPS: Final = "averaging"
OF_VOLUMES: Final = ("attention", "3D CNN", "flatten")


def make_head(name: str, shape: tuple[int, ...], settings: Training) -> Head:
    """An untrained head; it turns (n, *shape) into (n, out_features).

    shape: (1, h, w) of averaged maps for "averaging", (entries, channels, h, w) of memories for the others.
    settings: `attention_base`, `attention_out` and `attention_pool` are used. Raises ValueError for a name that is
    no head, and where the shape has another number of axes.
    """
    if name not in (OF_MAPS, *OF_VOLUMES):
        raise ValueError(f"'{name}' is no head; there are {', '.join((OF_MAPS, *OF_VOLUMES))}")
    axes = 3 if name == OF_MAPS else 4
    if len(shape) != axes:
        raise ValueError(f"head '{name}' reads {axes} axes a patient, got {shape}")
    if name == OF_MAPS:
        return AveragingHead()
    if name == "attention":
        return LightAttention(
            shape[0],
            base=settings.attention_base,
            out_features=settings.attention_out,
            pool=settings.attention_pool,
        )
    return Cnn3d() if name == "3D CNN" else Flat(shape)
