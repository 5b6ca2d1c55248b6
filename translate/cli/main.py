"""The `translate` command: runs a subcommand, and turns a user's mistake into one line and exit code 2.

Each subcommand is a module of this folder with `HELP` (one line), `add_arguments(parser)` and `run(arguments) -> exit code`. Only the
requested module is imported, and it must import nothing heavy before `run`, so that `translate --help` is fast.
`train` and `check` parse their own arguments.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from translate.cli.parser import Parser, nearest
from translate.cli.signals import Stopped, stopping
from translate.errors import UserError

COMMANDS = (
    "check",
    "train",
    "file",
    "score",
    "evaluate",
    "tokens",
    "generate",
    "fill",
    "average",
    "rerank",
    "import",
    "export",
    "completion",
)  # in the order of use
MISTAKE = 2  # the exit code argparse uses too
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
MESSAGE_LENGTH = 2000  # characters
OUT_OF_MEMORY = "lower --batch-tokens or --workers (of `translate train`: training.batch_tokens), or take a smaller model"
DEBUG = "TRANSLATE_DEBUG"  # environment variable; 1 = a traceback for users' mistakes too
CLOSED_PIPE = 141  # 128 + SIGPIPE
WRITE_ERRORS = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG)

DESCRIPTION = "Train a German-English translation model from a recipe, translate files with it, score the result."
EXAMPLES = """\
examples:
  translate check recipe=quickstart                        look for problems in the data
  translate train recipe=quickstart                        train on the built-in corpus, in minutes
  translate train recipe=quickstart training.minutes=2     the same, with one setting changed
  translate file -m runs/quickstart input.de -o output.en  translate a file (without names: stdin to stdout)
  translate score reference.en -i output.en                score it: BLEU, chrF++ and TER
  translate evaluate -m runs/quickstart                    translate and score the recipe's test sets
  translate average runs/long --last 5 -o runs/long-last5  average checkpoints of a run into a new model
  translate rerank -m runs/x --reverse runs/y -o r.yaml    choose among translations by a model of the other direction
  translate import Helsinki-NLP/opus-mt-de-en -o runs/opus take a model that another toolkit has trained
  translate tokens -m runs/quickstart "Das Haus"           what the model sees of a text: pieces, ids and bytes
  translate generate -m runs/lm --prompt "A man"           go on with a text, with a language model
  translate fill -m runs/mlm "Der <mask> schläft."         guess what is missing, with a masked language model
  translate export -m runs/x --to ctranslate2 -o x.ct2     export the model for a faster engine
  translate completion bash                                tab completion; `translate completion --help` says where to put it

`translate COMMAND --help` describes each command.

exit codes: 0 done; 1 `check` has found an error, or a bug in translate (with a traceback); 2 a mistake that you can fix, explained in one line
on stderr; 130 interrupted (Ctrl-C); 141 the reader of the output has closed it; 143 terminated by SIGTERM
"""


class ShowVersion(argparse.Action):
    """`--version`, with the installed package's metadata read only when asked for (that import takes longer than all of `--help`)."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None) -> None:
        from importlib import metadata

        try:
            version = metadata.version("translate-nmt")
        except metadata.PackageNotFoundError:
            version = "(not installed: running from a source folder)"
        print(f"translate-nmt {version}")
        parser.exit()


def build_parser() -> Parser:
    """The parser of the whole command, with all subcommands."""
    parser = Parser(prog="translate", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="show the installed version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in COMMANDS:
        module = importlib.import_module(f"translate.cli.{name}")
        module.add_arguments(subparsers.add_parser(name, help=module.HELP, description=module.HELP))
    return parser


def command_parser(name: str) -> Parser:
    """The parser of one subcommand: an error shows its usage, and only its module is imported."""
    module = importlib.import_module(f"translate.cli.{name}")
    parser = Parser(prog=f"translate {name}", description=module.HELP)
    module.add_arguments(parser)
    return parser


def dispatch(argv: Sequence[str]) -> int:
    """Runs the subcommand that `argv` names and returns its exit code. argparse raises SystemExit (0 for --help, 2 for a mistake)."""
    first, rest = (argv[0], list(argv[1:])) if argv else (None, [])
    if first in ("train", "check"):
        code: int = importlib.import_module(f"translate.cli.{first}").run(rest)
        return code
    if first in COMMANDS:
        code = importlib.import_module(f"translate.cli.{first}").run(command_parser(first).parse(rest))
        return code
    if first == "help":  # as git and others have it; train and check answer --help themselves
        return dispatch([*rest[:1], "--help"])
    parser = build_parser()
    if first and not first.startswith("-"):
        near = nearest(first, COMMANDS)
        parser.error(f"unknown command {first!r}: " + (f"did you mean {near}?" if near else f"choose one of {', '.join(COMMANDS)}"))
    arguments = parser.parse(argv)
    if arguments.command:  # it comes after an option
        parser.error("the command comes first: translate COMMAND ...")
    parser.print_help()
    return 0


def explain(error: BaseException) -> str:
    """One line for a user's mistake."""
    if isinstance(error, OSError) and error.strerror:
        cannot_write = error.errno in WRITE_ERRORS
        subject = [f"{error.filename}"] if error.filename is not None else ["the output"] if cannot_write else []
        message = ": ".join([*subject, *(["cannot be written"] if cannot_write else []), error.strerror])
    else:
        message = str(error) or type(error).__name__
    line = " ".join(line.strip() for line in message.splitlines() if line.strip())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)  # it may quote a damaged file
    return line if len(line) <= MESSAGE_LENGTH else f"{line[: MESSAGE_LENGTH - 1]}…"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script and of `python -m translate`. `argv`: the arguments (None: those of `sys.argv`). Returns the exit code."""
    # UTF-8 and "\n" in every locale; messages must not fail on a character that can't be encoded
    for stream, errors in ((sys.stdout, "strict"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors, newline="\n")
    if argv is None and "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        importlib.import_module("translate.cli.completion").complete(build_parser())
    try:
        try:
            argv = sys.argv[1:] if argv is None else argv
            with contextlib.nullcontext() if argv[:1] == ["train"] else stopping():  # training handles signals itself, to save first
                return dispatch(argv)
        except Stopped as stopped:
            discard()  # the reader of stdout may be gone or stuck: don't wait for it
            with contextlib.suppress(OSError):  # the terminal may be closed
                print(f"translate: stopped by {signal.Signals(stopped.code - 128).name}", file=sys.stderr)
            raise
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, not at interpreter exit, so that the outer `try` sees a closed pipe or a full disk
    except BrokenPipeError:  # `translate file ... | head`: the reader has left, which is not an error
        flush_or_discard()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        print("translate: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (UserError, OSError) as error:  # any other exception is a bug: Python prints the traceback and exits with 1
        if os.environ.get(DEBUG) == "1":
            raise
        flush_or_discard()
        print(f"translate: error: {explain(error)}", file=sys.stderr)
        return MISTAKE
    except (MemoryError, RuntimeError) as error:
        if os.environ.get(DEBUG) == "1" or not is_out_of_memory(error):
            raise
        flush_or_discard()
        print(f"translate: error: out of memory: {OUT_OF_MEMORY} ({explain(error)[:200]})", file=sys.stderr)
        return MISTAKE


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the machine or the GPU ran out of memory; without torch loaded, only MemoryError can mean that."""
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from translate import device

    return device.is_out_of_memory(error)


def flush_or_discard() -> None:
    """Flush stdout, or discard what can't be written: else the flush at interpreter exit would fail again and print a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        discard()


def discard() -> None:
    """Redirect stdout to /dev/null."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
