"""Published weights by name: where they are from, under which licence, and whether a file holds them.

Nothing is downloaded but by `fetch_weights`. What is published: `engram.memory.published`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from engram.errors import AbsentWeightsError, StorageError, WeightsError
from engram.files import file_digest
from engram.memory.published import KNOWN_WEIGHTS, KnownWeights, describe_weights

__all__ = [
    "FETCH_FOLDER",
    "FOLDER_VARIABLE",
    "KNOWN_WEIGHTS",
    "KnownWeights",
    "ResolvedWeights",
    "describe_weights",
    "fetch_weights",
    "resolve_weights",
]

FOLDER_VARIABLE = "ENGRAM_WEIGHTS"
FETCH_FOLDER = Path("weights")  # where `engram weights fetch` puts what it gets, unless told otherwise

_ANSWER_SECONDS = 5.0  # for the hub to answer at all; the download itself takes as long as it takes


@dataclass(frozen=True)
class ResolvedWeights:
    """Weights found on this machine.

    known: the entry that was asked for by name, or that has these bytes; file_digest: SHA-256 (hex) of the file, or
    of model.safetensors in a folder; None for a folder without one.
    """

    path: Path
    known: KnownWeights | None
    file_digest: str | None

    @property
    def verified(self) -> bool:
        """Whether these are, byte for byte, weights whose published SHA-256 is known."""
        return self.known is not None and self.file_digest is not None and self.known.sha256 == self.file_digest


def resolve_weights(path_or_name: str | Path, *, folder: Path | None = None) -> ResolvedWeights:
    """Where weights are on this machine, and whether their bytes are published ones.

    A file or folder that exists is taken as it is. A known name is looked for in `folder`, in the folder that
    $ENGRAM_WEIGHTS names, in ./weights, where fetched files go, and in the Hugging Face cache. Raises WeightsError
    where nothing is found (AbsentWeightsError), naming the command that gets it, or where the file found by name is
    not the published one.
    """
    path, known = _located(path_or_name, folder)
    file = path / "model.safetensors" if path.is_dir() else path
    sha256 = file_digest(file) if file.is_file() else None
    if known is None:
        published = {entry.sha256: entry for entry in KNOWN_WEIGHTS.values() if entry.sha256 is not None}
        return ResolvedWeights(path, published.get(sha256) if sha256 else None, sha256)
    _check_digest(path, sha256, known)
    return ResolvedWeights(path, known, sha256)


def _located(path_or_name: str | Path, folder: Path | None) -> tuple[Path, KnownWeights | None]:
    path = Path(path_or_name)
    if path.exists():
        return path, None
    known = KNOWN_WEIGHTS.get(str(path_or_name))
    if known is None:
        raise AbsentWeightsError(_nothing_there(str(path_or_name)))
    folders = [place for place in (folder, _folder_of_environment(), FETCH_FOLDER) if place is not None]
    found = [file for file in (place / known.local_name for place in folders) if file.is_file()] or _in_cache(known)
    if not found:
        looked = f"{', '.join(str(place.absolute()) for place in folders)} and the Hugging Face cache"
        raise AbsentWeightsError(
            f"the weights '{known.name}' are not on this machine (looked in {looked}). Get them with "
            f"'engram weights fetch {known.name}' ({known.source}; licence: {known.licence}), or give their path."
        )
    return found[0], known


def fetch_weights(name: str, folder: Path, *, revision: str | None = None) -> ResolvedWeights:
    """Download known weights into `folder`, whole or not at all. The only function that uses the network.

    revision: another commit of the repository than the registry's; its bytes are not compared with the known ones.
    The published file is kept where it is there already. Raises WeightsError where the name is not known, the hub
    cannot be reached or is switched off (HF_HUB_OFFLINE), or the bytes are not the published ones; StorageError
    where the folder cannot be written.
    """
    known = KNOWN_WEIGHTS.get(name)
    if known is None:
        raise WeightsError(_unknown_name(name))
    target = folder / known.local_name
    if revision is None and target.is_file():
        there = ResolvedWeights(target, known, file_digest(target))
        if there.verified:
            return there
    try:
        with (
            _made(folder),
            tempfile.TemporaryDirectory(dir=folder, prefix=f".{known.local_name}.", suffix=".part") as temporary,
        ):
            file = _download(known, Path(temporary), revision or known.revision)
            sha256 = file_digest(file)
            if revision in (None, known.revision):
                _check_digest(target, sha256, known)
            file.replace(target)
    except OSError as error:
        raise StorageError(
            f"{target}: could not be written ({error.strerror or error}). Choose another folder or free some space."
        ) from error
    return ResolvedWeights(target, known, sha256)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder and those above it; where what follows fails, those that were not there are gone again."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in new:
            if not any(place.iterdir()):
                place.rmdir()
        raise


def _download(known: KnownWeights, folder: Path, revision: str | None) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise WeightsError(
            f"{known.name}: HF_HUB_OFFLINE is set, so nothing is downloaded. Unset it, or copy {known.source} here "
            "from another machine and give its path."
        )
    try:
        # Asked once and shortly: the download would retry for half a minute, and print each time that it does.
        get_hf_file_metadata(hf_hub_url(known.repository, known.file, revision=revision), timeout=_ANSWER_SECONDS)
        return Path(hf_hub_download(known.repository, known.file, revision=revision, local_dir=folder))
    except Exception as error:  # a network fails in many ways, each with an error of its own
        raise WeightsError(
            f"{known.name}: {known.source} could not be downloaded ({_first_line(error)}). Check the network and "
            "try again, or download the file on another machine and give its path."
        ) from error


def _first_line(error: Exception) -> str:
    """Its kind and the first line of what it says: the hub's errors go on with advice of their own."""
    said = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *said[:1]])


def _check_digest(path: Path, sha256: str | None, known: KnownWeights) -> None:
    if known.sha256 is not None and sha256 != known.sha256:
        raise WeightsError(
            f"{path}: not the published weights '{known.name}': its SHA-256 is {sha256}, that of {known.source} is "
            f"{known.sha256}. It is damaged or another version. Get it with 'engram weights fetch {known.name}', "
            "or give its path in place of the name to use it as it is."
        )


def _folder_of_environment() -> Path | None:
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        return None
    if not Path(named).is_dir():
        raise WeightsError(f"{FOLDER_VARIABLE}={named}: no such folder. Set it to the folder that holds weights.")
    return Path(named)


def _in_cache(known: KnownWeights) -> list[Path]:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(known.repository, known.file, revision=known.revision)
    return [Path(found)] if isinstance(found, str) else []


def _nothing_there(asked: str) -> str:
    return (
        f"{asked}: no such file or folder. Give an official SAM 2 / MedSAM2 .pt file, a Hugging Face folder, "
        f"'untrained-mini', or a known name: {_names(asked)}."
    )


def _unknown_name(name: str) -> str:
    return f"{name}: not a known name of weights. Known are: {_names(name)}."


def _names(asked: str) -> str:
    close = get_close_matches(asked, KNOWN_WEIGHTS, n=1)
    return ", ".join(KNOWN_WEIGHTS) + (f" (did you mean '{close[0]}'?)" if close else "")
