"""Independent jobs on worker processes: the same numbers whatever the number of workers."""

from __future__ import annotations

import ctypes
import multiprocessing
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]  # jobs done, jobs in all

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP_BYTES = 2_000_000_000


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int,
    prepare: Callable[..., None] | None = None,
    prepare_with: tuple[Any, ...] = (),
    progress: Progress | None = None,
) -> list[Result]:
    """`function` of every job, in the order of the jobs.

    workers: processes; 0 runs the jobs in this process (tests, debuggers). Each job has one PyTorch thread, so that
    results do not depend on the number of workers. prepare: called once in each worker before its first job.
    The first error of a job stops the rest and is raised here.
    """
    if not jobs:
        return []
    if workers == 0:
        return _in_this_process(function, jobs, prepare, prepare_with, progress)
    context = multiprocessing.get_context("spawn")
    n_workers = min(workers, len(jobs))
    with ProcessPoolExecutor(n_workers, context, _start_worker, (prepare, prepare_with)) as pool:
        futures = {pool.submit(function, job): index for index, job in enumerate(jobs)}
        try:
            return _collect(futures, progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _collect(futures: dict[Future[Result], int], progress: Progress | None) -> list[Result]:
    results: dict[int, Result] = {}
    for future in as_completed(futures):
        results[futures[future]] = future.result()
        if progress is not None:
            progress(len(results), len(futures))
    return [results[index] for index in range(len(futures))]


def _in_this_process(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    prepare: Callable[..., None] | None,
    prepare_with: tuple[Any, ...],
    progress: Progress | None,
) -> list[Result]:
    results = []
    with _one_thread():
        if prepare is not None:
            prepare(*prepare_with)
        for job in jobs:
            results.append(function(job))
            if progress is not None:
                progress(len(results), len(jobs))
    return results


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_worker(prepare: Callable[..., None] | None, prepare_with: tuple[Any, ...]) -> None:
    import torch

    torch.set_num_threads(1)
    _keep_freed_memory()
    if prepare is not None:
        prepare(*prepare_with)


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed: tensors of one size come and go, and page faults cost up to half the time.

    Changes no number. Only in worker processes of ours, and only where there is glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
    libc.mallopt(_M_TOP_PAD, 1 << 28)
