"""`translate file --workers`: the lines of one process, in their order, whatever becomes of the workers; on a local Ray with two."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from itertools import islice

import pytest

from tests.conftest import FILE_ENVIRONMENT, LINES, file_words, one_line
from translate.cli.main import main
from translate.decoding import Options
from translate.translation.ray_translator import _share, ray_translator
from translate.translation.translator import Translator

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def local_ray():
    """Started once for all that runs in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def alone(untrained):
    return Translator.load(untrained, "cpu", "fp32")


@pytest.fixture(scope="class")
def workers(untrained):
    """They take both CPUs of this Ray, until the tests of the class are done."""
    with ray_translator(2, untrained, "cpu", "fp32") as translator:
        yield translator


OPTIONS = [Options(n_best=2), Options(beam=1, batch_tokens=40), Options(sample=True, n_best=2, seed=7)]


def process_of(worker) -> int:
    return ray.get(worker.__ray_call__.remote(lambda _: os.getpid()))


class TestStream:
    @pytest.mark.parametrize("done", [0, 17])
    @pytest.mark.parametrize("options", OPTIONS, ids=["beam", "greedy", "sample"])
    def test_the_results_of_one_process_in_their_order(self, alone, workers, options, done):
        expected = list(alone.translate_stream(LINES * 8, options, 5, done))
        assert list(workers.translate_stream(LINES * 8, options, 5, done)) == expected
        assert [result.number for result in expected] == list(range(done // 5 * 5 + 1, len(LINES) * 8 + 1))  # by whole windows

    def test_nothing_in_nothing_out(self, workers):
        assert list(workers.translate_stream([])) == []

    def test_it_reads_a_few_windows_ahead_and_no_more(self, workers):
        taken = []
        results = workers.translate_stream((taken.append(line) or line for line in LINES * 500), window=3)
        for number, _ in enumerate(islice(results, 300)):
            assert len(taken) <= number + 3 + 2 * 4 * 3  # of its own window, and 4 windows for each of 2 workers

    def test_an_element_that_is_not_text_is_named_after_the_results_before_it(self, alone, workers):
        lines = LINES * 5
        results = workers.translate_stream(iter([*lines, None, *lines]), window=3)
        assert [next(results) for _ in lines] == list(alone.translate_stream(lines, window=3))
        with pytest.raises(ValueError, match=f"^line {len(lines) + 1} is None: it must be text$"):
            next(results)
        with pytest.raises(ValueError, match="give a list of lines"):
            workers.translate_stream("Guten Morgen!")

    def test_one_column(self, workers, translate, tmp_path, monkeypatch):
        """The command, with the workers that are there already."""
        monkeypatch.setattr("translate.translation.ray_translator.ray_translator", lambda *_: contextlib.nullcontext(workers))
        text = "".join(f'{number};"{line}\n{line}"\r\n' for number, line in enumerate(LINES * 3))
        (tmp_path / "in.csv").write_text(text, encoding="utf-8", newline="")
        for name, words in (("one", []), ("two", ["--workers", "2"])):
            assert translate(tmp_path / "in.csv", "--column", "2", "--window", "5", "-o", tmp_path / name, *words) == 0
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_doubled(self, alone, workers, capsys):
        lines = LINES * 40
        processes = [process_of(worker) for worker in workers.workers]
        results = workers.translate_stream(lines, window=5)
        begun = [next(results)]
        os.kill(processes[0], signal.SIGKILL)
        assert [*begun, *results] == list(alone.translate_stream(lines, window=5))
        assert capsys.readouterr().err.count("a worker died: starting another one") == 1
        now = [process_of(worker) for worker in workers.workers]
        assert now[0] != processes[0] and now[1] == processes[1]

    def test_what_kills_every_worker_is_told(self, workers, monkeypatch):
        def doomed():
            worker = start()
            ray.kill(worker)
            return worker

        start = workers.start
        monkeypatch.setattr(workers, "start", doomed)
        monkeypatch.setattr(workers, "workers", [doomed()])
        with pytest.raises(ValueError, match="5 workers died on lines (1 to 3|4 to 6)") as caught:
            list(workers.translate_stream(LINES, window=3))
        assert "\n" not in str(caught.value)


def test_the_command_writes_the_same_bytes_and_goes_on_with_resume(translate, tmp_path, capsys):
    (tmp_path / "in").write_text("\n".join(LINES * 10), encoding="utf-8")

    def run(name, *words):
        outputs = [tmp_path / f"{name}.jsonl", tmp_path / f"{name}.report"]
        code = translate(tmp_path / "in", "--format", "jsonl", "--window", "7", "-o", outputs[0], "--report", outputs[1], *words)
        return code, [path.read_bytes() for path in outputs if path.exists()]

    code, expected = run("plain")
    assert code == 0 and len(expected[0].splitlines()) == len(LINES) * 10
    with pytest.MonkeyPatch.context() as patch:  # interrupted without workers, it goes on with them
        patch.setattr("translate.files.resumable.ResumableFile.finish", interrupted)
        assert run("parted", "--resume") == (130, [])
    part = tmp_path / "parted.jsonl.part"
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:30]))
    capsys.readouterr()
    assert run("parted", "--resume", "--workers", "2") == (0, expected)
    captured = capsys.readouterr()
    assert captured.out == "" and "resuming at line 29" in captured.err


def interrupted(*_):
    raise KeyboardInterrupt


def test_mistakes_are_one_line(translate, tmp_path, untrained, capsys, monkeypatch):
    (tmp_path / "in").write_text("Guten Morgen!\n", encoding="utf-8")
    words = [tmp_path / "in", "-o", tmp_path / "out", "--workers"]
    assert translate(*words, "2", model=tmp_path / "nowhere") == 2  # found out by the workers
    one_line(capsys, "nowhere")
    assert translate(*words, "-1") == 2
    one_line(capsys, "-1", "at least 1")
    assert translate(*words, "3") == 2
    one_line(capsys, "3 workers", "2 CPUs")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["file", "-m", str(untrained), *map(str, words), "2"]) == 2
    one_line(capsys, "pip install ray")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    "nodes, workers, device, expected",
    [
        ([{"CPU": 8.0}], 2, "cpu", (4, 0)),
        ([{"CPU": 8.0}], 3, "cpu", (2, 0)),
        ([{"CPU": 3.0}, {"CPU": 5.0}], 2, "auto", (3, 0)),  # not 4: a worker runs on one machine
        ([{"CPU": 8.0, "GPU": 2.0}, {"memory": 1.0}], 2, "auto", (4, 1)),
        ([{"CPU": 8.0, "GPU": 2.0}], 4, "cpu", (2, 0)),
    ],
)
def test_the_workers_share_the_machines(nodes, workers, device, expected):
    assert _share(nodes, workers, device) == expected


def test_more_workers_than_gpus():
    with pytest.raises(ValueError, match="4 workers, but Ray has 2 GPUs .* --device cpu"):
        _share([{"CPU": 8.0, "GPU": 2.0}], 4, "auto")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "number, code, line",
    [
        pytest.param(signal.SIGINT, 130, b"interrupted", id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, b"stopped by SIGTERM", id="SIGTERM"),
    ],
)
def test_a_signal_leaves_no_process_and_no_half_file(untrained, tmp_path, number, code, line):
    (tmp_path / "in").write_text("\n".join(LINES * 5000), encoding="utf-8")
    words = file_words(untrained, tmp_path / "in", "--window", "50", "--report", tmp_path / "report", "--workers", "2")
    environment = {name: value for name, value in FILE_ENVIRONMENT.items() if not name.startswith("RAY_")}
    # the keyboard's Ctrl-C goes to the whole group; a shell's background job would have it ignored
    heard = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **heard) as process:
        assert process.stdout.readline().endswith(b"\n")
        started = family(process.pid)
        os.killpg(process.pid, number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code and told == b"translate: " + line + b"\n"
    deadline = time.monotonic() + 10  # older versions of Ray end a moment after
    while any(os.path.exists(f"/proc/{one}") for one in started) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(started) > 4 and not any(os.path.exists(f"/proc/{one}") for one in started)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def family(process: int) -> list[int]:
    found = [process]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/children", encoding="utf-8") as children:
                for child in children.read().split():
                    found += family(int(child))
    return found
