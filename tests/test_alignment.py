"""From attention to linked words: places of tokens, words, and links that never cut a character, whatever the tokenizer cuts."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.config import TokenizerConfig
from translate.text import words as words_module
from translate.text.words import word_spans
from translate.tokenizer import EOS, train_tokenizer
from translate.translation.alignment import align_texts, likeness, links, shares, united
from translate.translation.translator import Translator

# each is one character for a reader, and stays one whatever stands beside it
CHARACTERS = [
    *"aZß9 .,!'-_„“…¿",
    "é",
    "e\u0301",
    "q\u0323\u0303",
    "漢",
    "한",
    "👩\u200d👩\u200d👧",
    "👍🏽",
    "🇩🇪",
    "1\ufe0f\u20e3",
    "\u00ad",
    "\t",
    "½",
    "ﬁ",
    "Ａ",
    "\u2028",
]
CORPUS = [
    "Ein Mann fährt Fahrrad.",
    "A man is riding a bike, isn't he?",
    "Die T-Shirts kosten 3,50 Euro.",
    "the shirts are 3.50 euros",
    "aaa ZZZ ßßß",
]
texts = st.lists(st.one_of(st.sampled_from(CHARACTERS), st.sampled_from([" ", "e", "n", "r"])), max_size=25).map("".join)


@pytest.fixture(scope="module", params=["bpe", "char", "identity", "separate"])
def tokenizer(request, tmp_path_factory):
    settings = {
        "bpe": {"vocabulary": 340}, "char": {"kind": "char", "vocabulary": 310},
        "identity": {"vocabulary": 340, "normalization": "identity"}, "separate": {"kind": "unigram", "vocabulary": 300, "joint": False},
    }  # fmt: skip
    pairs = [(line, line.upper()) for line in CORPUS for _ in range(4)]
    return train_tokenizer(pairs, TokenizerConfig(**settings[request.param]), tmp_path_factory.mktemp("tokenizer"))


def ends_of(text: str) -> set[int]:
    """Where a reader's characters end, from how `texts` is made: longest first, so that a part is not taken for the whole."""
    ends, place = {0}, 0
    while place < len(text):
        place += max((len(character) for character in CHARACTERS if text.startswith(character, place)), default=1)
        ends.add(place)
    return ends


@settings(max_examples=150, deadline=None)
@given(texts)
def test_words_are_whole_characters_in_order(text):
    spans = word_spans(text)
    ends = ends_of(text)
    assert all(begin < end and {begin, end} <= ends for begin, end in spans)
    assert all(left[1] <= right[0] for left, right in zip(spans, spans[1:]))
    inside = "".join(text[begin:end] for begin, end in spans)
    assert [c for c in text if not c.isspace() and c != "\u00ad"] == [c for c in inside if c != "\u00ad"] and not any(map(str.isspace, inside))


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FF), max_size=30))
def test_the_quick_expression_finds_what_the_whole_one_finds(text):
    assert [m.span() for m in words_module._PLAIN.finditer(text)] == [m.span() for m in words_module._ANY.finditer(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Die T-Shirts kosten 3,50 Euro – sagt's er?", ["Die", "T-Shirts", "kosten", "3,50", "Euro", "–", "sagt's", "er", "?"]),
        ("Don’t (go) z. B. 18:30", ["Don’t", "(", "go", ")", "z", ".", "B", ".", "18:30"]),
        ("a-, -b 1.000,5 1. 2", ["a", "-", ",", "-", "b", "1.000,5", "1", ".", "2"]),
        ("Zu\u00adcker\u200bdose\u200f!", ["Zu\u00adcker\u200bdose\u200f", "!"]),
        ("e\u0301te\u0301 👩\u200d👧👍🏽", ["e\u0301te\u0301", "👩\u200d👧", "👍🏽"]),
        (" \u200b \t", []),
    ],
)
def test_words(text, words):
    assert [text[begin:end] for begin, end in word_spans(text)] == words


@settings(max_examples=100, deadline=None)
@given(texts)
def test_places_of_tokens(tokenizer, text):
    """In order, within the text, of whole characters, and all of it but white space and what normalisation drops."""
    ids = tokenizer.encode_source([text])[0]
    [spans] = tokenizer.source_spans([text], [ids])
    assert len(spans) == len(ids) and spans[-1][0] == spans[-1][1]
    assert all(0 <= begin <= end <= len(text) for begin, end in spans)
    assert all(left[1] <= right[0] for left, right in zip(spans, spans[1:]))
    covered = {place for begin, end in spans for place in range(begin, end)}
    assert all(text[place].isspace() or text[place] in "\u00ad\u2028" or place in covered for place in range(len(text)))
    cut = [*ids[: len(ids) // 2], EOS]
    assert text.lstrip("\u00ad")[:1].isspace() or tokenizer.source_spans([text], [cut])[0][: len(ids) // 2] == spans[: len(ids) // 2]


@settings(max_examples=100, deadline=None)
@given(texts, st.lists(st.integers(4, 299), max_size=12))
def test_places_in_an_output(tokenizer, text, noise):
    """Of any ids, also bytes that are no characters. Without noise the pieces spell the text."""
    for ids in (noise, tokenizer.encode_target([text])[0][:-1]):
        output = tokenizer.decode([ids])[0]
        [spans] = tokenizer.output_spans([output], [ids])
        assert len(spans) == len(ids) and all(0 <= begin <= end <= len(output) for begin, end in spans)
        assert all(left[1] <= right[0] for left, right in zip(spans, spans[1:]))
        assert "".join(output[begin:end] for begin, end in spans).split() == output.split()


@settings(max_examples=100, deadline=None)
@given(texts, texts, st.integers(0, 2**32 - 1))
def test_links_are_pairs_of_words_in_order(tokenizer, source, target, seed):
    source_ids, target_ids = tokenizer.encode_source([source]), [tokenizer.encode_target([target])[0][:-1]]
    output = tokenizer.decode(target_ids)
    matrix = numpy.random.default_rng(seed).dirichlet([0.3] * len(source_ids[0]), len(target_ids[0])).astype(numpy.float32)
    [found] = align_texts(tokenizer, [source], source_ids, output, target_ids, [matrix])
    assert len(set(found)) == len(found) and found == sorted(found, key=lambda link: (link[1], link[0]))
    sources, outputs = word_spans(source), word_spans(output[0])
    for one, two in found:
        assert one in sources and two in outputs
        assert any(map(str.isalnum, source[slice(*one)])) == any(map(str.isalnum, output[0][slice(*two)]))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_links_do_not_depend_on_the_cuts(size):
    """Attention that is the same between words, in pieces of one, two, three characters, and of whole words."""
    source, output = "Gestern kaufte Anna zwei Bücher .", "Anna bought two books yesterday ."
    wanted = {("Gestern", "yesterday"), ("kaufte", "bought"), ("Anna", "Anna"), ("zwei", "two"), ("Bücher", "books"), (".", ".")}
    sides = [[(place, min(place + size, end)) for begin, end in word_spans(text) for place in range(begin, end, size)] for text in (source, output)]
    words = [[next(text[b:e] for b, e in word_spans(text) if b <= begin < e) for begin, _ in side] for text, side in zip((source, output), sides)]
    pieces = [numpy.array([words[0].count(word) for word in words[0]])]
    matrix = numpy.array([[0.8 if (one, two) in wanted else 0.04 for one in words[0]] for two in words[1]]) / pieces[0]
    matrix = numpy.column_stack([matrix, numpy.zeros(len(matrix))])  # the end mark
    found = links(source, output, [*sides[0], (len(source), len(source))], sides[1], matrix)
    assert {(source[slice(*one)], output[slice(*two)]) for one, two in found} == wanted


def test_a_token_over_two_words_counts_for_both_and_an_empty_one_for_the_next():
    assert shares([(0, 3), (3, 3), (3, 8), (9, 9)], [(0, 3), (4, 6), (6, 8)]).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 0]]


def test_equal_words_and_marks():
    factors = likeness(["Anna", "hat", "12", ",", "."], ["12", "anna", "!", "had"])
    assert (factors[0] > 1).tolist() == [False, False, True, False, False] and (factors[1] > 1).tolist() == [True, False, False, False, False]
    assert factors[2].tolist() == [0, 0, 0, 0, 1] and factors[3].tolist() == [1, 1, 1, 0, 0]


def test_the_two_readings_are_united():
    weights = numpy.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.0], [0.0, 0.4, 0.0], [0.001, 0.0, 0.0]])
    assert united(weights) == {(0, 0), (2, 1), (1, 1)}  # column 2 and row 3 take from nothing


@pytest.mark.parametrize("values", [("", "a"), ("a", ""), ("  ", "a"), ("", "")])
def test_texts_without_words_have_no_links(values):
    assert links(*values, [(0, 0)], [(0, 1)], numpy.ones((1, 1))) == []


def word_of(text: str) -> list[str]:
    return [text[begin:end] for begin, end in word_spans(text)]


def test_of_a_line_in_the_users_own_text(trained):
    """Links stay within a sentence, whatever stands between and inside."""
    translator = Translator.load(trained, "cpu", "fp32")
    sentences = ["Guten Mor\u00adgen!", "Der Hund  schläft.", "Die Katze läuft.", "Hund"]
    for gaps in (["", " ", "  ", " ", ""], ["\t", "\t", " ", "\t", " "]):
        line = gaps[0] + "".join(sentence + gap for sentence, gap in zip(sentences, gaps[1:]))
        result = translator.translate(line, scores=True, alignment=True)
        places, start, position = [], 0, 0
        for sentence in sentences:
            output = translator.translate(sentence)
            start, position = line.index(sentence, start), result.text.index(output, position)
            places.append(((start, start + len(sentence)), (position, position + len(output))))
            start, position = places[-1][0][1], places[-1][1][1]
        for (a, b), (c, d) in result.alignment:
            assert any(begin <= a < b <= end and first <= c < d <= last for (begin, end), (first, last) in places)
        assert len(result.alignment) > 4 and {result.source[a:b] for (a, b), _ in result.alignment} <= {*word_of(line)}
        assert all(0 <= a < b <= len(line) and 0 <= c < d <= len(result.text) for (a, b), (c, d) in result.alignment)
    assert translator.translate("", scores=True, alignment=True).alignment == () == translator.translate("12", scores=True, alignment=True).alignment
    assert translator.translate("Hund", scores=True).alignment is None
