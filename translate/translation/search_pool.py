"""Who runs the searches of many batches: this thread, threads of this process, or copies of it (forks.py).

A batch is a list of indices here; what they stand for is the caller's. A process that was forked off has none of the threads of the one that
loaded the model: it starts its own and searches in these alone (`threads.is_forked`).
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
    """In a forked process: the thread that held the old one may be gone."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_new_lock)


class SearchPool:
    """Runs the searches of one engine, several at once. Threads and copies start when first needed."""

    def __init__(self, engine: Engine, fork: bool = False) -> None:
        """fork: let copies of this process search, if the engine works in them."""
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
        """`work` on each of `batches`, in halves where memory runs out; which batches run together makes no difference to any of them.

        Returns the indices for which there is too little memory even when nothing else runs.
        """
        engine = self.engine
        if os.getpid() != self.origin and not engine.forkable:
            raise UserError(
                f"this process was forked off after the model was loaded on {engine.machine['device']}, where it does not work in the new process: "
                "load it in each process (gunicorn: without --preload), or start processes by spawn"
            )
        if not is_forked() and (len(batches) < 2 or max(engine.at_once, self.forks) == 1):
            return [index for batch in batches for index in _in_halves(work, batch, engine.search)]
        workers = self._started(engine)
        running = [workers.threads.submit(_in_halves, work, batch, workers.search) for batch in batches]
        try:
            left = [index for one in running for index in one.result()]
            return [index for index in left if not workers.threads.submit(_fits, work, [index], workers.search).result()]
        except ChildProcessError:
            self._workers = None  # the other copies end; the next call makes new ones
            raise
        finally:
            for one in running:  # after an error, or Ctrl-C, no other one begins
                one.cancel()

    def close(self) -> None:
        """End the threads and copies, once their searches are done, and give back the engine's memory. `run` then raises UserError."""
        with _lock:
            workers, self._workers, self._engine = self._workers, None, None
        if workers and workers.process == os.getpid():
            workers.threads.shutdown()
            if workers.copies:
                workers.copies.close()
        release_memory()

    def _started(self, engine: Engine) -> _Workers:
        """The workers of this process, made by the thread that comes first."""
        with _lock:
            if self._workers is None or self._workers.process != os.getpid():
                self._workers = _Workers(engine, self.forks)
            return self._workers


class _Workers:
    """The threads that run the searches of a process, or wait for its copies to run them."""

    def __init__(self, engine: Engine, forks: int) -> None:
        self.process = os.getpid()
        self.copies: ForkPool | None = None
        self.search: Search = engine.search
        if forks:
            try:
                self.copies = ForkPool(engine.search, forks)
            except OSError:  # no more processes for this user or container; or this process may not have any
                pass
        if self.copies:
            self.search = self.copies.call
            self.threads = ThreadPoolExecutor(forks, "search")
        else:
            self.threads = thread_pool(engine.at_once)


def _in_halves(work: Work, batch: list[int], search: Search) -> list[int]:
    """`work` on `batch`, in halves where memory runs out, and so on. Returns the indices that do not fit even alone."""
    waiting, left = [batch], []
    while waiting:
        part = waiting.pop()
        if _fits(work, part, search):
            continue
        if len(part) == 1:
            left += part
        else:
            waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return left


def _fits(work: Work, batch: list[int], search: Search) -> bool:
    """`work` on `batch`; False where memory ran out. On return nothing refers to the memory of the failed search."""
    try:
        work(batch, search)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    release_memory()
    return False
