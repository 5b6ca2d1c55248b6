"""Alignment error rate of a model's cross-attention: against the links that the phrasebook's grammar knows, and 50 lines of Multi30k, linked by hand.

    python benchmarks/alignment_error.py --model runs/quickstart
    python benchmarks/alignment_error.py --model runs/multi30k_de_en --data DIR        DIR has test_2016_flickr.de and .en
    python benchmarks/alignment_error.py --model runs/quickstart --every               each layer, head and step on its own

The reference translations are aligned, as if the model had put them out. Och and Ney 2003, "A systematic comparison of various statistical alignment
models", equation 25: AER = 1 - (|A & S| + |A & P|) / (|A| + |S|), with sure links S, possible ones P, and those found, A.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import re
from collections.abc import Iterable
from pathlib import Path

from translate.phrasebook import aligned_pairs
from translate.text.words import word_spans
from translate.tokenizer import Tokenizer
from translate.translation.alignment import align_texts
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.engine import Engine, load_engine

TABLE = Path(__file__).parent / "multi30k_links.tsv"
BATCH = 64
Links = frozenset[tuple[int, int]]  # of source and target words
Gold = tuple[str, str, Links, Links]  # source, target, sure and possible links


def phrasebook(*splits: str) -> list[Gold]:
    return [tuple(pair) for split in splits for pair in aligned_pairs(split)]


def multi30k(folder: Path) -> list[Gold]:
    """The lines of the table. ValueError if the corpus has other lines."""
    texts = [(folder / f"test_2016_flickr.{language}").read_text(encoding="utf-8").split("\n") for language in ("de", "en")]
    table = TABLE.read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line[:1].isdigit()]
    pairs = [(texts[0][int(number) - 1], texts[1][int(number) - 1]) for number, _ in rows]
    digest = hashlib.sha256("".join(f"{source}\n{target}\n" for source, target in pairs).encode()).hexdigest()
    if digest not in table:
        raise ValueError(f"{folder}: the lines of {TABLE.name} are others here: SHA-256 {digest}")
    return [(*pair, links_in(cell, "-"), links_in(cell, "-?")) for pair, (_, cell) in zip(pairs, rows)]


def links_in(cell: str, kinds: str) -> Links:
    return frozenset((int(i), int(j)) for i, kind, j in re.findall(r"(\d+)([-?])(\d+)", cell) if kind in kinds)


def found_links(engine: Engine, tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> list[Links]:
    """The links that the model gives, by the numbers of the words."""
    result = []
    for first in range(0, len(pairs), BATCH):
        sources, targets = (list(side) for side in zip(*pairs[first : first + BATCH]))
        source_ids, target_ids = tokenizer.encode_source(sources), [ids[:-1] for ids in tokenizer.encode_target(targets)]
        attention = engine.align(source_ids, target_ids)
        for source, target, links in zip(sources, targets, align_texts(tokenizer, sources, source_ids, targets, target_ids, attention)):
            places = [{span: number for number, span in enumerate(word_spans(text))} for text in (source, target)]
            result.append(frozenset((places[0][one], places[1][two]) for one, two in links))
    return result


def error_rate(found: Iterable[Links], gold: Iterable[Gold]) -> tuple[float, float, float]:
    """AER, precision, recall."""
    number = sure = right_sure = right = 0
    for links, (_, _, certain, allowed) in zip(found, gold, strict=True):
        number, sure = number + len(links), sure + len(certain)
        right_sure, right = right_sure + len(links & certain), right + len(links & allowed)
    return 1 - (right_sure + right) / (number + sure), right / max(1, number), right_sure / sure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="run folder")
    parser.add_argument("--data", type=Path, help="folder with test_2016_flickr.de and .en; without it, the phrasebook is aligned")
    parser.add_argument("--engine", default="torch", choices=("torch", "ctranslate2"))
    parser.add_argument("--every", action="store_true", help="each layer, head and step (engine torch)")
    arguments = parser.parse_args()
    precision = "fp32" if arguments.engine == "torch" else "auto"
    engine, tokenizer, config, _ = load_engine(arguments.model, "cpu", precision, arguments.engine, "default")
    gold = multi30k(arguments.data) if arguments.data else phrasebook("test", "test_unseen")
    print(f"{len(gold):,} pairs, {sum(len(sure) for _, _, sure, _ in gold):,} sure links, {sum(len(p) for *_, p in gold):,} sure or possible")
    chosen = [engine.alignment]
    if arguments.every:
        heads = [tuple(range(config.model.heads)), *((head,) for head in range(config.model.heads))]
        chosen += [AlignmentHeads(*values) for values in itertools.product(range(config.model.decoder_layers), heads, (0, 1))]
    for engine.alignment in chosen:
        rates = error_rate(found_links(engine, tokenizer, [pair[:2] for pair in gold]), gold)
        print("AER {:.1%}, precision {:.1%}, recall {:.1%}".format(*rates), f" {engine.alignment}", flush=True)


if __name__ == "__main__":
    main()
