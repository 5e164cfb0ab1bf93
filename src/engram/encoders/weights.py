"""The weights of the encoders that are files of their own: found, checked once, loaded as often as needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engram.encoders.contract import Encoder
from engram.encoders.loading import Architecture, LoadedEncoder, load_model
from engram.encoders.resnet50 import ARCHITECTURE as RESNET50
from engram.encoders.resnet50 import ResNet50
from engram.encoders.vit import ARCHITECTURE as VIT
from engram.encoders.vit import Vit
from engram.errors import WeightsError
from engram.memory.registry import resolve_weights
from engram.memory.weights import check_device, weights_digest, weights_name

_KINDS: dict[str, tuple[Architecture, Callable[..., Encoder]]] = {
    "resnet50": (RESNET50, ResNet50),
    "vit": (VIT, Vit),
}
FROM_FILES = tuple(_KINDS)


@dataclass(frozen=True)
class CheckedEncoder:
    """Weights as they were when they passed every check.

    kind: one of `FROM_FILES`; name: what tables print; digest: of the model; verified: whether they are, byte for
    byte, weights whose published SHA-256 is known; licence: None where it is not known.
    """

    kind: str
    path: Path
    name: str
    digest: str
    verified: bool
    licence: str | None


def check_encoder(kind: str, path_or_name: str | Path, *, folder: Path | None = None) -> CheckedEncoder:
    """The weights of `kind`, a path or a known name, found and loaded once. Nothing is ever downloaded.

    folder: where known names are looked for first. Raises AbsentWeightsError where they are not on this machine,
    naming the command that gets them; WeightsError where they are damaged or of another architecture.
    """
    found = resolve_weights(path_or_name, folder=folder)
    known = found.known
    return CheckedEncoder(
        kind=kind,
        path=found.path,
        name=known.name if known is not None else weights_name(found.path),
        digest=_digest(_load(kind, found.path)),
        verified=found.verified,
        licence=known.licence if known is not None else None,
    )


def load_encoder(checked: CheckedEncoder, *, device: str = "cpu") -> Encoder:
    """The encoder of weights that were checked.

    Raises WeightsError where they are others by now, or there is no such device.
    """
    check_device(device)
    loaded = _load(checked.kind, checked.path)
    if _digest(loaded) != checked.digest:
        raise WeightsError(
            f"{checked.path}: changed since it was checked. Leave the weights alone during a run, then "
            "run the same command again."
        )
    return _KINDS[checked.kind][1](
        loaded,
        name=checked.name,
        digest=checked.digest,
        verified=checked.verified,
        licence=checked.licence,
        device=device,
    )


def _load(kind: str, path: Path) -> LoadedEncoder:
    return load_model(path, _KINDS[kind][0])


def _digest(loaded: LoadedEncoder) -> str:
    return weights_digest(loaded.model)
