"""`train`, `check` and `verify_resume` without what Windows lacks: signals beyond SIGINT and SIGTERM, `resource`, `fcntl`, fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# the libraries come first: what they do on Windows is their matter, and they ask for the platform, which is still ours
PROGRAM = """
import os, signal, sys
import torch, datasets, sacrebleu, sentencepiece, hydra, multiprocess.util, concurrent.futures.process
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in dir(signal):
    if name.startswith("SIG") and name not in ("SIGINT", "SIGTERM", "SIGABRT", "SIGFPE", "SIGILL", "SIGSEGV", "SIG_DFL", "SIG_IGN", "Signals"):
        delattr(signal, name)
for name in ("fork", "getuid", "geteuid", "killpg", "getpgid", "setsid", "fchmod", "sched_getaffinity"):
    delattr(os, name)
from translate.cli.main import main
import translate.training.verify
print("KILL", translate.training.verify.SIGNALS)
code = main(["train", *sys.argv[1:]])
code = code or main(["check", *sys.argv[1:]])
sys.exit(code)
"""


def test_the_commands_start_without_what_windows_lacks(tmp_path, corpus_folder):
    words = ["recipe=quickstart", "data=text", f"data.folder={corpus_folder}", "~data.test.test", f"data.cache={tmp_path / 'cache'}", "run=run"]
    words += [f"training.{word}" for word in "steps=2 minutes=0 min_steps=0 batch_tokens=300 threads=1 precision=fp32".split()]
    words += [f"model.{word}" for word in "width=16 heads=2 feedforward=16 encoder_layers=1 decoder_layers=1".split()] + ["tokenizer.vocabulary=500"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))["steps"] == 2
    assert "memory           not measured" in done.stdout
