"""Jobs on worker processes: order, errors, threads, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from engram.errors import ImagingError, WeightsError, WorkerError
from engram.jobs import run_jobs, tell_share


def square(x: int) -> int:
    return x * x


def surroundings(_job: int) -> tuple[int, str | None]:
    return torch.get_num_threads(), os.environ.get("MALLOC_MMAP_MAX_")


def refuse(x: int) -> int:
    if x == 1:
        raise ImagingError("P1", "CT is constant", mend="Look at it.", file="ct.nii.gz", row=3)
    return x


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    seen: list[tuple[float, int]] = []
    found = run_jobs(square, range(5), workers=workers, progress=lambda done, total: seen.append((done, total)))
    assert found == [0, 1, 4, 9, 16]
    assert seen == sorted(seen)
    assert seen[-1] == (5, 5)
    assert workers or seen == [(i, 5) for i in range(1, 6)]


def test_no_jobs_start_no_worker() -> None:
    assert run_jobs(square, [], workers=2) == []


def test_a_worker_has_one_thread_and_this_process_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = torch.get_num_threads()
    assert run_jobs(surroundings, [0], workers=1) == [(1, "0")]
    assert run_jobs(surroundings, [0], workers=0) == [(1, None)]
    assert run_jobs(surroundings, [0], workers=1, threads=2) == [(2, "0")]
    assert torch.get_num_threads() == before
    assert os.environ["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_comes_back_whole(workers: int) -> None:
    with pytest.raises(
        ImagingError, match=r"patient P1: CT is constant in row 3, ct\.nii\.gz\. Look at it\."
    ) as caught:
        run_jobs(refuse, [0, 1], workers=workers)
    assert (caught.value.patient_id, caught.value.row) == ("P1", 3)


def be_killed(x: int) -> int:
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def test_a_worker_ended_by_the_system_is_told_in_one_sentence() -> None:
    with pytest.raises(WorkerError, match=r"want of memory\. Use fewer --workers; finished work is kept"):
        run_jobs(be_killed, [0, 1], workers=2)


def refuse_to_start(name: str) -> None:
    raise WeightsError(f"{name}: damaged")


def test_an_error_while_a_worker_prepares_is_raised_as_it_is() -> None:
    with pytest.raises(WeightsError, match=r"x\.pt: damaged"):
        run_jobs(square, [0, 1], workers=1, prepare=refuse_to_start, prepare_with=("x.pt",))


def halfway(folder: str) -> float:
    """Tell a half, then wait until the parent has heard of it."""
    tell_share(0.5)
    heard = Path(folder, "heard")
    deadline = time.monotonic() + 20
    while not heard.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    tell_share(7)
    return 1.0


@pytest.mark.parametrize(("workers", "jobs"), [(0, 2), (2, 2)])
def test_shares_of_jobs_under_way_are_told_before_any_is_done(tmp_path: Path, workers: int, jobs: int) -> None:
    seen: list[float] = []

    def progress(done: float, total: int) -> None:
        seen.append(done)
        if done == (1.0 if workers else 0.5):
            (tmp_path / "heard").touch()

    assert run_jobs(halfway, [str(tmp_path)] * jobs, workers=workers, progress=progress) == [1.0, 1.0]
    assert seen[0] in (0.5, 1.0)
    assert seen[-1] == 2
    assert max(seen) == 2


def test_a_share_told_outside_of_a_job_is_nothing() -> None:
    tell_share(0.5)


SLEEPER = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from test_jobs import sleep_long
from engram.jobs import run_jobs
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
    run_jobs(sleep_long, [{folder!r}] * 2, workers=2)
"""


def sleep_long(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes under /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    folder = tmp_path / "pids"
    folder.mkdir()
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER.format(here=str(Path(__file__).parent), folder=str(folder)))
    parent = subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 25
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name) for path in folder.iterdir()]
    assert len(workers) == 2
    parent.send_signal(how)
    parent.wait(timeout=15)
    while any(map(_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, workers))
