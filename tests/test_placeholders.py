"""Symbols that stand for what is kept: put into a text and out of its translation, and taught by training pairs."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.config import CorpusConfig, DataConfig, TokenizerConfig
from translate.data.lexicon import Lexicon
from translate.data.placeholders import Placeholders, with_symbols
from translate.data.prepare import fingerprint_of, prepare
from translate.text.placeholders import SYMBOL, SYMBOLS, mask, unmask
from translate.text.protected import Item, find_items
from translate.text.tracked import Tracked
from translate.tokenizer import train_tokenizer

NOUNS = {"Hund": "dog", "Katze": "cat", "Haus": "house", "Baum": "tree", "Vogel": "bird", "Garten": "garden", "Fisch": "fish"}
VERBS = {"sieht": "sees", "findet": "finds", "malt": "paints", "sucht": "seeks"}
OTHERS = {"Nummer": "Number", "Seite": "Page", "Blatt": "Sheet", "heute": "today", "morgen": "tomorrow", "immer": "always"}


def corpus(size=400):
    """Made-up pairs with a dictionary of one word for each."""
    chance = random.Random(3)
    pairs = []
    for number in range(size):
        (one, first), (other, second) = chance.sample(list(NOUNS.items()), 2)
        verb, translated = chance.choice(list(VERBS.items()))
        part, day = chance.choice(list(OTHERS.items())[:3]), chance.choice(list(OTHERS.items())[3:])
        pairs.append((f"{part[0]} {number}: {day[0]} {verb} {one} {other}.", f"{part[1]} {number}: {first} {translated} {second} {day[1]}."))
    return pairs


@pytest.mark.parametrize(
    "text, masked, output, unmasked",
    [
        ("Hallo {name}, du hast {0} da.", "Hallo ⟦0⟧, du hast ⟦1⟧ da.", "Hello ⟦0⟧, you have ⟦1⟧ there.", "Hello {name}, you have {0} there."),
        ("Klicken auf <b>Speichern</b>.", "Klicken auf ⟦0⟧ Speichern ⟦1⟧.", "Click ⟦0⟧ Save ⟦1⟧.", "Click <b>Save</b>."),
        ("<b>{name}</b> ist da", "⟦0⟧ ist da", "⟦0⟧ is there", "<b>{name}</b> is there"), ("Welt🎉!", "Welt ⟦0⟧!", "world ⟦0⟧!", "world🎉!"),
        ("{n}s Haus", "⟦0⟧ s Haus", "⟦0⟧ 's house", "{n} 's house"), ("{n}px breit", "⟦0⟧ px breit", "⟦0⟧ px wide", "{n}px wide"),
        ("({0})", "(⟦0⟧)", "(⟦0⟧)", "({0})"), ("{0} {1}", "⟦0⟧ ⟦1⟧", "⟦1⟧ ⟦0⟧", "{1} {0}"), ("a {0}", "a ⟦0⟧", "a⟦0⟧b", "a {0} b"),
        ("{0}", "⟦0⟧", "⟦0⟧ and ⟦0⟧ ⟦7⟧.", "{0} and ."), ("", "", "⟦3⟧", ""), ("<b>a</b>", "⟦0⟧ a ⟦1⟧", "⟦0⟧ ⟦1⟧ a", "<b></b> a"),
    ],
)  # fmt: skip
def test_into_the_source_and_out_of_the_translation(text, masked, output, unmasked):
    found, kept = mask(Tracked.of(text), find_items(text))
    assert found.text == masked
    assert unmask(output, kept) == (unmasked, [])


def test_what_the_translation_lacks_is_told():
    _, kept = mask(Tracked.of("{a} und {b} oder {c}"), find_items("{a} und {b} oder {c}"))
    assert unmask("⟦1⟧ alone", kept) == ("{b} alone", [0, 2])


def test_numbers_are_put_back_as_the_target_writes_them():
    text = "Es sind 3,5 kg."
    masked, kept = mask(Tracked.of(text), [Item("numbers", 8, 11)], ["3.5"])
    assert (masked.text, unmask("It is ⟦0⟧ kg.", kept)) == ("Es sind ⟦0⟧ kg.", ("It is 3.5 kg.", []))


def test_more_items_than_symbols():
    text = " ".join(f"{{{number}}} und" for number in range(12))
    masked, kept = mask(Tracked.of(text), find_items(text))
    assert len(kept) == len(SYMBOLS) and "{10}" in masked.text
    assert unmask(masked.text, kept) == (text, [])


@given(st.lists(st.sampled_from(["Haus", " ", ".", "{0}", "<b>", "😀", "⟦0⟧", "a@example.org", "x", "("]), max_size=10).map("".join))
def test_a_text_comes_back_as_it_was(text):
    items = find_items(text)
    masked, kept = mask(Tracked.of(text), items)
    assert len(SYMBOL.findall(masked.text)) == len(kept)
    assert all(text[slice(*masked.span(match.start(), match.end()))] in item.text for match, item in zip(SYMBOL.finditer(masked.text), kept))
    if not re.search(r"[^\W_]\{0\}|\{0\}[^\W_]|[^\W_]a@|\)[^\W_]", text):  # a suffix may be one of the target's words
        assert unmask(masked.text, kept) == (text, [])


def test_words_that_belong_together_are_learnt():
    lexicon = Lexicon(corpus())
    source, target = "Nummer 7: heute sieht Hund Katze.", "Number 7: dog sees cat today."
    found = {source[a:b]: target[c:d] for (a, b), (c, d) in lexicon.links(source, target)}
    assert found == {"Nummer": "Number", "heute": "today", "sieht": "sees"}  # words of three letters are left out
    assert Lexicon([]).links(source, target) == Lexicon([("1", "2")]).links(source, target) == []


def test_symbols_stand_at_the_same_places_of_both_sides():
    pairs = corpus()
    teacher = Placeholders(1.0, pairs, len(pairs), "de", "en")
    sources, targets = teacher.apply(*zip(*pairs))
    dictionary = {german.casefold(): english for german, english in {**NOUNS, **VERBS, **OTHERS}.items()}
    changed = 0
    for (source, target), new_source, new_target in zip(pairs, sources, targets):
        symbols = SYMBOL.findall(new_source)
        assert sorted(symbols) == sorted(set(SYMBOL.findall(new_target))) and len(set(symbols)) == len(symbols)
        changed += bool(symbols)
        for symbol in symbols:  # in place of words that translate each other, or beside them
            words = [re.split(rf"\s*{symbol}\s*", text) for text in (new_source, new_target)]
            assert len(words[0]) == len(words[1]) == 2
        lost = [set(re.findall(r"[^\W\d_]+", old)) - set(re.findall(r"[^\W\d_]+", new)) for old, new in ((source, new_source), (target, new_target))]
        assert {dictionary[word.casefold()] for word in lost[0]} == lost[1]
    assert changed > 0.9 * len(pairs)


def test_the_share_and_the_seed():
    pairs = corpus(2000)
    taught = [Placeholders(0.25, pairs, len(pairs), "de", "en").apply(*zip(*pairs)) for _ in range(2)]
    assert taught[0] == taught[1]
    assert 400 < sum(bool(SYMBOL.search(source)) for source in taught[0][0]) < 600
    assert Placeholders(0.0, pairs, len(pairs), "de", "en").apply(*zip(*pairs)) == ([a for a, _ in pairs], [b for _, b in pairs])


def test_what_both_sides_have_alike_is_what_symbols_stand_for():
    teacher = Placeholders(1.0, [], 0, "de", "en")
    found = [teacher.teach("Siehe https://example.org/a heute.", "See https://example.org/a today.", random.Random(seed)) for seed in range(9)]
    assert all("https" not in source and "https" not in target for source, target in found)
    numbers = [teacher.teach("Es sind 3,5 oder 4.", "It is 3.5 or 5.", random.Random(seed)) for seed in range(20)]
    assert {("3,5" in source, "3.5" in target) for source, target in numbers} == {(True, True), (False, False)}
    assert all("4" in re.sub(SYMBOL, "", source) for source, _ in numbers)
    assert teacher.teach("⟦0⟧ da", "⟦0⟧ there", random.Random(0)) == ("⟦0⟧ da", "⟦0⟧ there")


@pytest.fixture
def data(tmp_path):
    for side, end in enumerate(("de", "en")):
        (tmp_path / f"text.{end}").write_text("".join(pair[side] + "\n" for pair in corpus()), encoding="utf-8")
    own = CorpusConfig(kind="text", source=str(tmp_path / "text.de"), target=str(tmp_path / "text.en"))
    return DataConfig(train=[own], cache=str(tmp_path / "cache"), placeholders=0.5)


def test_training_sets_have_symbols_that_the_tokenizer_never_splits(data, tmp_path):
    tokenizer = train_tokenizer(corpus(), with_symbols(TokenizerConfig(vocabulary=400), data), tmp_path / "run")
    assert tokenizer.symbol_ids(SYMBOLS) is not None
    prepared = prepare(data, tokenizer, lambda line: None)
    sources, targets = prepared.texts(range(len(prepared)))
    assert 0.35 < sum(bool(SYMBOL.search(source)) for source in sources) / len(prepared) < 0.6
    ids = set(tokenizer.symbol_ids(SYMBOLS))
    for text, row in zip(targets, prepared.ids(range(len(prepared)))[1]):
        assert sum(number in ids for number in row) == len(SYMBOL.findall(text))
    assert tokenizer.decode(prepared.ids([0])[1]) == targets[:1]
    fewer = DataConfig(train=data.train, cache=data.cache, placeholders=0.1)
    assert len({fingerprint_of(each, tokenizer) for each in (data, fewer, DataConfig(train=data.train, cache=data.cache))}) == 3


def test_a_tokenizer_without_the_symbols_teaches_nothing(data, tmp_path):
    tokenizer = train_tokenizer(corpus(), TokenizerConfig(vocabulary=400), tmp_path / "run")
    assert tokenizer.symbol_ids(SYMBOLS) is None
    lines = []
    prepared = prepare(data, tokenizer, lines.append)
    assert not any(SYMBOL.search(source) for source in prepared.texts(range(len(prepared)))[0])
    assert lines[0].startswith("data.placeholders (0.5) has no effect: the tokenizer has no pieces")
    assert fingerprint_of(data, tokenizer) == fingerprint_of(DataConfig(train=data.train, cache=data.cache), tokenizer)


def test_symbols_of_the_recipe_stay():
    chosen = with_symbols(TokenizerConfig(symbols=["<x>", "⟦3⟧"]), DataConfig(placeholders=0.1)).symbols
    assert chosen[:2] == ["<x>", "⟦3⟧"] and sorted(chosen[1:]) == sorted(SYMBOLS)
    assert with_symbols(TokenizerConfig(), DataConfig()).symbols == []
