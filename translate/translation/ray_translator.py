"""A large corpus on several workers: `translate file --workers`, on this machine or on a Ray cluster (https://docs.ray.io); an optional extra.

Each worker is a Ray actor with a `Translator` of its own, and gets the windows of lines that one process would translate one after the other: the
batches and the seeds are the same, so the output is, and it comes in the order of the input. When a worker dies, another takes its place and
does its windows again. Sits above translator.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from translate.config import DecodingConfig
from translate.decoding import Options
from translate.device import set_threads
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.translation.translator import Translation, Translator
from translate.translation.windows import WINDOW_LINES, windows

AHEAD = 4  # windows for each worker that are read and not yet given out: what bounds the memory
DEATHS = 5  # so many workers may die over one window


class Worker:
    """What runs in a process of its own. The model is loaded at the first call, so that a mistake is the answer to that call."""

    def __init__(self, threads: int, model: tuple[str, ...]) -> None:
        self.threads, self.model = threads, model

    @cached_property
    def translator(self) -> Translator:
        set_threads(self.threads)
        return Translator.load(*self.model)

    def describe(self) -> tuple[int, DecodingConfig]:
        return self.translator.max_tokens, self.translator.decoding

    def translate(self, first: int, lines: list[str], options: Options) -> list[Translation]:
        return self.translator.translate_window(lines, first, options)


@dataclass
class _Window:
    first: int
    lines: list[str]
    deaths: int = 0  # of workers that had it in hand, or next
    results: list[Translation] | None = None


class RayTranslator:
    """Gives the results of `Translator.translate_stream`; made by `ray_translator`."""

    def __init__(self, ray: Any, start: Callable[[], Any], workers: int) -> None:
        """start: makes a worker."""
        self.ray, self.start = ray, start
        self.workers = [start() for _ in range(workers)]
        try:
            described = [self._get(answer) for answer in [worker.describe.remote() for worker in self.workers]]
        except ray.exceptions.RayError as error:
            raise UserError(f"a worker died while it loaded the model, for want of memory perhaps: lower --workers ({_first_line(error)})") from None
        self.max_tokens, self.decoding = described[0]

    def translate_stream(
        self, lines: Iterable[str], options: Options = Options(), window: int = WINDOW_LINES, done: int = 0
    ) -> Iterator[Translation]:
        """See `Translator.translate_stream`. It reads 4 windows a worker ahead. UserError once 5 workers have died over the same window."""
        return self._in_order(windows(lines, window, done), options.fill(self.decoding))

    def _in_order(self, parts: Iterator[tuple[int, list[str]]], options: Options) -> Iterator[Translation]:
        free = deque([*range(len(self.workers))] * 2)  # each has a window in hand and the next one with it
        waiting: deque[_Window] = deque()
        at_work: dict[Any, tuple[_Window, int, Any]] = {}
        mistake: UserError | None = None  # in the input: what was read before it comes first

        def submit(window: _Window, place: int) -> None:
            worker = self.workers[place]
            at_work[worker.translate.remote(window.first, window.lines, options)] = window, place, worker

        while True:
            try:
                while free and len(waiting) < AHEAD * len(self.workers) and (part := next(parts, None)):
                    waiting.append(_Window(*part))
                    submit(waiting[-1], free.popleft())
            except UserError as error:
                mistake = error
            if not waiting:
                if mistake is not None:
                    raise mistake
                return
            (answer,), _ = self.ray.wait(list(at_work), num_returns=1)
            window, place, worker = at_work.pop(answer)
            try:
                window.results = self._get(answer)
                free.append(place)
            except self.ray.exceptions.RayError as error:
                self._replace(place, worker, window, error)
                submit(window, place)
            while waiting and waiting[0].results is not None:
                yield from waiting.popleft().results

    def _get(self, answer: Any) -> Any:
        """RayError only where the worker could not answer; what it raised itself is raised here."""
        try:
            return self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None

    def _replace(self, place: int, worker: Any, window: _Window, error: Exception) -> None:
        window.deaths += 1
        if window.deaths == DEATHS:
            lines = f"lines {window.first + 1:,} to {window.first + len(window.lines):,}"
            raise UserError(f"{DEATHS} workers died over {lines}, for want of memory perhaps: lower --batch-tokens ({_first_line(error)})")
        if self.workers[place] is worker:  # else it was replaced for the other window that it had
            print("translate: a worker died: another takes its place and does its lines again", file=sys.stderr)
            self.ray.kill(worker)
            self.workers[place] = self.start()


@contextlib.contextmanager
def ray_translator(workers: int, folder: str | os.PathLike[str], device: str = "auto", *rest: str) -> Iterator[RayTranslator]:
    """`workers` processes with a translator each, gone when the block ends. The arguments after `workers` are those of `Translator.load`.

    They run in the Ray that this process has, or in the cluster that RAY_ADDRESS names, whose machines must find the package and `folder` in
    the same place; else in one of their own, on this machine. They share the CPUs; where there are GPUs, and device is not cpu, each takes one.
    UserError as from `Translator.load`, where ray is not installed, or where there are fewer CPUs or GPUs than workers; ConnectionError where no
    cluster answers.
    """
    if workers < 1:
        raise UserError(f"workers is {workers}: it must be at least 1")
    ray = _package()
    own = not ray.is_initialized()
    if own:
        address = os.environ.get("RAY_ADDRESS") or "local"
        local = {"num_cpus": max(workers, torch.get_num_threads()), "include_dashboard": False} if address == "local" else {}
        with _same_handler(signal.SIGTERM):
            ray.init(address, log_to_driver=False, logging_level="ERROR", **local)
    started: list[Any] = []
    try:
        threads, gpus = _share([node["Resources"] for node in ray.nodes() if node["Alive"]], workers, device)
        model = (os.path.abspath(expand_path(folder)), device, *rest)

        def start() -> Any:
            started.append(ray.remote(num_cpus=threads, num_gpus=gpus)(Worker).remote(threads, model))
            return started[-1]

        yield RayTranslator(ray, start, workers)
    finally:
        for worker in started:
            ray.kill(worker)
        if own:
            ray.shutdown()


@contextlib.contextmanager
def _same_handler(number: int) -> Iterator[None]:
    """Ray would put one of its own in place, which ends with another exit code."""
    handler = signal.getsignal(number)
    yield
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(number, handler)


def _share(nodes: list[dict[str, float]], workers: int, device: str) -> tuple[int, int]:
    """CPUs and GPUs of each worker, the same for all: as many CPUs as there are for it on one machine."""
    gpus = sum(int(node.get("GPU", 0)) for node in nodes) if device != "cpu" else 0
    if 0 < gpus < workers:
        raise UserError(f"{workers} workers, but Ray has {gpus} GPUs and each takes one: lower --workers, or choose --device cpu")
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    for each in range(max(cpus), 0, -1):
        if sum(some // each for some in cpus) >= workers:
            return each, int(gpus > 0)
    raise UserError(f"{workers} workers, but Ray has {sum(cpus)} CPUs: lower --workers")


def _package() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its makers
    try:
        import ray
    except ImportError:
        raise UserError("--workers needs the package ray, which is not installed: pip install ray") from None
    return ray


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
