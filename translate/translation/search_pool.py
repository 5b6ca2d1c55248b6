"""Runs the searches of many batches: in this thread, in other threads, or in forked copies of the process (forks.py).

A batch is a list of indices, whose meaning is up to the caller. A forked process has none of the threads of the one that loaded the model:
it starts its own, and searches only in these (`threads.is_forked`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from translate.device import is_out_of_memory, release_memory
from translate.errors import UserError
from translate.translation.engine import Engine, Search
from translate.translation.forks import ForkPool, fork_count
from translate.translation.threads import is_forked, thread_pool

Work = Callable[[list[int], Search], None]  # searches a batch

_lock = threading.Lock()


def _new_lock() -> None:
    """In a forked process: the thread that held the old lock may not exist."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_new_lock)


class SearchPool:
    """Runs the searches of an engine, several at once. Threads and copies are started when first needed."""

    def __init__(self, engine: Engine, fork: bool = False) -> None:
        """fork: search in copies of this process, if the engine supports it."""
        self._engine: Engine | None = engine
        self.forks = fork_count() if fork and engine.forkable else 0
        self.origin = os.getpid()
        self._workers: _Workers | None = None

    @property
    def engine(self) -> Engine:
        """UserError once the pool is closed."""
        if self._engine is None:
            raise UserError("this translator is closed: load another one")
        return self._engine

    def run(self, work: Work, batches: list[list[int]]) -> list[int]:
        """Run `work` on each of `batches`, halving those that run out of memory; results don't depend on which batches run together.

        Returns the indices that do not fit in memory even when nothing else runs.
        """
        engine = self.engine
        if os.getpid() != self.origin and not engine.forkable:
            raise UserError(
                f"this process was forked after the model was loaded on {engine.machine['device']}, where it does not work in the new process: "
                "load it in each process (gunicorn: without --preload), or start processes by spawn"
            )
        if not is_forked() and (len(batches) < 2 or max(engine.at_once, self.forks) == 1):
            return [index for batch in batches for index in _in_halves(work, batch, engine.search)]
        workers = self._started(engine)
        running = [workers.threads.submit(_in_halves, work, batch, workers.search) for batch in batches]
        try:
            left = [index for future in running for index in future.result()]
            return [index for index in left if not workers.threads.submit(_fits, work, [index], workers.search).result()]
        except ChildProcessError:
            self._workers = None  # ends the other copies; the next call starts new ones
            raise
        finally:
            for future in running:  # after an error or Ctrl-C, start no more
                future.cancel()

    def close(self) -> None:
        """End the threads and copies once their searches are done, and free the engine's memory. Afterwards `run` raises UserError."""
        with _lock:
            workers, self._workers, self._engine = self._workers, None, None
        if workers and workers.process == os.getpid():
            workers.threads.shutdown()
            if workers.copies:
                workers.copies.close()
        release_memory()

    def _started(self, engine: Engine) -> _Workers:
        """The workers of this process, started by the first thread that needs them."""
        with _lock:
            if self._workers is None or self._workers.process != os.getpid():
                self._workers = _Workers(engine, self.forks)
            return self._workers


class _Workers:
    """The threads of a process that run its searches, or wait for copies that do."""

    def __init__(self, engine: Engine, forks: int) -> None:
        self.process = os.getpid()
        self.copies: ForkPool | None = None
        self.search: Search = engine.search
        if forks:
            try:
                self.copies = ForkPool(engine.search, forks)
            except OSError:  # process limit reached, or this process may not have children
                pass
        if self.copies:
            self.search = self.copies.call
            self.threads = ThreadPoolExecutor(forks, "search")
        else:
            self.threads = thread_pool(engine.at_once)


def _in_halves(work: Work, batch: list[int], search: Search) -> list[int]:
    """Run `work` on `batch`, halving it again and again if memory runs out. Returns the indices that do not fit even alone."""
    waiting, left = [batch], []
    while waiting:
        batch = waiting.pop()
        if _fits(work, batch, search):
            continue
        if len(batch) == 1:
            left += batch
        else:
            waiting += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
    return left


def _fits(work: Work, batch: list[int], search: Search) -> bool:
    """Run `work` on `batch`; False if memory ran out, with the memory of the failed search released."""
    try:
        work(batch, search)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    release_memory()
    return False
