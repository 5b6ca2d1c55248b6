"""The argparse parser of every subcommand, with two additions: an option given twice is an error, and an unknown one gets a suggestion."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from translate.errors import UserError

CUTOFF = 0.6  # difflib's ratio: `tarin` is close to `train`, `init` is not


class Parser(argparse.ArgumentParser):
    """The parser of one command. An option that stores a value or True may be given only once."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)
        self.unknown: list[str] = []
        self.register("action", None, Store)  # the default action
        self.register("action", "store_true", Switch)

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        self.unknown = [word.partition("=")[0] for word in argv if self._is_unknown(word.partition("=")[0])]
        return self.parse_args(argv)

    def _is_unknown(self, word: str) -> bool:
        known = self._option_string_actions
        return word.startswith("-") and word not in known and (word.startswith("--") or word[:2] not in known)  # -mRUN is -m RUN

    def error(self, message: str) -> Any:
        """Print usage and the message, with a suggestion for a mistyped option; exit code 2."""
        for word in self.unknown:
            if option := nearest(word, self._option_string_actions):
                message += f" (did you mean {option}{'' if word in message else f' instead of {word}'}?)"
                break
        super().error(message)


class Store(argparse.Action):
    """Stores the value, once."""

    given = ""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        if option:  # None: a positional argument
            self.given = reject_repeat(self.given, option)
        setattr(namespace, self.dest, values)


class Several(argparse.Action):
    """Stores the first value, and the others, if the option is given again, as a list under the name `others`."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        if getattr(namespace, self.dest, None) is None:
            setattr(namespace, self.dest, values)
        else:
            namespace.others = [*getattr(namespace, "others", []), values]


class Switch(argparse.Action):
    """Stores True, once."""

    given = ""

    def __init__(self, option_strings: Sequence[str], dest: str, default: bool = False, required: bool = False, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=default, required=required, help=help)

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        self.given = reject_repeat(self.given, option or "")
        setattr(namespace, self.dest, True)


def reject_repeat(before: str, option: str) -> str:
    """Return `option`. UserError if it was given `before`, under this or another name."""
    if before:
        raise UserError(f"{option} is given twice" + ("" if option == before else f", the first time as {before}"))
    return option


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name in `known` that `word` probably means: the only one that starts with it, or one that is spelt alike."""
    names = {name.lstrip("-"): name for name in known if not name.startswith("-") or name.startswith("--")}
    typed = word.lstrip("-")
    completions = [name for name in names if typed and name.startswith(typed)]
    matches = completions if len(completions) == 1 else difflib.get_close_matches(typed, names, n=1, cutoff=CUTOFF)
    return names[matches[0]] if matches else None
