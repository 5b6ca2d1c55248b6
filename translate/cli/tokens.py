"""`translate tokens`: what the model sees of a text: pieces, ids and bytes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from translate.cli.paths import user_path
from translate.errors import UserError

HELP = "Show the tokens of a text as the model sees them: pieces, ids and bytes."
EPILOG = """\
examples:
  translate tokens -m runs/quickstart "Das Haus" Hochhaus haus
  echo "Guten Morgen." | translate tokens -m runs/quickstart
  translate tokens -m runs/quickstart --target "the house"
  translate tokens -m runs/quickstart --json -i news.de > tokens.jsonl

▁ is a space. It belongs to the piece after it, and one is put before the first word: so a word has one id at the start of a line and after a
space, and others inside a longer word. A character that no piece has comes as its bytes in UTF-8, <0xE6> for e6, or as <unk>.

TEXT is taken as one sentence and normalised as the model's training text was. `translate file` does more before that: it divides lines into
sentences, and keeps numbers, names and other items from the model where it can.

--json prints an object for each text, on a line of its own: text, normalized (as it is cut into pieces), tokens. A token has id, piece, kind (piece,
byte, symbol, unknown, special, end), bytes (in hexadecimal), span (its place in the text, in characters) and, if it is a byte, of (its character).
"""
SPACE = "▁"  # SentencePiece's mark


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("text", nargs="*", metavar="TEXT", help="text to show (default: each line of standard input)")
    parser.add_argument(
        "-m", "--model", required=True, type=user_path, metavar="RUN", help="run folder of `translate train`, or a copy of its bundle files"
    )
    parser.add_argument(
        "-i",
        "--input",
        nargs="+",
        type=user_path,
        metavar="FILE",
        help="show the lines of these files (.gz, .xz, .bz2 and .zst too; -: standard input)",
    )
    parser.add_argument("--target", action="store_true", help="by the tokenizer of the target language (default: of the source language)")
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def run(arguments: argparse.Namespace) -> int:
    from translate.api import tokens

    if arguments.text and arguments.input:
        raise UserError(f"both TEXT and -i {arguments.input[0]} are given: leave one out")
    for number, seen in enumerate(tokens(arguments.model, texts(arguments), target=arguments.target)):
        if arguments.json:
            print(to_json(seen))
        else:
            print("\n" * (number > 0) + to_text(seen))
        if sys.stdout.isatty():
            sys.stdout.flush()
    return 0


def texts(arguments: argparse.Namespace) -> Iterator[str]:
    """The words of the command line, else the lines of the files."""
    from translate.cli.inputs import read_inputs

    if arguments.text:
        return iter(arguments.text)
    inputs = read_inputs(arguments.input or ["-"], as_text=True, buffer_pipes=False)
    if inputs.keyboard:
        print("translate: reading lines from the keyboard; end with Ctrl-D", file=sys.stderr)
    return inputs.lines()


def to_json(seen: dict[str, Any]) -> str:
    from translate.text.records import JSON_ESCAPES

    return json.dumps(seen, ensure_ascii=False).translate(JSON_ESCAPES)


def to_text(seen: dict[str, Any]) -> str:
    """The text, what is cut into pieces, and a table of its tokens."""
    rows = [(str(token["id"]), visible(token["piece"]), token["bytes"], note(token, seen["text"])) for token in seen["tokens"]]
    widths = [max(map(len, column)) for column in zip(("id", "piece", "bytes", ""), *rows)]
    count = len(rows) - 1
    lines = [
        f"text        {visible(seen['text'])}",
        f"normalised  {visible(seen['normalized'])}",
        f"tokens      {count:,}{' and the end mark' if count else ': only the end mark'}",
        *(
            f"  {number:>{widths[0]}}  {piece:<{widths[1]}}  {octets:<{widths[2]}}  {remark}".rstrip()
            for number, piece, octets, remark in [("id", "piece", "bytes", ""), *rows]
        ),
    ]
    return "\n".join(line.rstrip() for line in lines)


def note(token: dict[str, Any], text: str) -> str:
    """What a piece does not say itself."""
    begin, end = token["span"]
    if token["kind"] == "byte":
        return f"a byte of {visible(token['of'])}"
    if token["kind"] == "unknown":
        return f"unknown: {visible(text[begin:end])}"
    return {"end": "end mark", "symbol": "symbol, never split", "special": "special"}.get(token["kind"], "")


def visible(text: str) -> str:
    """With a mark for each space, and escapes for what can't be seen."""
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text.replace(" ", SPACE))
