"""Single words in capitals reach the model in normal case, and come back in capitals where their translation is known."""

from __future__ import annotations

import pytest

from tests.test_real_text import EchoEngine
from translate.config import DecodingConfig, TokenizerConfig
from translate.profile import Profile
from translate.text.tracked import Tracked
from translate.text.words import word_spans
from translate.tokenizer import train_tokenizer
from translate.translation.emphasis import emphasise, keep_acronyms
from translate.translation.translator import Translator

LINES = ["Das ist nicht gut, Herr Weiß.", "Der Hund schläft, die Katze läuft.", "Das ist sehr wichtig!"]


def link(source, output, pairs):
    places = [{text[begin:end]: (begin, end) for begin, end in word_spans(text)} for text in (source, output)]
    return [(places[0][one], places[1][other]) for one, other in (pair.split() for pair in pairs.split(", "))]


@pytest.mark.parametrize(
    "line, given, output, pairs, expected",
    [
        ("Das ist NICHT gut.", "Das ist nicht gut.", "That is not good.", "Das That, ist is, nicht not, gut good", "That is NOT good."),
        ("Der HUND schläft.", "Der Hund schläft.", "The dog sleeps.", "Der The, Hund dog, schläft sleeps", "The DOG sleeps."),
        ("Sie SPIELEN da.", "Sie spielen da.", "They are playing there.",
         "Sie They, spielen are, spielen playing, da there", "They ARE PLAYING there."),
        # the words don't stand together; one has another source, too; nothing is linked
        ("Er FÄNGT an.", "Er fängt an.", "He can now begin.", "Er He, fängt can, fängt begin", "He can now begin."),
        ("Eine FRAU da.", "Eine Frau da.", "A woman there.", "Eine A, Frau A, Frau woman, da there", "A WOMAN there."),
        ("Er ist SEHR gut.", "Er ist sehr gut.", "He is good.", "Er He, ist is, gut good", "He is good."),
        ("Die NATO tagt.", "Die NATO tagt.", "The alliance meets.", "Die The, NATO alliance, tagt meets", "The alliance meets."),
        ("Das ist die STRASSE.", "Das ist die Straße.", "It is the Weiß.", "ist is, Straße Weiß", "It is the WEISS."),
    ],
)  # fmt: skip
def test_what_gets_capitals(line, given, output, pairs, expected):
    words = zip(word_spans(line), word_spans(given))
    text = Tracked.of(line).replace([(*one, given[slice(*other)]) for one, other in words if line[slice(*one)] != given[slice(*other)]])
    assert emphasise(line, text, output, link(given, output, pairs)) == expected


@pytest.mark.parametrize(
    "source, output, expected",
    [
        ("Die NATO tagt.", "The Nato meets.", "The NATO meets."), ("Die NATO tagt.", "The NATO meets, nato.", "The NATO meets, nato."),
        ("Die WHO tagt, wer", "The man who meets", "The man who meets"), ("Die EU", "The eu", "The eu"),
        ("Die NASA", "Nasa and nasa", "Nasa and nasa"),        ("Das T-Shirt", "The T-shirt", "The T-shirt"),
    ],
)  # fmt: skip
def test_abbreviations_keep_their_capitals(source, output, expected):
    assert keep_acronyms(source, output) == expected


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    lines = [*LINES, " ".join("ABCDEFGHIJKLMNOPQRSTUVWXYZÄ"), "Die NATO und z. B. 1 2 3"]
    config = TokenizerConfig(vocabulary=400, normalization="identity")
    tokenizer = train_tokenizer([(line, line.lower()) for line in lines] * 2, config, tmp_path_factory.mktemp("tokenizer"))
    profile = Profile(cases={"hund": "Hund", "katze": "Katze", "nato": "NATO"})
    return Translator(EchoEngine(), tokenizer, DecodingConfig(beam=1), profile=profile, languages=("de", "en"))


@pytest.mark.parametrize(
    "line",
    ["Das ist NICHT gut.", "Der HUND schläft, die KATZE läuft.", "Das ist SEHR wichtig!", "Die NATO ist NICHT gut.", "Der  HUND   schläft  nicht."],
)
def test_through_a_model(translator, line):
    result = translator.translate(line, scores=True)
    assert result.text == line
    (piece,) = translator.planner.make_pieces(translator.planner.plan([line], 0, "sentence", "copy"), "sentence")
    assert not [word for word in ("NICHT", "HUND", "KATZE", "SEHR") if word in piece.text.text]
