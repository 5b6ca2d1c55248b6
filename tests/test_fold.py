"""What a tokenizer has never seen is written with what it has; everything else stays."""

from __future__ import annotations

import string

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.echo_model import TEXT, Echo
from translate.config import DecodingConfig, TokenizerConfig
from translate.text.fold import Folding
from translate.text.tracked import Tracked
from translate.tokenizer import train_tokenizer
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

LETTERS = string.ascii_letters + string.digits + "äöüß"


@pytest.mark.parametrize(
    "known, text, folded",
    [
        (".,'\"-/", "„Ja“ – ‚so‘ … »nein« geht’s?!", "\"Ja\" - 'so' ... \"nein\" geht's?!"),
        ("“”’—", '"Ja" - „nein“ it\'s –', "”Ja” - “nein“ it’s —"),  # a closing one may be the only one; what is known stays
        ("„“", '»Ja« "nein"', "“Ja„ “nein“"),
        ("/", "ﬁ ½ 5½ m² 10² Ⅷ Ａｂ １２", "fi 1/2 5 1/2 m2 10² VIII Ab 12"),  # numbers keep their value
        ("", "Café Łódź, Œuvre, Ærø, ẞ", "Cafe Lodz, Oeuvre, Aero, SS"),
        ("é", "Café É", "Café E"),
        ("", "Café https://é.example/ő?„a“ – naïve {é}", "Cafe https://é.example/ő?„a“ – naive {é}"),  # no words
        ("≠=", "a ≠ b", "a ≠ b"), ("=", "a ≠ b €", "a ≠ b €"), ("", "中 Привет 😀", "中 Привет 😀"),  # nothing stands for them
    ],
)  # fmt: skip
def test_fold(known, text, folded):
    assert Folding(LETTERS + known).fold(Tracked.of(text)).text == folded


def test_letters_that_the_vocabulary_lacks():
    assert Folding("abcdeinostu ").fold(Tracked.of("Bäß ÄB")).text == "baess aeb"


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aZßé„“»\"'’–-…½²1™ﬁÆ中 "), max_size=12) | st.text(max_size=12), st.sets(st.sampled_from([*LETTERS, *"„“\"'-/.é"])))
def test_known_characters_stay_and_places_are_kept(text, known):
    folding = Folding(known)
    tracked = folding.fold(Tracked.of(text))
    assert len(tracked.begins) == len(tracked.ends) == len(tracked.text)
    assert folding.fold(Tracked.of(tracked.text)).text == tracked.text
    for index, character in enumerate(tracked.text):
        source = text[tracked.begins[index] : tracked.ends[index]]
        assert character == source or (source not in known and (character in known or character == " "))


def test_the_characters_of_a_tokenizer(tmp_path):
    pairs = [("der Hund „bellt“ laut", "the dog barks (loudly)"), ("ein Zug kommt an", "a train arrives")] * 50
    config = TokenizerConfig(vocabulary=310, symbols=["⟦0⟧"], joint=False)
    known = train_tokenizer(pairs, config, tmp_path).source_characters()
    assert known == {*"".join(source for source, _ in pairs), *"⟦0⟧"} - {" "}


def test_in_a_translation(tmp_path):
    """The model gets what it knows, places are in the user's own text; tabs and wide gaps stand between sources."""
    tokenizer = train_tokenizer([(line, line) for line in TEXT], TokenizerConfig(vocabulary=340), tmp_path)
    model = Translator(TorchEngine(Echo(tokenizer.target_size, 64), torch.device("cpu")), tokenizer, DecodingConfig(beam=1))
    line = "Der Hund schläft.\tGutēn Mor\xadgen    Die Katze läuft.   Es regnet"
    [result] = model.translate([line], scores=True)
    assert result.text == "Der Hund schläft.\tGuten Morgen    Die Katze läuft.   Es regnet"
    assert [line[begin:end] for begin, end in result.spans] == ["Der Hund schläft.", "Gutēn Mor\xadgen", "Die Katze läuft.", "Es regnet"]
