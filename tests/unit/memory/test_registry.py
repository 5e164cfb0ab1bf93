"""Known weights: found, told apart by their bytes, fetched whole or not at all. No test uses a network."""

from __future__ import annotations

import hashlib
import re
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from engram.errors import AbsentWeightsError, StorageError, WeightsError
from engram.memory.registry import (
    FOLDER_VARIABLE,
    KNOWN_WEIGHTS,
    KnownWeights,
    describe_weights,
    fetch_weights,
    resolve_weights,
)

CONTENT = b"published weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _nothing_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownWeights:
    """MedSAM2, as if CONTENT had been published."""
    entry = replace(KNOWN_WEIGHTS["medsam2"], sha256=SHA256)
    monkeypatch.setitem(KNOWN_WEIGHTS, entry.name, entry)
    return entry


class _Hub:
    """Stands for `hf_hub_download`: writes a file, remembers what it was asked for."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content, self.asked = content, []  # type: ignore[var-annotated]

    def __call__(self, repository: str, file: str, **options: Any) -> str:
        self.asked.append((repository, file, options["revision"]))
        path = Path(options["local_dir"]) / file
        path.write_bytes(self.content)
        return str(path)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> _Hub:
    standing_in = _Hub()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", standing_in)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda _url, *, timeout: timeout)
    return standing_in


def _cache(root: Path, known: KnownWeights) -> Path:
    """A file in the Hugging Face cache, laid out as the hub's client does."""
    assert known.revision is not None
    repository = root / "cache" / f"models--{known.repository.replace('/', '--')}"
    path = repository / "snapshots" / known.revision / known.file
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


def test_every_entry_is_well_formed() -> None:
    files = [(known.repository, known.file) for known in KNOWN_WEIGHTS.values()]
    assert len(set(files)) == len(KNOWN_WEIGHTS) == 15
    for name, known in KNOWN_WEIGHTS.items():
        assert name == known.name
        assert known.revision is None or re.fullmatch("[0-9a-f]{40}", known.revision)
        assert known.sha256 is None or re.fullmatch("[0-9a-f]{64}", known.sha256)
        assert known.resolution == (512 if name.startswith("medsam2") else 1024 if known.remembers else 224)
    names = [known.local_name for known in KNOWN_WEIGHTS.values()]
    assert len(set(names)) == len(names)  # of files side by side in one folder


def test_what_is_not_known_is_said() -> None:
    lines = describe_weights(KNOWN_WEIGHTS["medsam2-us-heart"]).splitlines()
    assert lines[0] == "medsam2-us-heart"
    assert "  SHA-256: not known" in lines
    assert "  revision: not known" in describe_weights(KNOWN_WEIGHTS["sam2-tiny"]).splitlines()


def test_the_licence_of_medsam2_names_both_terms() -> None:
    text = describe_weights(KNOWN_WEIGHTS["medsam2"])
    assert "CC-BY-SA-4.0" in text
    assert "research and education" in text


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"other")
    found = resolve_weights(path)
    assert (found.path, found.known, found.verified) == (path, None, False)
    assert found.file_digest == hashlib.sha256(b"other").hexdigest()


def test_a_path_with_published_bytes_is_known_whatever_its_name(tmp_path: Path, known: KnownWeights) -> None:
    path = tmp_path / "renamed.pt"
    path.write_bytes(CONTENT)
    found = resolve_weights(path)
    assert (found.known, found.verified) == (known, True)


def test_a_folder_is_told_by_its_tensors(tmp_path: Path) -> None:
    assert resolve_weights(tmp_path).file_digest is None
    (tmp_path / "model.safetensors").write_bytes(CONTENT)
    assert resolve_weights(tmp_path).file_digest == SHA256


def test_a_name_is_looked_for_in_the_folder_the_variable_where_fetched_files_go_and_the_cache(
    tmp_path: Path, known: KnownWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = _cache(tmp_path, known)
    assert resolve_weights(known.name).path == cached
    Path("weights").mkdir()
    Path("weights", known.file).write_bytes(CONTENT)
    assert resolve_weights(known.name).path == Path("weights", known.file)
    shared, own = tmp_path / "shared", tmp_path / "own"
    for place in (shared, own):
        place.mkdir()
        (place / known.file).write_bytes(CONTENT)
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared))
    assert resolve_weights(known.name).path == shared / known.file
    assert resolve_weights(known.name, folder=own).path == own / known.file
    assert resolve_weights(known.name, folder=own).verified


def test_another_revision_in_the_cache_is_not_taken(tmp_path: Path, known: KnownWeights) -> None:
    _cache(tmp_path, replace(known, revision="0" * 40))
    with pytest.raises(WeightsError, match="not on this machine"):
        resolve_weights(known.name)


def test_absent_weights_name_command_source_and_licence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'engram weights fetch medsam2'") as refused:
        resolve_weights("medsam2", folder=tmp_path)
    looked = f"looked in {tmp_path}, {Path.cwd() / 'weights'} and the Hugging Face cache"
    for part in ("MedSAM2_latest.pt of huggingface.co/wanglab/MedSAM2", "CC-BY-SA-4.0", looked):
        assert part in str(refused.value)


def test_a_near_miss_of_a_name_is_met_with_the_name() -> None:
    with pytest.raises(WeightsError, match=r"medsam-2: no such file or folder.*did you mean 'medsam2'"):
        resolve_weights("medsam-2")


def test_a_variable_that_names_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match=f"{FOLDER_VARIABLE}=.*nowhere: no such folder"):
        resolve_weights("medsam2")


def test_other_bytes_under_a_known_name_are_refused(tmp_path: Path, known: KnownWeights) -> None:
    (tmp_path / known.file).write_bytes(b"truncated")
    with pytest.raises(WeightsError, match=rf"not the published weights 'medsam2'.*{SHA256}"):
        resolve_weights(known.name, folder=tmp_path)


def test_weights_without_a_known_digest_are_found_but_not_verified(tmp_path: Path) -> None:
    known = KNOWN_WEIGHTS["medsam2-ct-lesion"]
    (tmp_path / known.file).write_bytes(b"any")
    found = resolve_weights(known.name, folder=tmp_path)
    assert (found.known, found.verified) == (known, False)


def test_fetching_asks_for_the_pinned_revision_and_compares(tmp_path: Path, known: KnownWeights, hub: _Hub) -> None:
    fetched = fetch_weights(known.name, tmp_path / "new")
    assert hub.asked == [("wanglab/MedSAM2", "MedSAM2_latest.pt", known.revision)]
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.file_digest, fetched.verified) == (SHA256, True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [known.file]


def test_what_is_there_and_published_is_not_fetched_again(tmp_path: Path, known: KnownWeights, hub: _Hub) -> None:
    (tmp_path / known.file).write_bytes(b"truncated")
    assert fetch_weights(known.name, tmp_path).verified
    assert fetch_weights(known.name, tmp_path).verified
    assert len(hub.asked) == 1


def test_other_bytes_from_the_hub_are_refused_and_leave_nothing(
    tmp_path: Path, known: KnownWeights, hub: _Hub
) -> None:
    hub.content = b"something else"
    with pytest.raises(WeightsError, match="not the published weights"):
        fetch_weights(known.name, tmp_path / "new" / "weights")
    assert not (tmp_path / "new").exists()


def test_another_revision_is_fetched_on_request_and_not_verified(
    tmp_path: Path, known: KnownWeights, hub: _Hub
) -> None:
    hub.content = b"a later version"
    fetched = fetch_weights(known.name, tmp_path, revision="main")
    assert hub.asked[0][2] == "main"
    assert not fetched.verified
    assert fetched.file_digest == hashlib.sha256(hub.content).hexdigest()


def test_an_unknown_name_is_not_fetched(tmp_path: Path, hub: _Hub) -> None:
    with pytest.raises(WeightsError, match="not a known name"):
        fetch_weights("MedSAM2_latest.pt", tmp_path)
    assert hub.asked == []


def test_offline_is_honoured(tmp_path: Path, hub: _Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        fetch_weights("medsam2", tmp_path / "weights")
    assert (hub.asked, (tmp_path / "weights").exists()) == ([], False)


def _fail(*_: object, **__: object) -> str:
    raise ConnectionError("no route to host\n\nadvice of the hub")


@pytest.mark.parametrize("step", ["get_hf_file_metadata", "hf_hub_download"])
def test_a_hub_that_fails_is_named_and_leaves_nothing(
    step: str, tmp_path: Path, hub: _Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, step, _fail)
    with pytest.raises(WeightsError, match=r"could not be downloaded \(ConnectionError: no route to host\)\. "):
        fetch_weights("medsam2", tmp_path / "new" / "weights")
    assert not (tmp_path / "new").exists()


def test_a_hub_that_cannot_be_reached_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # bound and not listening: what connects is refused
        closed.bind(("127.0.0.1", 0))
        there = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", there)
        monkeypatch.setattr(
            huggingface_hub.constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            there + "/{repo_id}/resolve/{revision}/{filename}",
        )
        start = time.monotonic()
        with pytest.raises(WeightsError, match=r"could not be downloaded \(ConnectError"):
            fetch_weights("medsam2", tmp_path / "weights")
    assert time.monotonic() - start < 5
    assert not (tmp_path / "weights").exists()


def test_a_folder_that_was_there_stays(tmp_path: Path, hub: _Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", _fail)
    (tmp_path / "weights").mkdir()
    with pytest.raises(WeightsError, match="could not be downloaded"):
        fetch_weights("medsam2", tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, hub: _Hub) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"could not be written \(File exists\)"):
        fetch_weights("medsam2", tmp_path / "file")


def test_an_image_encoder_is_fetched_under_a_name_that_says_what_it_is_and_found_there(
    hub: _Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN_WEIGHTS, "vit", replace(KNOWN_WEIGHTS["vit"], sha256=SHA256))
    assert fetch_weights("vit", tmp_path).path == tmp_path / "vit.safetensors"
    assert [asked[:2] for asked in hub.asked] == [("google/vit-base-patch16-224-in21k", "model.safetensors")]
    assert resolve_weights("vit", folder=tmp_path).verified


def test_weights_that_are_not_here_are_told_apart_from_damaged_ones(tmp_path: Path, known: KnownWeights) -> None:
    with pytest.raises(AbsentWeightsError, match="engram weights fetch resnet50"):
        resolve_weights("resnet50", folder=tmp_path)
    (tmp_path / known.file).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="not the published weights") as caught:
        resolve_weights(known.name, folder=tmp_path)
    assert not isinstance(caught.value, AbsentWeightsError)
