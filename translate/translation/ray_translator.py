"""Translates on several workers: `translate file --workers`, on this machine or on a Ray cluster (https://docs.ray.io); an optional extra.

Each worker is a Ray actor with its own `Translator`, and gets the same windows of lines that a single process would translate in turn. Batches
and seeds are the same, so the output is the same, in input order. If a worker dies, a new one translates its windows again.
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
from typing import TYPE_CHECKING, Any

import torch

from translate.config import DecodingConfig
from translate.decoding import FilledOptions, Options
from translate.device import set_threads
from translate.errors import UserError
from translate.translation.pieces import Translation
from translate.translation.search_options import SearchOptions, one_of
from translate.translation.translator import Translator
from translate.translation.windows import WINDOW_LINES, windows

if TYPE_CHECKING:
    from typing_extensions import Unpack

AHEAD = 4  # windows per worker that are read but not yet output; bounds the memory
DEATHS = 5  # give up once this many workers have died on the same window


class Worker:
    """Runs in a worker process. Loads the model on the first call, so that an error is returned by that call."""

    def __init__(self, threads: int, model: tuple[str, str, str, str, str]) -> None:
        """model: arguments of `Translator.load`."""
        self.threads, self.model = threads, model

    @cached_property
    def translator(self) -> Translator:
        set_threads(self.threads)
        return Translator.load(*self.model)

    def describe(self) -> tuple[int, DecodingConfig, bool, tuple[str, str]]:
        return self.translator.max_tokens, self.translator.decoding, self.translator.calibrated, self.translator.languages

    def translate(self, first: int, lines: list[str], options: FilledOptions) -> list[Translation]:
        return self.translator.translate_window(lines, first, options)


@dataclass
class _Window:
    first: int
    lines: list[str]
    deaths: int = 0  # of workers that were translating it, or had it queued
    results: list[Translation] | None = None


class RayTranslator:
    """`Translator.translate_stream` on workers; created by `ray_translator`."""

    def __init__(self, ray: Any, start: Callable[[], Any], workers: int) -> None:
        """start: starts a worker."""
        self.ray, self.start = ray, start
        self.workers = [start() for _ in range(workers)]
        try:
            described = [self._get(answer) for answer in [worker.describe.remote() for worker in self.workers]]
        except ray.exceptions.RayError as error:
            raise UserError(f"a worker died while loading the model (out of memory?): lower --workers ({_first_line(error)})") from None
        self.max_tokens, self.decoding, self.calibrated, self.languages = described[0]

    def translate_stream(
        self,
        lines: Iterable[str],
        options: Options | None = None,
        window: int = WINDOW_LINES,
        done: int = 0,
        **keywords: Unpack[SearchOptions],
    ) -> Iterator[Translation]:
        """See `Translator.translate_stream`. Reads 4 windows per worker ahead. UserError once 5 workers have died on the same window."""
        return self._in_order(windows(lines, window, done), one_of(options, keywords).fill(self.decoding))

    def _in_order(self, unread: Iterator[tuple[int, list[str]]], options: FilledOptions) -> Iterator[Translation]:
        free = deque([*range(len(self.workers))] * 2)  # each translates one window and has the next one queued
        waiting: deque[_Window] = deque()
        running: dict[Any, tuple[_Window, int, Any]] = {}
        input_error: UserError | None = None  # raised after the results of the lines before it

        def submit(window: _Window, index: int) -> None:
            worker = self.workers[index]
            running[worker.translate.remote(window.first, window.lines, options)] = window, index, worker

        while True:
            try:
                while free and len(waiting) < AHEAD * len(self.workers) and (window_lines := next(unread, None)):
                    waiting.append(_Window(*window_lines))
                    submit(waiting[-1], free.popleft())
            except UserError as error:
                input_error = error
            if not waiting:
                if input_error is not None:
                    raise input_error
                return
            (answer,), _ = self.ray.wait(list(running), num_returns=1)
            window, index, worker = running.pop(answer)
            try:
                window.results = self._get(answer)
                free.append(index)
            except self.ray.exceptions.RayError as error:
                self._replace(index, worker, window, error)
                submit(window, index)
            while waiting and (results := waiting[0].results) is not None:
                waiting.popleft()
                yield from results

    def _get(self, answer: Any) -> Any:
        """The worker's answer; raises what the worker raised, or a RayError if it died."""
        try:
            return self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None

    def _replace(self, index: int, worker: Any, window: _Window, error: Exception) -> None:
        window.deaths += 1
        if window.deaths == DEATHS:
            lines = f"lines {window.first + 1:,} to {window.first + len(window.lines):,}"
            raise UserError(f"{DEATHS} workers died on {lines}, perhaps because memory ran out: lower --batch-tokens ({_first_line(error)})")
        if self.workers[index] is worker:  # otherwise it was already replaced, because of its other window
            print("translate: a worker died: starting another one, which translates its lines again", file=sys.stderr)
            self.ray.kill(worker)
            self.workers[index] = self.start()


@contextlib.contextmanager
def ray_translator(
    workers: int,
    folder: str | os.PathLike[str],
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
    compute_type: str = "default",
) -> Iterator[RayTranslator]:
    """`workers` processes with a translator each, which end with the block. The arguments after `workers` are those of `Translator.load`.

    They run in the Ray instance that this process has initialised, or in the cluster at RAY_ADDRESS, whose machines need the package and
    `folder` at the same path, or in a new instance on this machine. They share the CPUs; each takes one GPU, if any, unless device is cpu.
    UserError as from `Translator.load`, if ray is not installed, or with fewer CPUs or GPUs than workers; ConnectionError if no cluster
    answers.
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
        model = (os.path.abspath(folder), device, precision, engine, compute_type)

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
    """Restore the signal handler after the block: Ray installs its own, which exits with a different code."""
    handler = signal.getsignal(number)
    yield
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(number, handler)


def _share(nodes: list[dict[str, float]], workers: int, device: str) -> tuple[int, int]:
    """CPUs and GPUs per worker, the same for all: as many CPUs as possible."""
    gpus = sum(int(node.get("GPU", 0)) for node in nodes) if device != "cpu" else 0
    if 0 < gpus < workers:
        raise UserError(f"{workers} workers, but Ray has {gpus} GPUs and each takes one: lower --workers, or choose --device cpu")
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    for share in range(max(cpus), 0, -1):
        if sum(count // share for count in cpus) >= workers:
            return share, int(gpus > 0)
    raise UserError(f"{workers} workers, but Ray has {sum(cpus)} CPUs: lower --workers")


def _package() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # by default Ray sends usage statistics
    try:
        import ray
    except ImportError:
        raise UserError("--workers needs the package ray, which is not installed: pip install ray") from None
    return ray


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
