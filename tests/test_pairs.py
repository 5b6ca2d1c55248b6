"""Brackets, quotation marks, emphasis and dashes: which belong together, and that a model that loses them gets them back around the right words."""

from __future__ import annotations

import re

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.echo_model import TEXT
from translate.config import DecodingConfig, TokenizerConfig
from translate.decoding import Hypothesis
from translate.profile import Profile
from translate.text.pairs import find_pairs, in_style, loses_pairs
from translate.text.protected import find_items
from translate.text.tracked import Tracked
from translate.text.words import word_spans
from translate.tokenizer import train_tokenizer
from translate.translation.alignment_heads import AlignmentHeads
from translate.translation.items import ways
from translate.translation.placing import place_items
from translate.translation.translator import Translator


def shown(text, brackets=True):
    return " ".join(f"{kind[0]}{text[begin:end]}" for kind, begin, end in find_pairs(text, find_items(text), brackets))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Ein **Mann** geht.", "o** c**"), ("_roten Hemd_ in __b__ x", "o_ c_ o__ c__"), ("~~a b~~ ==c d== ***e***", "o~~ c~~ o== c== o*** c***"),
        ("Er (in einem „roten“ Hemd) da", "o( o„ c“ c)"), ("Freund(in), (so) [so]", "o( c) o[ c]"), ("Die (Un)wetter (da)", "o( c)"),
        ("Schüler*innen und *gilt*", "o* c*"), ("a * b * c, 5 * 3", ""), ("Es ist 5'6\" und 3\".", ""), ("'Ja', sagt sie's", "o' c'"),
        ("»Haus«, “Yes”, „No“ ‚ja‘", "o» c« o“ c” o„ c“ o‚ c‘"), ('"Eins", "zwei"', 'o" c" o" c"'), ("(a [b) c", "o( c)"),
        ("Der Hund - ein kleiner – läuft", "d- d–"), ("Haupt- und Nebenfach, 3-5", ""), ("(Er kam.", "e("), ("Er ging.)", "e)"), ('"Ja', 'e"'),
        ("Siehe `f(x)` und {a} und https://a.example/(x)", ""), ("snake_case und _x_", "o_ c_"), ("", ""), ("****", ""), (":) (", ""),
    ],
)  # fmt: skip
def test_which_belong_together(text, expected):
    assert shown(text) == expected


def test_emphasis_alone():
    assert shown('Ein "**Mann**" (da) - ja', brackets=False) == "o** c**"


MARKS = st.lists(st.sampled_from(["a", "B b", " ", "(", ")", '"', "„", "“", "**", "*", "_", "~~", "==", " - ", "'", "{0}", ".", "["]), max_size=14)


@given(MARKS.map("".join))
def test_pairs_are_nested_and_outside_of_items(text):
    items, opened, end = find_items(text), [], 0
    found = find_pairs(text, items, True)
    for kind, begin, stop in found:
        assert end <= begin < stop and all(stop <= item.begin or item.end <= begin for item in items)
        end = stop
        if kind == "opening":
            opened.append(text[begin:stop])
        elif kind == "closing":
            assert opened.pop()
    assert not opened
    assert [item for item in found if text[item.begin] in "*_~="] == find_pairs(text, items, False)


@pytest.mark.parametrize(
    "source, output, lost",
    [
        ("Ein (kleiner) Hund", "A (small) dog", False), ("Ein (kleiner) Hund", "A (small dog", True), ("Ein (kleiner) Hund", "A small dog", True),
        ("Ein (kleiner) Hund", "A ((small) dog", True), ("Ein „Hund“ da", 'A "dog" there', False), ("Ein „Hund“ da", 'A "dog there', True),
        ("Der Hund – klein – läuft", "The dog, small, runs", False), ("Der Hund – klein – läuft", "The dog – small runs", True),
        ("Freund(in)", "friend", False), ("Ein Hund", "A (dog)", False), ("Peters 'Haus'", "Peter's house", True),
        ("(5) Siehe {a(1)}", "(5) See {a(1)}", False),
    ],
)  # fmt: skip
def test_what_is_lost(source, output, lost):
    assert loses_pairs(source, output, find_items(source), find_items(output)) == lost


def test_quotation_marks_of_the_target_language():
    assert [in_style(mark, True, "en") for mark in '„»‚("'] == ["“", "“", "‘", "(", '"']
    assert [in_style(mark, False, "de-DE") for mark in "”’»"] == ["“", "‘", "“"]
    assert in_style("«", False, "fr") == "«"


def link(source, output, pairs):
    places = [{text[begin:end]: (begin, end) for begin, end in word_spans(text)} for text in (source, output)]
    return [(places[0][one], places[1][other]) for one, other in (pair.split() for pair in pairs.split(", "))]


@pytest.mark.parametrize(
    "source, output, pairs, placed",
    [
        ("Ein Mann (in einem roten Hemd) geht.", "A man is walking in a red shirt.", "Mann man, in in, einem a, roten red, Hemd shirt, geht walking",
         "A man is walking (in a red shirt)."),
        ("Ein **kleiner Hund**, sagt er, läuft.", "A small dog runs, he says.", "kleiner small, Hund dog, sagt says, er he, läuft runs",
         "A **small dog** runs, he says."),
        # one link went astray
        ("Der (sehr alte Mann) geht in den Park.", "The very old man goes to the park now.", "sehr very, alte old, Mann now, geht goes, Park park",
         "The (very old) man goes to the park now."),
        ('Sie sagt "ja" und „nein“.', "She says no and yes.", "sagt says, ja yes, nein no, und and", "She says “no” and \"yes\"."),
        ("Die _*alte* Frau_ lacht.", "The old woman laughs.", "alte old, Frau woman, lacht laughs", "The _*old* woman_ laughs."),
        ("Er ist (gestern Abend) da.", "He is there.", "Er He, ist is, da there", "He (is there)."),
        ("Der Hund – ein Dackel – läuft.", "The dog, a dachshund, runs.", "Hund dog, Dackel dachshund, läuft runs", "The dog – a dachshund – runs."),
        ("(Er kam gestern.", "He came yesterday.", "Er He, kam came, gestern yesterday", "(He came yesterday."),
        ("Siehe (Bild {n}) hier.", "See picture here.", "Siehe See, Bild picture, hier here", "See (picture {n}) here."),
        ("<b>Hallo {name}</b>, da.", "Hello, there.", "Hallo Hello, da there", "<b>Hello {name}</b>, there."),
        ("<b><i>Hund</i></b> da", "there dog", "Hund dog, da there", "there <b><i>dog</i></b>"),
        ('Sie ("{a}") und **{b}** da', "She and there", "Sie She, und and, da there", 'She ("{a}") and **{b}** there'),
    ],
)  # fmt: skip
def test_where_they_come_back(source, output, pairs, placed):
    way = ways(source, Tracked.of(source), "de", "en", brackets=True)[0]
    assert place_items(output, link(way.text.text, output, pairs), way.taken, way.text.text) == placed


@given(MARKS.map("".join), st.lists(st.sampled_from(["A", "dog", ",", "runs", "."]), max_size=6).map(" ".join), st.randoms(use_true_random=False))
def test_none_is_lost_nor_doubled_and_all_stay_nested(source, output, chance):
    for way in ways(source, Tracked.of(source), "en", "fr", brackets=True):
        spans = word_spans(way.text.text), word_spans(output)
        links = [(one, chance.choice(spans[1])) for one in spans[0] if spans[1] and chance.random() < 0.6]
        placed = place_items(output, links, way.taken, way.text.text)
        wanted = "".join(item.text for item in way.taken)
        assert all(placed.count(mark) == wanted.count(mark) for mark in '()[]„“"*_~={0}')
        if all(item.role or item.kind == "dash" for item in way.taken) and way.text.text.count("(") + way.text.text.count("[") == 0:
            rest = re.sub(r"[^()\[\]]", "", placed)
            while rest != (rest := rest.replace("()", "").replace("[]", "")):
                pass
            assert not rest


class ForgetfulEngine:
    """Repeats each source without its brackets and quotation marks."""

    max_tokens, at_once, forkable, alignment = 200, 1, False, AlignmentHeads(0, (0,), 0)
    machine = {"device": "cpu", "precision": "fp32"}

    def __init__(self, tokenizer):
        self.tokenizer, self.searched = tokenizer, 0

    def search(self, sources, limits, options, seeds, no_repeat=0, align=False, required=None):
        self.searched += len(sources)
        results = []
        for ids in sources:
            kept = [place for place, number in enumerate(ids[:-1]) if self.tokenizer.decode([[number]])[0].strip() not in set('()"„“[]')]
            attention = numpy.eye(len(ids), dtype=numpy.float32)[kept]
            results.append([Hypothesis([ids[place] for place in kept], -1.0, -1.0, True, attention)])
        return results


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    lines = [*TEXT, 'Der ( Hund ) " und „ die “ Katze [ da ] { n }.']
    config = TokenizerConfig(vocabulary=330, normalization="identity")
    tokenizer = train_tokenizer([(line, line) for line in lines] * 2, config, tmp_path_factory.mktemp("tokenizer"))
    return Translator(ForgetfulEngine(tokenizer), tokenizer, DecodingConfig(beam=1), profile=Profile(), languages=("de", "de"))


@pytest.mark.parametrize(
    "line",
    [
        "Der Hund (die Katze) schläft.", 'Wir gehen "heute" ins Kino.', "(Wir gehen.) Guten Morgen!", "Was kostet [das Brot]?",
        '"Der Hund schläft. Die Katze läuft." Guten Morgen!', "Der **Hund** schläft.", "**Morgen:** Die Katze läuft.",
        "Das _Brot (es)_ kostet {n} Euro.",
    ],
)  # fmt: skip
def test_a_model_that_loses_them(translator, line):
    assert translator.translate(line) == line


def test_lines_without_them_are_searched_once(translator):
    before = translator.pool.engine.searched
    lines = ["Der Hund schläft.", "Die Katze (z. B.) läuft.", "Freund(in)", "Wir gehen - heute - ins Kino."]
    for number, line in enumerate(lines):
        translator.translate(line)
        assert translator.pool.engine.searched - before == number + 1 + (number > 0)  # once more for the second alone
