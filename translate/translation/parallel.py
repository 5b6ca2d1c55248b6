"""What runs the model, and who runs the searches of many batches: this thread, threads of this process, or copies of it (forks.py).

Knows batches as lists of places, and nothing of text. Sits below translator.py.

A process that was forked off has none of the threads of the one that loaded the model: it makes others, and searches in these alone, see
`device.is_forked`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from translate.decoding import Hypothesis, Options
from translate.device import is_forked, is_out_of_memory, release_memory, thread_pool
from translate.errors import UserError
from translate.translation.forks import Forks

Search = Callable[..., list[list[Hypothesis]]]  # `Engine.search`
Work = Callable[[list[int], Search], None]  # searches a batch, by its places

_starting = threading.Lock()


def _new_lock() -> None:
    """In a forked process: a thread that isn't there any more may have held it."""
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_new_lock)


class Engine(Protocol):
    """What runs the model: torch_engine.py, or ctranslate2_engine.py."""

    max_tokens: int  # the longest source or target, end mark included
    at_once: int  # so many searches may run at the same time, in a thread each
    forkable: bool  # whether a process that was forked off after loading can search with it
    machine: dict[str, str]  # what it runs on and how it computes, for reports

    def search(self, sources: list[list[int]], limits: list[int], options: Options, seeds: list[int], no_repeat: int = 0) -> list[list[Hypothesis]]:
        """The hypotheses of each source, best first, at least one. `sources` end in EOS, `limits` are the most tokens of each output, end mark
        included; `options` are filled; `seeds` has `n_best` for each source where it is to be sampled; no n-gram of `no_repeat` tokens comes
        twice in a hypothesis, 0 = any may."""
        ...


class Searches:
    """Runs the searches of one engine."""

    def __init__(self, engine: Engine, forks: int = 0) -> None:
        """forks: so many copies of this process do the searches wherever there are several, see forks.py; 0 = threads do."""
        self.engine, self.forks = engine, forks
        self.origin = os.getpid()
        self._crew: tuple[int, ThreadPoolExecutor, Search] | None = None

    def run(self, work: Work, batches: list[list[int]]) -> list[int]:
        """`work` on each of `batches`, several at once, in halves where memory runs out; which ones run together does not matter to any of them.

        Returns the places for which there is too little memory even when nothing else runs.
        """
        if os.getpid() != self.origin and not self.engine.forkable:
            raise UserError(
                f"this process was forked off after the model was loaded on {self.engine.machine['device']}, where it can't be used from here: "
                "load it in each process (gunicorn: without --preload), or start processes by spawn"
            )
        if not is_forked() and (len(batches) < 2 or max(self.engine.at_once, self.forks) == 1):
            return [place for batch in batches for place in _in_halves(work, batch, self.engine.search)]
        pool, search = self._searchers()
        at_work = [pool.submit(_in_halves, work, batch, search) for batch in batches]
        try:
            left = [place for one in at_work for place in one.result()]
            return [place for place in left if not pool.submit(_fits, work, [place], search).result()]
        except ChildProcessError:
            self._crew = None  # the copies that are left end; the next call makes new ones
            raise
        finally:
            for one in at_work:  # after an error, or Ctrl-C, none begins any more
                one.cancel()

    def _searchers(self) -> tuple[ThreadPoolExecutor, Search]:
        """Threads of this process, and the search that each of them is to run; made by whoever comes first."""
        with _starting:
            if self._crew is None or self._crew[0] != os.getpid():
                self._crew = (os.getpid(), *self._started())
            return self._crew[1:]

    def _started(self) -> tuple[ThreadPoolExecutor, Search]:
        if self.forks:
            try:
                forks = Forks(self.engine.search, self.forks)
                return ThreadPoolExecutor(self.forks, "search"), forks.call
            except OSError:  # no more processes for this user, or this container; or this process may not have any
                pass
        return thread_pool(self.engine.at_once), self.engine.search


def _in_halves(work: Work, batch: list[int], search: Search) -> list[int]:
    """`work` on `batch`, on half of it at a time where memory runs out, and so on. Returns the places that do not even fit alone."""
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
    """`work` on `batch`; False where memory ran out. On return nothing holds what the failed search had in memory."""
    try:
        work(batch, search)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    release_memory()
    return False
