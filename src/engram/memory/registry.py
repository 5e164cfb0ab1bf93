"""Published weights by name: where they are from, under which licence, and whether a file holds them.

What could not be confirmed from public sources is None and prints as "not known". Nothing is downloaded but by
`fetch_weights`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from engram.errors import StorageError, WeightsError
from engram.files import file_digest

FOLDER_VARIABLE = "ENGRAM_WEIGHTS"
FETCH_FOLDER = Path("weights")  # where `engram weights fetch` puts what it gets, unless told otherwise

_ANSWER_SECONDS = 5.0  # for the hub to answer at all; the download itself takes as long as it takes


@dataclass(frozen=True)
class KnownWeights:
    """Weights that their authors publish. None: not known.

    repository: on Hugging Face; revision: the commit of it; resolution: pixels a side that they were trained at;
    sha256: of the published file, hex.
    """

    name: str
    repository: str
    file: str
    revision: str | None
    resolution: int
    licence: str
    licence_note: str
    sha256: str | None
    citation: str

    @property
    def source(self) -> str:
        """Where the file is published."""
        return f"{self.file} of huggingface.co/{self.repository}"


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


def _medsam2(name: str, file: str, sha256: str | None = None) -> KnownWeights:
    return KnownWeights(
        name=name,
        repository="wanglab/MedSAM2",
        file=file,
        revision="e4a6f35edd7e091619cbc0750f462f1574e23955",
        resolution=512,
        licence="CC-BY-SA-4.0, for research and education only",
        licence_note=(
            "The model card's metadata say CC-BY-SA-4.0, its text that the weights can only be used for research "
            "and education: keep to both. Only the code is Apache-2.0."
        ),
        sha256=sha256,
        citation=(
            "Ma, J., et al. (2025). MedSAM2: Segment Anything in 3D Medical Images and Videos. arXiv:2504.03600."
        ),
    )


def _sam2(version: str, size: str, revision: str | None, sha256: str) -> KnownWeights:
    return KnownWeights(
        name=f"sam{version}-{size}",
        repository=f"facebook/sam{version}-hiera-{size}",
        file=f"sam{version}_hiera_{size.replace('-', '_')}.pt",
        revision=revision,
        resolution=1024,
        licence="Apache-2.0",
        licence_note="Trained on photographs and videos, not on medical images.",
        sha256=sha256,
        citation="Ravi, N., et al. (2024). SAM 2: Segment Anything in Images and Videos. arXiv:2408.00714.",
    )


_ALL = (
    _medsam2(
        "medsam2",
        "MedSAM2_latest.pt",
        "c92743b99f00d078bf32a3afcc38aaa9faf1c1692dffe3eaa7a90938c1991060",
    ),
    _medsam2("medsam2-2411", "MedSAM2_2411.pt"),
    _medsam2("medsam2-ct-lesion", "MedSAM2_CTLesion.pt"),
    _medsam2("medsam2-mri-liver-lesion", "MedSAM2_MRI_LiverLesion.pt"),
    _medsam2("medsam2-us-heart", "MedSAM2_US_Heart.pt"),
    _sam2(
        "2.1",
        "tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    ),
    _sam2(
        "2.1",
        "small",
        "ee5bba1d82bb8749febdf90f45e84b687142ba03",
        "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    ),
    _sam2(
        "2.1",
        "base-plus",
        "b7320756a13354e7530a63935656d35b2f91a290",
        "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    ),
    _sam2(
        "2.1",
        "large",
        "665f8e2ad61cf5f53d65644ff27c8ee525124610",
        "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
    ),
    _sam2("2", "tiny", None, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125"),
    _sam2("2", "small", None, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3"),
    _sam2("2", "base-plus", None, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071"),
    _sam2(
        "2",
        "large",
        "e6a8e8809b8f1bfa2238b6d080f3d05cc76bd251",
        "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b",
    ),
)
KNOWN_WEIGHTS: dict[str, KnownWeights] = {known.name: known for known in _ALL}


def describe_weights(known: KnownWeights) -> str:
    """All that is known of published weights, a line each."""
    lines = {
        "source": known.source,
        "revision": known.revision,
        "resolution": f"{known.resolution} pixels",
        "licence": f"{known.licence}. {known.licence_note}",
        "SHA-256": known.sha256,
        "cite": known.citation,
    }
    return "\n".join([known.name, *(f"  {name}: {value or 'not known'}" for name, value in lines.items())])


def resolve_weights(path_or_name: str | Path, *, folder: Path | None = None) -> ResolvedWeights:
    """Where weights are on this machine, and whether their bytes are published ones.

    A file or folder that exists is taken as it is. A known name is looked for in `folder`, in the folder that
    $ENGRAM_WEIGHTS names, in ./weights, where fetched files go, and in the Hugging Face cache. Raises WeightsError
    where nothing is found, naming the command that gets it, or where the file found by name is not the published
    one.
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
        raise WeightsError(_nothing_there(str(path_or_name)))
    folders = [place for place in (folder, _folder_of_environment(), FETCH_FOLDER) if place is not None]
    found = [file for file in (place / known.file for place in folders) if file.is_file()] or _in_cache(known)
    if not found:
        looked = f"{', '.join(str(place.absolute()) for place in folders)} and the Hugging Face cache"
        raise WeightsError(
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
    target = folder / known.file
    if revision is None and target.is_file():
        there = ResolvedWeights(target, known, file_digest(target))
        if there.verified:
            return there
    try:
        with (
            _made(folder),
            tempfile.TemporaryDirectory(dir=folder, prefix=f".{known.file}.", suffix=".part") as temporary,
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
