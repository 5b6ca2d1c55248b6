"""`translate import`: a model that another toolkit has trained, as a run folder."""

from __future__ import annotations

import argparse
import sys

from translate.cli.paths import user_path

HELP = "Turn a MarianMT model, such as those of OPUS-MT, into a run folder."
EPILOG = """\
examples:
  translate import Helsinki-NLP/opus-mt-de-en -o runs/opus      from the Hugging Face hub
  translate import downloads/opus-mt-de-en -o runs/opus         from a folder that you have downloaded
  translate file -m runs/opus input.de -o output.en

The folder has config.json, model.safetensors (or pytorch_model.bin), source.spm, target.spm and vocab.json, as Hugging Face's transformers
writes them. No code in it is run. The run folder that is written is complete: it translates, is scored, exported and trained further like
any other.
It needs the package protobuf: pip install 'translate-nmt[huggingface]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("model", type=user_path, metavar="FOLDER_OR_NAME", help="folder of the model, or its name on the Hugging Face hub")
    parser.add_argument("-o", "--output", required=True, type=user_path, metavar="RUN", help="run folder to write; must be new or empty")
    parser.add_argument("--source-language", metavar="CODE", help="language that it translates from, such as de (default: tokenizer_config.json's)")
    parser.add_argument("--target-language", metavar="CODE", help="language that it translates into (default: tokenizer_config.json's)")


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from translate.files.atomic import check_new_folder

    check_new_folder(arguments.output)  # before torch is loaded, and before a download
    from translate.huggingface.hub import local_folder
    from translate.huggingface.marian_import import FILES, PICKLED, WEIGHTS, import_marian

    folder = local_folder(arguments.model, FILES, [PICKLED], [WEIGHTS])
    bundle = import_marian(folder, Path(arguments.output), arguments.source_language, arguments.target_language)
    parameters = sum(parameter.numel() for parameter in bundle.model.parameters())
    data, pieces = bundle.config.data, bundle.tokenizer.target_size
    print(
        f"translate: {data.source_language}-{data.target_language}, {parameters:,} parameters, {pieces:,} pieces, written to {arguments.output}",
        file=sys.stderr,
    )
    return 0
