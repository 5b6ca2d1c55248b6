"""How often the report of `translate file` warns: of a model's translations, of human ones, and of translations that leave out half of the source.

    python benchmarks/report_alarms.py -m runs/multi30k_de_en test.de test.en [--lines 1000]

The half: two sources in a row are joined, and get the translation of one of them. Human translations and halves are scored by attention only, as
they are not outputs of a search, so their confidence and scores are not judged.
"""

from __future__ import annotations

import argparse

import numpy

from translate.decoding import Hypothesis
from translate.evaluation.calibration import confidence_figures
from translate.translation.doubts import doubts
from translate.translation.parts import Part, make_part
from translate.translation.translator import Translator

REASONS = ("odd_length", "uncovered", "low_score", "missing")
BATCH = 64


def forced(translator: Translator, pairs: list[tuple[str, str]]) -> list[Part]:
    """The parts of given translations."""
    sources = translator.tokenizer.encode_source([source for source, _ in pairs])
    outputs = [ids[:-1] for ids in translator.tokenizer.encode_target([output for _, output in pairs])]
    parts: dict[int, Part] = {}
    order = sorted(range(len(pairs)), key=lambda index: len(sources[index]))
    for begin in range(0, len(order), BATCH):
        batch = order[begin : begin + BATCH]
        matrices = translator.engine.align([sources[index] for index in batch], [outputs[index] for index in batch])
        for index, weights in zip(batch, matrices):
            output = Hypothesis(outputs[index], 0.0, 0.0, True)
            span = (0, len(pairs[index][0]))
            parts[index] = make_part(span, pairs[index][1], len(sources[index]) - 1, output, translator.profile, weights=weights)
    return [parts[index] for index in range(len(pairs))]


def shares(rows: list[dict[str, bool]]) -> str:
    values = [f"{name.replace('_', ' ')} {numpy.mean([row.get(name, False) for row in rows]):.1%}" for name in REASONS]
    return f"any {numpy.mean([any(row.values()) for row in rows]):.1%} ({', '.join(values)})"


def of_parts(parts: list[Part]) -> str:
    return shares([{"odd_length": part.odd_length, "uncovered": bool(part.uncovered)} for part in parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("source")
    parser.add_argument("reference")
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--beam", type=int)
    arguments = parser.parse_args()
    texts = []
    for path in (arguments.source, arguments.reference):
        with open(path, encoding="utf-8") as file:
            texts.append([line.rstrip("\n") for line in file][: arguments.lines])
    sources, references = texts
    with Translator.load(arguments.model, device="cpu") as translator:
        results = list(translator.translate_stream(sources, beam=arguments.beam, coverage=True))
        outputs = [result.text for result in results]
        halves = [
            (f"{first} {second}", (one, other)[number % 2])
            for number, (first, second, one, other) in enumerate(zip(sources[::2], sources[1::2], outputs[::2], outputs[1::2]))
        ]
        print("confidence:", confidence_figures([result.confidence for result in results], outputs, [references]))
        print("translations of the model:", shares([dict.fromkeys(doubts(result), True) for result in results]))
        print("human translations:", of_parts(forced(translator, list(zip(sources, references)))))
        print("half left out:", of_parts(forced(translator, halves)))


if __name__ == "__main__":
    main()
