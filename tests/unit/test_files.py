"""Scratch folders: private, gone at the end, and cleared after a kill, but never under somebody who works."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engram.errors import StorageError
from engram.files import scratch_folder

KILLED = """
import sys, time
from pathlib import Path
from engram.files import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "table").touch()
    print("made", flush=True)
    time.sleep(60)
"""


def left_by_a_worker(parent: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", KILLED, parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "made\n"
    return process


def tables(parent: Path) -> list[Path]:
    return list(parent.glob("*/table"))


def test_what_a_killed_process_left_is_cleared_by_the_next_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    process = left_by_a_worker(tmp_path)
    with scratch_folder(tmp_path) as mine:
        assert len(tables(tmp_path)) == 1
        assert mine.parent == tmp_path
    assert len(tables(tmp_path)) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert len(tables(tmp_path)) == 1
    with scratch_folder(tmp_path):
        assert not tables(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file: cannot be made"), scratch_folder(tmp_path / "file"):
        pass
