"""Searches in forked copies of this process: each has its own Python interpreter, while the weights are in memory only once.

Searches in threads share one interpreter, which for a small model takes a third of the time. With processes, greedy search was 1.8 times
as fast, beam search 1.2 times (2 cores, Sapphire Rapids, bf16, batches of 64). A copy uses one thread, since OpenMP's threads do not
survive a fork.

Only for programs without other threads at that time, such as the commands: a lock held by a thread would stay locked in the copy.
`concurrent.futures.ProcessPoolExecutor` was tried: a process forked after use hung, and tests of Ctrl-C and of killed copies failed.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any

import torch

from translate.device import release_memory

MOST_FORKS = 16  # each takes at least 100 MB; more were never measured


def _disown() -> None:
    """In a process made by os.fork: otherwise multiprocessing would end the parent's copies when this process exits.

    multiprocessing does the same in the processes it starts, but has no public function for it.
    """
    getattr(multiprocessing.process, "_children", set()).clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_disown)


def fork_count() -> int:
    """How many copies to use instead of torch's threads; 0 if there is only one thread, or fork is not safe."""
    threads = torch.get_num_threads()
    return min(threads, MOST_FORKS) if threads > 1 and sys.platform == "linux" else 0


class ForkPool:
    """Calls `function` in `count` copies of this process.

    OSError if the system allows no more processes, or this one is a worker of multiprocessing.Pool, which may not have children. The copies
    end when the pool is closed or garbage-collected, and when this process ends, however it ends.
    """

    def __init__(self, function: Callable[..., Any], count: int) -> None:
        if multiprocessing.current_process().daemon:
            raise PermissionError(errno.EPERM, "a daemonic process may not have child processes")
        self.idle: SimpleQueue[Connection] = SimpleQueue()
        self.pipes: list[Connection] = []
        self.processes: list[BaseProcess] = []
        context = multiprocessing.get_context("fork")
        for _ in range(count):
            here, there = context.Pipe()
            self.pipes.append(here)
            self.processes.append(context.Process(target=_serve, args=(function, there, self.pipes), daemon=True))
            self.processes[-1].start()
            there.close()
        for pipe in self.pipes:
            self.idle.put(pipe)

    def close(self) -> None:
        """End the copies, which must be idle."""
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.join()

    def call(self, *arguments: Any) -> Any:
        """Call `function` in a copy. Returns its result, or raises its exception. At most `count` calls run at a time, each from its own thread.

        ChildProcessError if the copy has died.
        """
        pipe = self.idle.get()
        try:
            pipe.send(arguments)
            answer = pipe.recv()
        except (EOFError, OSError):  # includes BrokenPipeError, which elsewhere means a closed output pipe
            raise ChildProcessError(
                "a search process was killed, perhaps because memory ran out: lower --batch-tokens, or set OMP_NUM_THREADS=1"
            ) from None
        finally:
            self.idle.put(pipe)
        try:
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            del answer  # an exception refers to this frame, which would keep the copies alive until the next garbage collection


def _serve(function: Callable[..., Any], pipe: Connection, others: list[Connection]) -> None:
    """In a copy: answer calls until the other end of `pipe` is closed, perhaps because its process was killed."""
    for other in others:  # the pipe stays open while any process holds its other end
        other.close()
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C and a closed terminal reach all processes; the parent handles them
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # otherwise the reader of the output would wait for this process too
    torch.set_num_threads(1)
    while True:
        try:
            arguments = pipe.recv()
        except (EOFError, OSError):
            return
        answer = _answer(function, arguments)
        if isinstance(answer, Exception):
            release_memory()
        try:
            pipe.send(answer)
        except OSError:
            return


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The result of `function`, or its exception without frames, which would keep memory alive."""
    try:
        return function(*arguments)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        try:  # not every exception can be pickled and unpickled
            return pickle.loads(pickle.dumps(error))
        except Exception:
            return RuntimeError(f"{text}\n{traceback.format_exc()}")
