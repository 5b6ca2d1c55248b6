"""Which cross-attention shows what a word was translated from: chosen on the development set, without links made by hand.

Words that a lexicon learnt from the same sentences knows as each other's translations are anchors: the best attention is the one that points from
an anchor's word to its source most often. It need not be the lexicon's equal to be judged by it: anchors are few, and mostly right.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy
import torch

from translate.bundle.bundle import Bundle, write_model
from translate.data.lexicon import Lexicon
from translate.text.words import word_spans
from translate.tokenizer import BOS, Tokenizer
from translate.tokenizer.padding import pad
from translate.training.development import spread
from translate.training.validation import Validation
from translate.translation.alignment import mutual, word_weights
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.engine import Engine
from translate.translation.torch_engine import TorchEngine

LEARNT_FROM, SENTENCES = 5_000, 500  # pairs of the development set, at most
FEWEST = 100  # anchors
BATCH = 64
GAIN = 0.002  # share of the anchors that leaving a head out must add


def choose_alignment(validation: Validation, learnt: bool) -> dict[str, Any]:
    """Choose for the model of a run, and write the choice into the bundle's manifest. Returns its entry in report.json.

    Nothing without a development set, or if it has too few anchors, or if the model has learnt nothing.
    """
    bundle = validation.bundle
    found = choose_heads(bundle, validation.translator().engine, validation.pairs) if learnt else None
    if found is None:
        return {}
    write_model(bundle, validation.data)
    heads, share, anchors = found
    step = "the step after it" if heads.shift else "the step that puts it out"
    validation.log.info(
        f"what a word comes from is read from decoder layer {heads.layer + 1}, {len(heads.heads)} of {bundle.config.model.heads} heads, at {step}: "
        f"right for {share:.1%} of {anchors:,} words of {validation.development.name} that a lexicon links"
    )
    return {"alignment": {**dataclasses.asdict(heads), "anchors": anchors, "right": round(share, 4)}}


def choose_heads(bundle: Bundle, engine: Engine, pairs: Sequence[tuple[str, str]]) -> tuple[AlignmentHeads, float, int] | None:
    """The best heads, the share of the anchors that they get right, and the number of these; the heads are also put into the bundle's profile.

    engine: torch, with the bundle's weights. None if there are fewer than FEWEST anchors.
    """
    assert isinstance(engine, TorchEngine)
    pairs = spread(pairs, LEARNT_FROM)
    lexicon, config = Lexicon(pairs), bundle.config.model
    anchored = [(*pair, links) for pair in spread(pairs, SENTENCES) if (links := lexicon.links(*pair))]
    measured = [
        sentence for first in range(0, len(anchored), BATCH) for sentence in _measure(engine, bundle.tokenizer, anchored[first : first + BATCH])
    ]
    anchors = sum(len(rows) for _, rows, _ in measured)
    if anchors < FEWEST:
        return None

    def right(heads: AlignmentHeads) -> float:
        hits = 0
        for weights, rows, columns in measured:
            chosen = weights[heads.layer, heads.shift, list(heads.heads)].mean(axis=0)
            hits += int((mutual(chosen).argmax(axis=1)[rows] == columns).sum())
        return hits / anchors

    every = tuple(range(config.heads))
    best, share = max(
        ((heads, right(heads)) for heads in itertools.starmap(AlignmentHeads, itertools.product(range(config.decoder_layers), [every], (0, 1)))),
        key=lambda item: item[1],
    )
    while len(best.heads) > 1:
        fewer = [dataclasses.replace(best, heads=tuple(head for head in best.heads if head != left_out)) for left_out in best.heads]
        candidate, gained = max(((heads, right(heads)) for heads in fewer), key=lambda item: item[1])
        if gained < share + GAIN:
            break
        best, share = candidate, gained
    bundle.profile = dataclasses.replace(bundle.profile, alignment_layer=best.layer, alignment_heads=list(best.heads), alignment_shift=best.shift)
    return best, share, anchors


@torch.no_grad()
def _measure(engine: TorchEngine, tokenizer: Tokenizer, batch: Sequence[tuple[str, str, Any]]) -> list[tuple[numpy.ndarray, list[int], list[int]]]:
    """For each (source, target, links): the attention between words, (layer, shift, head, target words, source words), and the linked words."""
    model, device, most = engine.model, engine.device, engine.max_tokens
    ids = list(zip(tokenizer.encode_source([source for source, *_ in batch]), tokenizer.encode_target([target for _, target, _ in batch])))
    short = [index for index, sides in enumerate(ids) if max(map(len, sides)) <= most]
    if not short:
        return []
    sources, targets = [ids[index][0] for index in short], [ids[index][1][:-1] for index in short]
    texts = [batch[index] for index in short]
    spans = tokenizer.source_spans([text[0] for text in texts], sources), tokenizer.output_spans([text[1] for text in texts], targets)
    memory, inputs = model.encode(pad(sources).to(device)), pad([[BOS, *target] for target in targets]).to(device)
    layers = [model.cross_attention(inputs, memory, layer).float().cpu().numpy() for layer in range(model.config.decoder_layers)]
    found = []
    for row, (source, target, links) in enumerate(texts):
        words = word_spans(source), word_spans(target)
        places = [(_word_at(words[1], two), _word_at(words[0], one)) for one, two in links]
        T, S = len(targets[row]), len(sources[row])
        weights = numpy.array([
            [
                [word_weights(*words, spans[0][row], spans[1][row], head[shift : T + shift, :S]) for head in layer[row]]
                for shift in (0, 1)
            ]
            for layer in layers
        ])  # fmt: skip
        found.append((weights, [place for place, _ in places], [place for _, place in places]))
    return found


def _word_at(words: Sequence[tuple[int, int]], span: tuple[int, int]) -> int:
    """The word that holds a span, which may be a part of it."""
    return next(index for index, (begin, end) in enumerate(words) if begin <= span[0] < end)
