"""A finding: the result of a check."""

from __future__ import annotations

from dataclasses import dataclass

EXAMPLES = 3  # in a finding


@dataclass(frozen=True)
class Finding:
    severity: str  # ok, note, warning or error
    name: str  # of the corpus or the property
    text: str
    hint: str = ""  # what to do

    def line(self) -> str:
        return f"{self.severity:<8} {self.name:<16} {self.text}{': ' if self.hint else ''}{self.hint}"
