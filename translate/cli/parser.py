"""argparse with what it lacks, for every subcommand: an option given twice is a mistake, and for an unknown one the nearest known is named."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from translate.errors import UserError

NEAR = 0.6  # of difflib's ratio: `tarin` is near `train`, `init` is not


class Parser(argparse.ArgumentParser):
    """The parser of one command; `parse` takes its words. Options that store a value or are a switch may be given once."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)
        self.unknown: list[str] = []
        self.register("action", None, Store)  # what `add_argument` makes without action=...
        self.register("action", "store_true", Switch)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        self.unknown = [word.partition("=")[0] for word in words if self._is_unknown(word.partition("=")[0])]
        return self.parse_args(words)

    def _is_unknown(self, word: str) -> bool:
        known = self._option_string_actions
        return word.startswith("-") and word not in known and (word.startswith("--") or word[:2] not in known)  # -mRUN is -m RUN

    def error(self, message: str) -> Any:
        """Usage and the message, with the option that a mistyped one may have meant; exit code 2."""
        for word in self.unknown:
            if found := nearest(word, self._option_string_actions):
                message += f" (did you mean {found} for {word}?)"
                break
        super().error(message)


class Store(argparse.Action):
    """Stores the value, once."""

    given = ""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        if option:  # None: not an option, but one of the words without a name
            self.given = once(self.given, option)
        setattr(namespace, self.dest, values)


class Switch(argparse.Action):
    """Stores True, once."""

    given = ""

    def __init__(self, option_strings: Sequence[str], dest: str, default: bool = False, required: bool = False, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=default, required=required, help=help)

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        self.given = once(self.given, option or "")
        setattr(namespace, self.dest, True)


def once(before: str, option: str) -> str:
    """`option`, as it is spelt now. UserError where the same option was given `before`, in this or another spelling."""
    if before:
        raise UserError(f"{option} is given twice" + ("" if option == before else f", the first time as {before}"))
    return option


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` may have been meant for: spelt much like it, or the only one that begins with it."""
    bare = {name.lstrip("-"): name for name in known if not name.startswith("-") or name.startswith("--")}
    typed = word.lstrip("-")
    begun = [name for name in bare if typed and name.startswith(typed)]
    found = begun if len(begun) == 1 else difflib.get_close_matches(typed, bare, n=1, cutoff=NEAR)
    return bare[found[0]] if found else None
