"""A model that repeats its source, for tests of what is around a search."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from translate.config import ModelConfig
from translate.tokenizer import EOS, PAD

TEXT = [
    "Der Hund schläft.", "Die Katze läuft nach Hause, weil es regnet.", "Wir gehen heute ins Kino; danach essen wir.", "Guten Morgen!",
    "Was kostet das Brot? Es kostet drei Euro.", "Ich weiß nicht, ob er kommt.", "Am 3. Oktober fahren wir z. B. nach Köln.",
]  # fmt: skip


class EchoState(SimpleNamespace):
    def reorder(self, rows, sentences):
        return EchoState(source=self.source[sentences], length=self.length)


class Echo(nn.Module):
    """A model whose every translation is the source itself, nearly for certain: what comes out is known without a search."""

    def __init__(self, vocabulary, max_tokens):
        super().__init__()
        self.config = ModelConfig(max_tokens=max_tokens)
        self.vocabulary = vocabulary
        self.seen = []  # the shape of each batch

    def encode(self, source):
        assert not (source == EOS).all(dim=1).any() and source.shape[1] <= self.config.max_tokens
        self.seen.append(tuple(source.shape))
        return source

    def start(self, memory):
        return EchoState(source=memory, length=0)

    def step(self, last, state):
        copies = len(last) // len(state.source)
        ids = state.source[:, min(state.length, state.source.shape[1] - 1)]
        ids = ids.masked_fill(ids == PAD, EOS).repeat_interleave(copies)
        logits = torch.zeros(len(last), self.vocabulary).scatter_(1, ids[:, None], 30.0)
        return logits, EchoState(source=state.source, length=state.length + 1)
