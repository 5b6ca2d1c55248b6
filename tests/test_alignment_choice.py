"""The heads that tell what a word was translated from, chosen without links made by hand: found where they are known to be, and sealed."""

from __future__ import annotations

import dataclasses
import random
from types import SimpleNamespace

import pytest
import torch

from translate.bundle.bundle import load_bundle
from translate.config import ModelConfig, TokenizerConfig
from translate.profile import Profile
from translate.tokenizer import PAD, train_tokenizer
from translate.training.alignment_choice import choose_alignment, choose_heads
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

WORDS = ["".join(random.Random(number).choices("abcdefghij", k=5)) for number in range(60)]
PAIRS = [
    (" ".join(f"de{word}" for word in words), " ".join(f"en{word}" for word in reversed(words)))
    for words in (random.Random(seed).sample(WORDS, random.Random(seed).randint(3, 7)) for seed in range(200))
]  # fmt: skip


class Pointing:
    """A model of two layers with three heads: some heads of one layer point at the word that is translated, at one step, the others at random.

    Every word is a token, and translations are reversed: token t of T comes from source token T - 1 - t.
    """

    config = ModelConfig(width=6, heads=3, decoder_layers=2, max_tokens=20)

    def __init__(self, heads: AlignmentHeads) -> None:
        self.heads = heads

    def eval(self) -> None:
        pass

    def encode(self, source: torch.Tensor) -> torch.Tensor:
        return source

    def cross_attention(self, target: torch.Tensor, source: torch.Tensor, layer: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(layer)
        weights = 12 * torch.rand((len(target), 3, target.shape[1], source.shape[1]), generator=generator)  # each at some word
        for row, ids in enumerate(source if layer == self.heads.layer else []):
            length = int((ids != PAD).sum()) - 1
            for token in range(length):
                for head in self.heads.heads:
                    weights[row, head, token + self.heads.shift] = 0
                    weights[row, head, token + self.heads.shift, length - 1 - token] = 6
        return weights.softmax(dim=-1)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_tokenizer(PAIRS, TokenizerConfig(kind="word", vocabulary=380), tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.parametrize("heads", [AlignmentHeads(0, (1,), 1), AlignmentHeads(1, (0, 2), 0), AlignmentHeads(1, (0, 1, 2), 1)])
def test_the_heads_that_point_at_the_source_are_found(tokenizer, heads):
    bundle = SimpleNamespace(tokenizer=tokenizer, config=SimpleNamespace(model=Pointing.config), profile=Profile(longest_source=7))
    engine = TorchEngine(Pointing(heads), torch.device("cpu"))
    found, share, anchors = choose_heads(bundle, engine, PAIRS)
    assert (found.layer, found.shift) == (heads.layer, heads.shift)
    assert found.heads == (heads.heads if len(heads.heads) == 1 else (0, 1, 2))  # one that most agree against need not be left out
    assert share > 0.95 and anchors > 500
    assert bundle.profile == Profile(7, {}, found.layer, list(found.heads), found.shift)
    assert choose_heads(bundle, engine, PAIRS[:9]) is None and choose_heads(bundle, engine, []) is None
    long = [(" ".join([source] * 9), target) for source, target in PAIRS]
    assert choose_heads(bundle, engine, long) is None


def test_the_choice_is_reported_and_sealed(trained):
    from translate.phrasebook import pairs

    bundle, translator, logged = load_bundle(trained), Translator.load(trained, "cpu", "bf16"), []
    validation = SimpleNamespace(
        bundle=bundle,
        pairs=pairs("validation"),
        data=bundle.data,
        translator=lambda: translator,
        development=SimpleNamespace(name="dev"),
        log=SimpleNamespace(info=logged.append),
    )
    assert choose_alignment(validation, learnt=False) == {} and not logged
    entry = choose_alignment(validation, learnt=True)["alignment"]
    profile = load_bundle(trained).profile
    assert profile == bundle.profile and profile == dataclasses.replace(profile, alignment_heads=list(entry["heads"]), alignment_shift=entry["shift"])
    assert f"right for {entry['right']:.1%} of {entry['anchors']:,} words of dev" in logged[0]
