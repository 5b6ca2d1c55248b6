"""Lines in, lines out: order, blank and odd lines, splitting, and that neither batches nor neighbours matter."""

from __future__ import annotations

import math
import random

import pytest
import torch

from tests.echo_model import TEXT, Echo, EchoState
from translate.config import DecodingConfig, ModelConfig, TokenizerConfig
from translate.decoding import Options
from translate.errors import UserError
from translate.model import Transformer
from translate.tokenizer import EOS, train_tokenizer
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    config = TokenizerConfig(vocabulary=340, normalization="identity")
    return train_tokenizer([(line, line.upper()) for line in TEXT], config, tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture
def echo(tokenizer):
    def build(max_tokens=64, **decoding):
        return Translator(TorchEngine(Echo(tokenizer.target_size, max_tokens), CPU), tokenizer, DecodingConfig(**{"beam": 2, **decoding}))

    return build


@pytest.fixture(scope="module")
def random_model(tokenizer):
    torch.manual_seed(5)
    config = ModelConfig(width=32, heads=2, feedforward=64, encoder_layers=1, decoder_layers=2, max_tokens=40)
    model = Transformer(config, tokenizer.source_size, tokenizer.target_size).eval()
    with torch.no_grad():
        model.target_embedding.weight.mul_(1.5)  # sharper, so that outputs differ and some end
    return Translator(TorchEngine(model, CPU), tokenizer, DecodingConfig(beam=3, max_extra=5))


def random_lines(count, seed=0):
    chosen = random.Random(seed)
    return [" ".join(chosen.choices(" ".join(TEXT).split(), k=chosen.randint(1, 9))) for _ in range(count)]


def test_every_line_comes_back_in_its_place(echo):
    lines = random_lines(500)
    assert echo(batch_tokens=300).translate(lines) == lines


@pytest.mark.parametrize("lines", [[], [""], ["", "  ", "\t", "\u2028", "\x85\x1c", "\xa0"], ["", "Der Hund schläft.", "", " ", "Guten Morgen!", ""]])
def test_blank_lines_stay_and_never_reach_the_model(echo, lines):
    translator = echo()
    assert translator.translate(lines) == lines
    assert sum(rows for rows, _ in translator.engine.model.seen) == sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize("line", ["a\u2028b", "a\x85b", "a\x1cb", "a\x0bb", "a\t\tb", "😀👩\u200d🚀", "漢字", "ж", "<s> </s> <pad>", "a ‽ b"])
def test_odd_characters_stay_within_their_line(echo, line):
    assert echo().translate(["Guten Morgen!", line, "Der Hund schläft."]) == ["Guten Morgen!", line, "Der Hund schläft."]


def test_an_output_is_one_line_whatever_the_model_writes(echo):
    for output in echo().translate(["a\nb", "a\rb"]):
        assert "\n" not in output and "\r" not in output


def test_a_long_line_is_translated_in_pieces_and_rejoined(echo, tokenizer):
    line = " ".join(TEXT * 3)
    result = list(echo(max_tokens=40).translate_stream(["Guten Morgen!", line, ""]))[1]
    assert result.text == line
    assert result.pieces > 3 and not result.cut
    assert result.pieces < len(tokenizer.encode_source([line])[0]) / 10  # pieces are packed


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_line_in_pieces_has_the_score_of_one_as_long(random_model, length_penalty):
    """Log-probability over the penalty, both over all pieces; greedy search finds the same pieces whatever the penalty."""
    whole, short = random_model.translate_stream([" ".join(TEXT), TEXT[0]], Options(beam=1, length_penalty=length_penalty))
    parts = [whole.source[begin:end] for begin, end in whole.spans]
    alone = list(random_model.translate_stream([*parts, TEXT[0]], Options(beam=1, length_penalty=0.0)))
    assert whole.pieces == len(parts) > 2 and short.pieces == 1
    for result, pieces in ((whole, alone[:-1]), (short, alone[-1:])):
        tokens = sum(piece.tokens_out + (not piece.cut) for piece in pieces)
        assert result.score == pytest.approx(sum(piece.score for piece in pieces) / ((5 + tokens) / 6) ** length_penalty, rel=1e-4)
    best = next(random_model.translate_stream([whole.source], Options(beam=4, n_best=4, length_penalty=length_penalty)))
    scores = [score for _, score in best.alternatives]
    assert scores == sorted(scores, reverse=True) and scores[0] == best.score


@pytest.mark.parametrize("line", ["x" * 300, "😀" * 50, "a " * 200, "Ja. " * 100, "  " + "Wort " * 100 + "\u2028"])
def test_no_kind_of_long_line_loses_a_character(echo, line):
    result = next(echo(max_tokens=20).translate_stream([line]))
    assert "".join(result.text.split()) == "".join(line.split())


def test_a_character_beyond_the_limit_is_cut_and_said_to_be(echo):
    result = next(echo(max_tokens=3).translate_stream(["𐎠"]))  # four bytes
    assert result.cut and result.pieces == 1


def test_an_output_is_limited_by_its_source_and_said_to_be_cut(tokenizer):
    class Endless(Echo):
        """Never an end, never twice the same token."""

        def step(self, last, state):
            logits = torch.zeros(len(last), self.vocabulary)
            logits[:, 10 + state.length] = 30.0
            return logits, EchoState(source=state.source, length=state.length + 1)

    model = Endless(tokenizer.target_size, 64)
    source = TEXT[1]
    length = len(tokenizer.encode_source([source])[0])
    for decoding, limit in [(DecodingConfig(beam=2, max_ratio=1.0, max_extra=3), length + 3), (DecodingConfig(beam=1, max_ratio=9.0), 64)]:
        result = next(Translator(TorchEngine(model, CPU), tokenizer, decoding).translate_stream([source]))
        assert result.cut and result.tokens_out == limit and not result.looped
    finished = next(Translator(TorchEngine(Echo(tokenizer.target_size, 64), CPU), tokenizer, DecodingConfig(beam=2)).translate_stream([source]))
    assert not finished.cut


@pytest.mark.parametrize("beam", [1, 3])
def test_a_loop_is_searched_again_without_repeats(tokenizer, beam):
    class Stuck(Echo):
        """Says `ab` for ever; the next best is to end."""

        def step(self, last, state):
            logits = torch.zeros(len(last), self.vocabulary)
            logits[:, 10 + state.length % 2] = 30.0
            logits[:, EOS] = 20.0
            return logits, EchoState(source=state.source, length=state.length + 1)

    translator = Translator(TorchEngine(Stuck(tokenizer.target_size, 64), CPU), tokenizer, DecodingConfig(beam=beam))
    looped, blank = translator.translate_stream([TEXT[1], ""])
    assert looped.looped and not looped.cut and looped.tokens_out == 4  # abab: aba and bab, and neither of them twice
    assert not blank.looped
    echoed = next(Translator(TorchEngine(Echo(tokenizer.target_size, 64), CPU), tokenizer, DecodingConfig(beam=beam)).translate_stream(["a a a a a"]))
    assert not echoed.looped  # as the source does


def test_neither_batches_nor_windows_nor_neighbours_change_a_translation(random_model):
    lines = [*random_lines(16), "", " ".join(TEXT)]
    expected = [next(random_model.translate_stream([line])) for line in lines]
    assert len({result.text for result in expected}) > 6
    for batch_tokens, window in [(1, 1000), (60, 7), (100_000, 1000)]:
        results = list(random_model.translate_stream(lines, Options(batch_tokens=batch_tokens), window))
        assert [result.text for result in results] == [result.text for result in expected]
        assert [result.score for result in results] == pytest.approx([result.score for result in expected], rel=1e-4)


def test_sampling_depends_on_seed_and_line_only(random_model):
    lines = [*random_lines(8), "Guten Morgen!", "Guten Morgen!"]

    def draw(**options):
        return [result.text for result in random_model.translate_stream(lines, Options(sample=True, temperature=1.5, **options))]

    assert draw(seed=3) == draw(seed=3, batch_tokens=1) == draw(seed=3, batch_tokens=100_000)
    assert draw(seed=3) != draw(seed=4)
    assert draw(seed=3)[-1] != draw(seed=3)[-2]  # equal lines are drawn each for itself
    three = list(random_model.translate_stream(lines, Options(sample=True, temperature=1.5, seed=3, n_best=3)))
    assert [result.text for result in three] == draw(seed=3)  # the first of three samples is the only one of one
    assert all(len({text for text, _ in result.alternatives}) > 1 for result in three)


def test_sampling_at_a_low_temperature_is_greedy(random_model):
    lines = random_lines(10)
    ids = [row for row in random_model.tokenizer.encode_source(lines) if len(row) <= random_model.max_tokens]

    def search(**options):
        found = random_model.engine.search(ids, [20] * len(ids), Options(**options).fill(random_model.decoding), list(range(len(ids))))
        return [hypotheses[0].ids for hypotheses in found]

    assert search(sample=True, temperature=1e-4) == search(beam=1) != search(sample=True)


def test_n_best(random_model):
    results = list(random_model.translate_stream([*TEXT, "", " ".join(TEXT)], Options(beam=4, n_best=4)))
    for result in results:
        assert len(result.alternatives) == 4
        assert result.alternatives[0] == (result.text, result.score)
        scores = [score for _, score in result.alternatives]
        assert scores == sorted(scores, reverse=True)
    assert results[-2].alternatives == [("", 0.0)] * 4
    assert len({text for text, _ in results[0].alternatives}) > 1


def test_training_mode_is_as_before(random_model):
    for mode in (True, False):
        random_model.engine.model.train(mode)
        random_model.translate(["Guten Morgen!"])
        assert random_model.engine.model.training is mode
        assert all(parameter.requires_grad for parameter in random_model.engine.model.parameters())


def test_reads_no_further_ahead_than_the_window(echo):
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield "Guten Morgen!"

    results = echo().translate_stream(endless(), window=10)
    for number in range(1, 100):
        assert next(results).text == "Guten Morgen!"
        assert read < number + 10


HUGE = 10**400


@pytest.mark.parametrize(
    "options, words",
    [
        ({"beam": 0}, "beam is 0: it must be at least 1"),
        ({"beam": 1001}, "beam is 1001: it must be at most 1,000"),
        ({"beam": 2.0}, "beam is 2.0: it must be a whole number"),
        ({"beam": True}, "beam is True: it must be a whole number"),
        ({"beam": "5"}, "beam is '5': it must be a whole number"),
        ({"beam": 2, "n_best": 3}, r"n_best \(3\) is more than beam \(2\)"),
        ({"n_best": None}, "n_best is None: it must be a whole number"),
        ({"length_penalty": -1.0}, "length_penalty is -1.0: it must be at least 0"),
        ({"length_penalty": float("nan")}, "length_penalty is nan: it must be at least 0"),
        ({"length_penalty": float("inf")}, "length_penalty is inf: it must be at most 3"),
        ({"length_penalty": 1000}, "length_penalty is 1000: it must be at most 3"),
        ({"length_penalty": 3.01}, "length_penalty is 3.01: it must be at most 3"),
        ({"length_penalty": HUGE}, "length_penalty is 1000.*: it must be at most 3"),
        ({"length_penalty": False}, "length_penalty is False: it must be a number"),
        ({"length_penalty": "1"}, "length_penalty is '1': it must be a number"),
        ({"length_penalty": 1j}, "length_penalty is 1j: it must be a number"),
        ({"batch_tokens": 0}, "batch_tokens is 0: it must be at least 1"),
        ({"batch_tokens": HUGE}, "batch_tokens is 1000.*: it must be at most 10,000,000"),
        ({"batch_tokens": float("inf")}, "batch_tokens is inf: it must be a whole number"),
        ({"sample": True, "n_best": 10**9}, "n_best is 1000000000: it must be at most 1,000"),
        ({"sample": True, "temperature": 0.0}, "temperature is 0.0: it must be at least 1e-06; for the likeliest token each time set top_k to 1"),
        ({"sample": True, "temperature": 1e-40}, "temperature is 1e-40: it must be at least 1e-06"),
        ({"sample": True, "temperature": float("inf")}, "temperature is inf: it must be at most 100"),
        ({"sample": True, "temperature": float("nan")}, "temperature is nan: it must be at least 1e-06"),
        ({"sample": True, "top_p": 0.0}, "top_p is 0: it must be more than 0"),
        ({"sample": True, "top_p": 1.1}, "top_p is 1.1: it must be at most 1"),
        ({"sample": True, "top_k": -1}, "top_k is -1: it must be at least 0"),
        ({"sample": True, "top_k": HUGE}, "top_k is 1000.*: it must be at most 1,000,000"),
        ({"sample": True, "seed": -1}, "seed is -1: it must be at least 0"),
        ({"sample": True, "seed": 2**63}, "seed is 9223372036854775808: it must be at most 9,223,372,036,854,775,807"),
        ({"sample": True, "seed": None}, "seed is None: it must be a whole number"),
        ({"sample": 1}, "sample is 1: it must be True or False"),
        ({"sample": "no"}, "sample is 'no': it must be True or False"),
        ({"sample": True, "beam": 4}, "beam is 4, but sampling does not use a beam: leave it out"),
        ({"temperature": 0.5}, "temperature is 0.5, but only sampling uses it: turn sampling or mbr on, or leave it out"),
        ({"temperature": float("nan")}, "temperature is nan, but only sampling uses it"),
        ({"top_k": 5}, "top_k is 5, but only sampling uses it"),
        ({"top_p": 0.9}, "top_p is 0.9, but only sampling uses it"),
        ({"seed": 7}, "seed is 7, but only sampling uses it"),
    ],
)
def test_impossible_options_name_the_value(echo, options, words):
    with pytest.raises(UserError, match=f"^{words}") as caught:
        echo().translate_stream(["a"], Options(**options))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_options_at_their_bounds_give_translations(random_model):
    lines = random_lines(3)
    for options in (
        Options(length_penalty=3), Options(length_penalty=0), Options(batch_tokens=10_000_000), Options(sample=True, temperature=100),
        Options(sample=True, seed=2**63 - 1, n_best=3), Options(sample=True, top_k=1_000_000),
    ):  # fmt: skip
        results = list(random_model.translate_stream(lines, options))
        assert len(results) == 3 and all(math.isfinite(result.score) for result in results)
    ids = random_model.tokenizer.encode_source(lines)

    def found(**options):
        searched = random_model.engine.search(ids, [20] * 3, Options(**options).fill(random_model.decoding), [5, 6, 7])
        return [hypotheses[0].ids for hypotheses in searched]

    for options in ({"temperature": 1e-6}, {"top_k": 1}, {"top_p": 1e-300}):
        assert found(sample=True, **options) == found(beam=1)


def test_the_limit_of_an_output_is_the_model_s_whatever_the_recipe_allows(echo):
    for decoding in ({"max_ratio": 1e308}, {"max_extra": 10**400}, {"max_ratio": 1e308, "max_extra": 10**400}):
        assert echo(max_tokens=50, **decoding).limit(20) == 50
    assert [echo(max_tokens=50, max_ratio=1.5, max_extra=3).limit(tokens) for tokens in (1, 2, 3, 40)] == [4, 6, 7, 50]
    assert echo(max_ratio=0.0, max_extra=1).limit(9) == 1


def test_numbers_of_numpy_are_numbers(random_model):
    numpy = pytest.importorskip("numpy")
    lines = random_lines(3)
    expected = random_model.translate(lines, beam=2, length_penalty=0.5, batch_tokens=50)
    assert random_model.translate(lines, beam=numpy.int64(2), length_penalty=numpy.float32(0.5), batch_tokens=numpy.uint8(50)) == expected
