"""How well sentence ends are found: lines of corpora joined in fours, ours beside sentencex and pysbd.

    pip install sentencex pysbd
    python benchmarks/sentence_ends.py --data DIR
    python benchmarks/sentence_ends.py --data DIR --show missed --system ours --corpus news --language de

DIR has tatoeba/dev, europarl20k/train, newstest2012/test and opennmt_py_10k/train, each with .de and .en. An end counts if its line ends in a full
stop, question mark, exclamation mark or dots, perhaps with closing quotes or brackets. `found` is the share of these ends that a system finds.
`false` counts cuts within lines, for each 1,000 lines: partly true ends, since some lines have two sentences, so that the difference between systems
tells more than the figure.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from translate.text.sentences import sentence_spans

CORPORA = {"tatoeba": "tatoeba/dev", "europarl": "europarl20k/train", "news": "newstest2012/test", "opennmt": "opennmt_py_10k/train"}
SYSTEMS = ("ours", "sentencex", "pysbd")
JOINED = 4  # lines
ENDS = re.compile(r"[.!?…][\"'”“’»«)\]]*$")

Cut = int  # characters other than white space before it


def main() -> None:
    parser = argparse.ArgumentParser(description="How well sentence ends are found.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--lines", type=int, default=2_000, help="of each corpus, spread over it (default: %(default)s)")
    parser.add_argument("--corpus", choices=CORPORA, help="only this one")
    parser.add_argument("--language", choices=("de", "en"), help="only this one")
    parser.add_argument("--system", choices=SYSTEMS, help="only this one")
    parser.add_argument("--show", choices=("missed", "false"), help="print what a system misses, or its false ends, with what is around them")
    parser.add_argument("--json", type=Path, help="write the results here")
    arguments = parser.parse_args()
    rows = []
    for corpus in [arguments.corpus] if arguments.corpus else CORPORA:
        for language in [arguments.language] if arguments.language else ("de", "en"):
            lines = read_lines(arguments.data / f"{CORPORA[corpus]}.{language}", arguments.lines)
            for system in [arguments.system] if arguments.system else SYSTEMS:
                rows.append({"corpus": corpus, "language": language, "system": system, **measure(lines, splitter(system, language), arguments.show)})
                if not arguments.show:
                    print(
                        "{corpus:9} {language} {system:10} found {found:6.2%} of {ends:,}   false {false:6.1f}   {microseconds:8.1f} µs".format(
                            **rows[-1]
                        )
                    )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_lines(path: Path, count: int) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    size = len(lines) // JOINED  # groups stay together
    chosen = range(0, size, max(1, size * JOINED // count))
    return [line for group in chosen for line in lines[JOINED * group : JOINED * (group + 1)]]


def splitter(system: str, language: str) -> Callable[[str], list[str]]:
    if system == "ours":
        return lambda text: [text[begin:end] for begin, end in sentence_spans(text, language)]
    if system == "sentencex":
        import sentencex

        return lambda text: list(sentencex.segment(language, text))
    import pysbd

    return pysbd.Segmenter(language=language, clean=False).segment


def measure(lines: list[str], split: Callable[[str], list[str]], show: str | None) -> dict[str, float]:
    """Share of the ends found, false ends for each 1,000 lines, microseconds for each line."""
    ends = found = false = 0
    seconds = 0.0
    for start in range(0, len(lines) - JOINED + 1, JOINED):
        group = lines[start : start + JOINED]
        text = " ".join(group)
        began = time.process_time()
        parts = split(text)
        seconds += time.process_time() - began
        cuts, borders = set(places(parts)), list(places(group))
        true = {border for border, line in zip(borders, group) if ENDS.search(line)}
        ends += len(true)
        found += len(true & cuts)
        wrong = cuts - set(borders)
        false += len(wrong)
        for place in sorted({"missed": true - cuts, "false": wrong}.get(show or "", ())):
            print(around(text, place))
    return {"ends": ends, "found": found / ends, "false": 1000 * false / len(lines), "microseconds": 1e6 * seconds / len(lines)}


def places(parts: list[str]) -> Iterator[Cut]:
    """The ends of all parts but the last."""
    place = 0
    for part in parts[:-1]:
        place += len("".join(part.split()))
        yield place


def around(text: str, place: Cut) -> str:
    """60 characters before the cut and 40 after it."""
    characters = [index for index, character in enumerate(text) if not character.isspace()]
    cut = characters[place - 1] + 1
    return f"{text[max(0, cut - 60) : cut]:>60} | {text[cut:].lstrip()[:40]}"


if __name__ == "__main__":
    main()
