"""Searches in copies of this process, made by fork: each has a Python of its own, and the weights are in memory once.

Two searches in threads wait for each other wherever Python is at work, which between the operations of a small model is a third of the time: with
processes greedy search was 1.8 times as fast, beam search 1.2 times (2 cores, Sapphire Rapids, bf16, batches of 64). A copy computes with one
thread, since OpenMP's others do not come with it.

For programs that have no other threads at work when the copies are made, such as the commands: a lock that one of them held would stay shut.
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
from queue import SimpleQueue
from typing import Any

import torch

from translate.device import release_memory

MOST_FORKS = 16  # beyond it memory, 100 MB and more for each, was never measured


def _disown() -> None:
    """In a process made by os.fork: the copies that the first one made are not its own, but multiprocessing would end them when it exits.

    In processes that multiprocessing makes, it sees to that itself; there is no public way to say so.
    """
    getattr(multiprocessing.process, "_children", set()).clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_disown)


def fork_count() -> int:
    """How many copies serve in place of torch's threads; 0 where there is only one, or fork is not safe."""
    threads = torch.get_num_threads()
    return min(threads, MOST_FORKS) if threads > 1 and sys.platform == "linux" else 0


class Forks:
    """`call(*arguments)` returns what `function` returns for them, or raises what it raises; as many at a time as there are copies, each called
    from a thread of its own.

    ChildProcessError where a copy has died. OSError, when they are made, where the system allows no more processes, or this one is a worker of
    multiprocessing.Pool, which may have none.
    """

    def __init__(self, function: Callable[..., Any], count: int) -> None:
        if multiprocessing.current_process().daemon:
            raise PermissionError(errno.EPERM, "a daemonic process may have no processes of its own")
        self.count = count
        self.idle: SimpleQueue[Connection] = SimpleQueue()
        context, ours = multiprocessing.get_context("fork"), []
        for _ in range(count):
            here, there = context.Pipe()
            ours.append(here)
            context.Process(target=_serve, args=(function, there, ours), daemon=True).start()
            there.close()
        for here in ours:
            self.idle.put(here)

    def call(self, *arguments: Any) -> Any:
        pipe = self.idle.get()
        try:
            pipe.send(arguments)
            answer = pipe.recv()
        except (EOFError, OSError):  # among them BrokenPipeError, which elsewhere means that whoever read the output has left
            raise ChildProcessError(
                "a process that searched for this one was killed, perhaps for want of memory: lower --batch-tokens, or set OMP_NUM_THREADS=1"
            ) from None
        finally:
            self.idle.put(pipe)
        try:
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            del answer  # which would hold this frame, and that the copies, until the next garbage collection


def _serve(function: Callable[..., Any], pipe: Connection, others: list[Connection]) -> None:
    """Answers until the other end is closed, be it that the process there was killed."""
    for other in others:  # an end held open here would hide that
        other.close()
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C and a closed terminal reach all; the first process says what becomes of it
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # who reads the output waits until nobody can write to it
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
    """What `function` returns, or the exception that it raises, without what that holds in memory."""
    try:
        return function(*arguments)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        try:  # some can't be pickled, or not be made again from what was pickled
            return pickle.loads(pickle.dumps(error))
        except Exception:
            return RuntimeError(f"{said}\n{traceback.format_exc()}")
