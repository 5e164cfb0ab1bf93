"""The state of a propagation on disk: whole, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from engram.errors import StorageError
from engram.memory import propagation
from engram.memory.propagation import PropagationState, Remembered
from engram.memory.store_format import seal

Arrays = dict[str, np.ndarray]


def _remembered(seed: int) -> Remembered:
    rng = np.random.default_rng(seed)
    memory, pointer = rng.random((2, 3, 3), dtype=np.float32), rng.random(4, dtype=np.float32)
    return Remembered(torch.from_numpy(memory), torch.from_numpy(pointer))


@pytest.fixture
def state() -> PropagationState:
    return PropagationState(9, _remembered(0), (_remembered(1), _remembered(2)))


@pytest.fixture
def path(state: PropagationState, tmp_path: Path) -> Path:
    return state.save(tmp_path / "state.safetensors")


def _refused(path: Path, why: str = "") -> None:
    with pytest.raises(StorageError, match=rf"{path.name}: not the state of a propagation \(.*{why}"):
        PropagationState.load(path)


def test_a_state_comes_back_bit_for_bit(state: PropagationState, path: Path) -> None:
    again = PropagationState.load(path)
    assert again.n_read == 9
    assert again.first is not None
    assert state.first is not None
    assert len(again.tracked) == 2
    for a, b in zip((again.first, *again.tracked), (state.first, *state.tracked), strict=True):
        assert torch.equal(a.memory, b.memory)
        assert torch.equal(a.pointer, b.pointer)
    again.first.memory[0, 0, 0] = 1  # its own memory, not that of the file
    assert state.save(path.with_name("same")).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kept", [PropagationState(), PropagationState(5), PropagationState(1, _remembered(0))])
def test_states_that_keep_less_come_back_too(kept: PropagationState, tmp_path: Path) -> None:
    again = PropagationState.load(kept.save(tmp_path / "state"))
    assert (again.n_read, again.first is None, again.tracked) == (kept.n_read, kept.first is None, ())


def test_any_bit_that_flips_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        _refused(path)


@pytest.mark.parametrize("length", [0, 4, 100, -3])
def test_a_state_cut_short_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    _refused(path)


def test_a_state_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "none")
    _refused(tmp_path)


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, foreign)
    _refused(foreign, "no checksum of a state")


MEMORY, POINTER, N_READ = np.zeros((2, 3, 3), np.float32), np.zeros(4, np.float32), np.array(3)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({}, "its arrays are none"),
        ({"n_read": N_READ, "weight": POINTER}, "its arrays are n_read, weight"),
        ({"n_read": N_READ, "memory_1": MEMORY, "pointer_1": POINTER}, "its arrays are memory_1"),
        ({"n_read": np.array([3]), "memory_0": MEMORY, "pointer_0": POINTER}, r"n_read is int64 \[3\]"),
        ({"n_read": np.array(3.5)}, "n_read is float64 3.5"),
        ({"n_read": np.array(-1)}, "n_read is int64 -1"),
        ({"n_read": np.array(0), "memory_0": MEMORY, "pointer_0": POINTER}, "0 where 1 slices are kept"),
        ({"n_read": N_READ, "memory_0": MEMORY[0], "pointer_0": POINTER}, "memory must be float32 of 3 axes"),
        ({"n_read": N_READ, "memory_0": MEMORY, "pointer_0": POINTER.astype(int)}, "pointer must be float32"),
        (
            {
                "n_read": N_READ,
                "memory_0": MEMORY,
                "pointer_0": POINTER,
                "memory_1": MEMORY[:1],
                "pointer_1": POINTER,
            },
            "of 3 axes and one shape",
        ),
    ],
)
def test_sealed_arrays_that_are_no_state_are_refused(tmp_path: Path, arrays: Arrays, why: str) -> None:
    path = tmp_path / "state"
    save_file(arrays, path, metadata={propagation._SEAL: seal({}, arrays)})
    _refused(path, why)
