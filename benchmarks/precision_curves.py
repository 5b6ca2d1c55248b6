"""bf16 and fp32 training compared: same recipe, seed and steps; loss curves side by side, and both test BLEU scores.

    python benchmarks/precision_curves.py recipe=multi30k_de_en data.folder=DIR --steps 3000 --json precision_curves.json

All other arguments are passed to `translate train`. The budget is in steps, so that both see the same batches at the same learning rates.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Loss curves and BLEU of bf16 and fp32 training.")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--json", type=Path, help="write the curves here")
    arguments, recipe = parser.parse_known_args()
    curves, scores = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("fp32", "bf16"):
            run = Path(folder) / precision
            budget = [f"training.steps={arguments.steps}", "training.minutes=0", f"training.log_every={max(1, arguments.steps // 20)}"]
            command = [sys.executable, "-m", "translate", "train", *recipe, *budget, f"training.precision={precision}", f"run={run}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
            curves[precision] = {record["step"]: record["loss"] for record in records if "loss" in record}
            scores[precision] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    print("   step     fp32     bf16   difference   (mean negative log-likelihood since the previous line, nats/token)")
    for step, loss in curves["fp32"].items():
        print(f"{step:>7,}  {loss:>7.3f}  {curves['bf16'][step]:>7.3f}  {curves['bf16'][step] - loss:>+11.4f}")
    for precision, report in scores.items():
        for name, test in report["test"].items():
            print(
                f"{precision}: {name} BLEU {test['scores']['BLEU']['value']:.2f} ({test['scores']['BLEU']['signature']}), {report['seconds']:,.0f} s"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps({"curves": curves, "reports": scores}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
