"""Threads that search at the same time, and what is left of them in a forked process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

FIRST_PROCESS = os.getpid()
MOST_SEARCHES = 4  # at once: more of them wait for each other's Python
T = TypeVar("T")


def search_threads(device: torch.device) -> int:
    """How many batches to search at the same time, each in a thread that has its share of the CPU's threads.

    Most operations of a search step are too small to divide: two searches on one thread each took 0.43 to 0.65 of the time of one after the
    other on two (2 cores, Zen 3, fp32, batches of 64). One search is enough for a GPU.
    """
    return min(torch.get_num_threads(), MOST_SEARCHES) if device.type == "cpu" else 1


def thread_pool(workers: int) -> ThreadPoolExecutor:
    """A pool of `workers` threads, all started, which share torch's threads equally."""
    threads = torch.get_num_threads()
    all_started = threading.Barrier(workers)

    def start() -> None:
        torch.get_num_threads()  # otherwise the thread's first operation replaces its own setting by the one made last in the process
        torch.set_num_threads(max(1, threads // workers))
        all_started.wait()

    pool = ThreadPoolExecutor(workers, "search", start)
    for started in [pool.submit(int) for _ in range(workers)]:
        started.result()
    torch.set_num_threads(threads)  # for this thread, and for new ones
    return pool


def is_forked() -> bool:
    """Whether this process was forked off the one that imported the package, and may lack its threads.

    OpenMP's threads don't come with a fork, but the thread that forked still waits for them; a new thread gets new ones.
    """
    return os.getpid() != FIRST_PROCESS


def run_in_new_thread(function: Callable[[], T]) -> T:
    """What `function()` returns; in a forked process it runs in a new thread."""
    if not is_forked():
        return function()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()
