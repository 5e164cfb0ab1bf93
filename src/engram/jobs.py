"""Independent jobs on worker processes: the same numbers whatever the number of workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from engram.errors import WorkerError

Job = TypeVar("Job")
Result = TypeVar("Result")
Progress = Callable[[float, int], object]  # jobs done, with the shares of those under way; jobs in all

_POLL_SECONDS = 0.5
_ENDED = (
    "a worker process was ended by the system, most likely for want of memory. Use fewer --workers; "
    "finished work is kept: run the same command again."
)

# Read by a worker when it starts, before any of its imports. Let glibc keep what is freed: tensors of one size come
# and go, and page faults cost up to half the time; it changes no number.
_ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class _Here:
    """What this process knows of the job that it runs."""

    tell: Callable[[float], object] | None = None
    shares: MutableSequence[float]  # one a job, seen by the parent
    unprepared: Exception | None = None


def tell_share(share: float) -> None:
    """Called from inside a job: how much of it is done, 0 to 1. Outside of `run_jobs` it does nothing."""
    if _Here.tell is not None:
        _Here.tell(min(max(share, 0.0), 1.0))


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int,
    threads: int = 1,
    prepare: Callable[..., object] | None = None,
    prepare_with: tuple[Any, ...] = (),
    progress: Progress | None = None,
) -> list[Result]:
    """`function` of every job, in the order of the jobs.

    workers: processes; 0 runs the jobs in this process (tests, debuggers). threads: of PyTorch in each; a result
    may depend on it by rounding, and on the number of workers never. prepare: called once in each worker before
    its first job.
    progress: called here as jobs are done, and about twice a second as those under way tell their share.
    The first error of a job stops the rest and is raised here; WorkerError where a worker is ended from outside.
    """
    if not jobs:
        return []
    if workers == 0:
        with torch_threads(threads):
            return _in_this_process(function, jobs, prepare, prepare_with, progress)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    shares = context.RawArray("d", len(jobs))
    given = (shares, prepare, prepare_with)
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, _start_worker, given)
    with _environment({**_ALLOCATOR, **dict.fromkeys(_THREADS, str(threads))}), pool:
        try:
            with _interrupts_ignored():  # by the workers started here, from their first moment on
                futures = {pool.submit(_run, function, index, job): index for index, job in enumerate(jobs)}
            return _collect(futures, shares, progress)
        except KeyboardInterrupt:
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # nobody wants to wait for their jobs any more, only for their end
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise WorkerError(_ENDED) from error
            raise


def _collect(
    futures: dict[Future[Result], int], shares: Sequence[float], progress: Progress | None
) -> list[Result]:
    results: dict[int, Result] = {}
    pending, told = set(futures), 0.0
    while pending:
        finished, pending = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in finished:
            results[futures[future]] = future.result()
        done = len(results) + sum(shares[futures[future]] for future in pending)
        if progress is not None and done != told:
            progress(done, len(futures))
            told = done
    return [results[index] for index in range(len(futures))]


def _in_this_process(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    prepare: Callable[..., object] | None,
    prepare_with: tuple[Any, ...],
    progress: Progress | None,
) -> list[Result]:
    results: list[Result] = []
    tell = progress or (lambda _done, _total: None)
    if prepare is not None:
        prepare(*prepare_with)
    for job in jobs:
        with _telling(lambda share: tell(len(results) + share, len(jobs))):
            results.append(function(job))
        tell(len(results), len(jobs))
    return results


@contextmanager
def _telling(tell: Callable[[float], object]) -> Iterator[None]:
    before, _Here.tell = _Here.tell, tell
    try:
        yield
    finally:
        _Here.tell = before


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """So many threads of PyTorch inside the block; as many as there were afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_worker(
    shares: MutableSequence[float], prepare: Callable[..., object] | None, prepare_with: tuple[Any, ...]
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Here.shares = shares
    try:
        if prepare is not None:
            prepare(*prepare_with)
    except Exception as error:  # raised here it would look as if the worker had been ended from outside
        _Here.unprepared = error


def _run(function: Callable[[Job], Result], index: int, job: Job) -> Result:
    """One job, in a worker."""
    if _Here.unprepared is not None:
        raise _Here.unprepared
    with _telling(partial(_Here.shares.__setitem__, index)):
        return function(job)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C is for the parent, which ends its workers; a request to end waits until all of them have started, for
    a worker that is left half started complains. Only the main thread may set a handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    ends = signal.getsignal(signal.SIGTERM)
    if callable(ends):
        signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if callable(ends):
            signal.signal(signal.SIGTERM, ends)
    for number in asked[:1]:
        signal.raise_signal(number)


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
