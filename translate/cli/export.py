"""`translate export`: a run's model in the format of another engine."""

from __future__ import annotations

import argparse
import sys

from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "Write a run's model in the format of another engine, for production."
EPILOG = """\
examples:
  translate export -m runs/quickstart --to ctranslate2 -o quickstart.ct2
  translate export -m runs/quickstart --to ctranslate2 --quantization int8 -o quickstart.int8
  translate export -m runs/paper --to huggingface -o paper.marian
  translate file -m quickstart.int8 --engine ctranslate2 input.de -o output.en

For ctranslate2, the folder holds the engine's model, the tokenizer and config.yaml, and is all that `translate file --engine` needs.
It needs the package ctranslate2: pip install ctranslate2
For huggingface, it holds a MarianMT model, for transformers' MarianMTModel and MarianTokenizer; the model must be post-norm (model.norm=post).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files"
    )
    parser.add_argument(
        "--to", required=True, choices=("ctranslate2", "huggingface"), help="the target engine, or MarianMT in the Hugging Face layout"
    )
    parser.add_argument("-o", "--output", required=True, type=user_path, metavar="DIR", help="folder to write; must be new or empty")
    parser.add_argument("--quantization", choices=("int8", "float16"), help="quantize the weights (default: fp32)")


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from translate.files.atomic import check_new_folder

    check_new_folder(arguments.output)  # before torch is loaded
    if arguments.to == "huggingface" and arguments.quantization:
        raise UserError(f"--quantization {arguments.quantization} is for --to ctranslate2: leave it out")
    from translate.bundle.bundle import load_bundle
    from translate.huggingface.marian_export import export_marian
    from translate.translation.ctranslate2_engine import export

    bundle = load_bundle(arguments.model)
    if arguments.to == "huggingface":
        export_marian(bundle, Path(arguments.output))
        if bundle.tokenizer.normalization == "nfc":
            print("translate: give that model text in Unicode's form NFC: its tokenizer doesn't normalise, as the bundle's does", file=sys.stderr)
    else:
        export(bundle, Path(arguments.output), arguments.quantization)
    megabytes = sum(file.stat().st_size for file in Path(arguments.output).iterdir()) / 1e6
    print(f"translate: written to {arguments.output} ({megabytes:.1f} MB)", file=sys.stderr)
    return 0
