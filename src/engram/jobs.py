"""Independent jobs on worker processes: the same numbers whatever the number of workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Progress = Callable[[int, int], object]  # jobs done, jobs in all

# Read by a worker when it starts, before any of its imports. One thread each. And let glibc keep what is freed:
# tensors of one size come and go, and page faults cost up to half the time; it changes no number.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int,
    prepare: Callable[..., object] | None = None,
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
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _start_worker, (prepare, prepare_with))
    with _environment(WORKER_ENVIRONMENT), pool:
        with _interrupts_ignored():  # by the workers started here, from their first moment on
            futures = {pool.submit(function, job): index for index, job in enumerate(jobs)}
        try:
            return _collect(futures, progress)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):  # do not wait for what nobody wants any more
                for worker in set(multiprocessing.active_children()) - others:
                    worker.terminate()
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
    prepare: Callable[..., object] | None,
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


def _start_worker(prepare: Callable[..., object] | None, prepare_with: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*prepare_with)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C is for the parent, which ends its workers. Only the main thread may set a handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with_parent() -> None:
    """A parent that is killed cannot end its workers: they see to it themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables that processes started inside inherit; this process has its own again afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
