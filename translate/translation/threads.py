"""Threads for concurrent searches, and how to do without them in a forked process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

FIRST_PROCESS = os.getpid()
MOST_SEARCHES = 4  # at once: more would contend for the GIL
T = TypeVar("T")


def search_threads(device: torch.device) -> int:
    """How many batches to search at the same time, each in a thread with its share of torch's threads.

    Most operations of a search step are too small to parallelise: two searches with one thread each took 0.43 to 0.65 of the time of two
    consecutive searches with two (2 cores, Zen 3, fp32, batches of 64). One search is enough for a GPU.
    """
    return min(torch.get_num_threads(), MOST_SEARCHES) if device.type == "cpu" else 1


def thread_pool(workers: int) -> ThreadPoolExecutor:
    """A pool of `workers` threads, all running, which share torch's threads equally."""
    threads = torch.get_num_threads()
    all_started = threading.Barrier(workers)

    def start() -> None:
        torch.get_num_threads()  # otherwise the thread's first operation would reset it to the value set last in the process
        torch.set_num_threads(max(1, threads // workers))
        all_started.wait()

    pool = ThreadPoolExecutor(workers, "search", start)
    for future in [pool.submit(int) for _ in range(workers)]:
        future.result()
    torch.set_num_threads(threads)  # for this thread, and for new ones
    return pool


def is_forked() -> bool:
    """Whether this process was forked after the package was imported, and may lack its threads.

    OpenMP's threads don't survive a fork, but the forking thread still waits for them; a new thread gets new ones.
    """
    return os.getpid() != FIRST_PROCESS


def run_in_new_thread(function: Callable[[], T]) -> T:
    """Call `function`, in a forked process in a new thread."""
    if not is_forked():
        return function()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()
