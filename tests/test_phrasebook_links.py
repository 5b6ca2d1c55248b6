"""Which words of the phrasebook's pairs belong together: by hand for some sentences, and what holds for all."""

from __future__ import annotations

import pytest

from translate.errors import UserError
from translate.phrasebook import aligned_pairs, pairs
from translate.phrasebook.gold import aligned
from translate.phrasebook.marking import early, late, marks_of
from translate.phrasebook.meaning import parse
from translate.text.words import word_spans


def words(text: str) -> list[str]:
    return [text[begin:end] for begin, end in word_spans(text)]


@pytest.mark.parametrize(
    ("meaning", "sure", "possible"),
    [
        (
            "ich; kaufen; object=ein neu Haus; time=gestern; past; front",
            "Gestern-Yesterday ich-I ein-a neues-new Haus-house gekauft-bought .-.",
            "habe-bought",
        ),
        ("er; anmachen; object=der Licht", "Er-He's macht-turning das-the Licht-light an-on .-.", "macht-He's an-turning macht-on an-He's"),
        ("ich; haben; object=0 Zeit; not", "Ich-I habe-have Zeit-time .-.", "keine-don't keine-any habe-don't"),
        ("der Film; gefallen; object=ich; not", "Der-the Film-film gefällt-like mir-I nicht-don't .-.", "gefällt-don't"),
        (
            "er; bleiben; place=Hause / weil / er; sein; is=krank",
            "Er-He's bleibt-staying zu-at Hause-home weil-because er-he's ist-he's krank-ill .-.",
            "bleibt-He's zu-home Hause-at",
        ),
        ("wir; warten auf; object=der Bus", "Wir-We're warten-waiting auf-for den-the Bus-bus .-.", "warten-We're warten-for"),
        ("ich; sein; is=alt; than=du; more", "Ich-I'm bin-I'm älter-older als-than du-you .-.", ""),
    ],
)
def test_by_hand(meaning, sure, possible):
    pair = aligned(parse(meaning))
    german, english = words(pair.german), words(pair.english)
    found = [{f"{german[i]}-{english[j]}" for i, j in links} for links in (pair.sure, pair.possible)]
    assert found[0] == set(sure.split()) and set(possible.split()) <= found[1]


@pytest.mark.parametrize("split", ["test", "test_unseen"])
def test_of_whole_splits(split):
    linked, texts = aligned_pairs(split), dict(pairs(split))
    assert 0.98 * len(texts) < len(linked) <= len(texts)  # all but the sayings
    unlinked = 0
    for pair in linked:
        assert texts[pair.german] == pair.english
        german, english = words(pair.german), words(pair.english)
        assert pair.sure <= pair.possible and all(i < len(german) and j < len(english) for i, j in pair.possible)
        assert (len(german) - 1, len(english) - 1) in pair.sure  # the mark at the end
        unlinked += len(german) - len({i for i, _ in pair.possible}) + len(english) - len({j for _, j in pair.possible})
        for i, word in enumerate(german):  # figures stand for themselves
            if word.replace(",", "").isdigit():
                assert {english[j] for k, j in pair.sure if k == i} == {word.replace(",", ".")}
    assert unlinked < 1.1 * len(linked)  # commas, most of them


def test_unknown_splits_are_refused():
    with pytest.raises(UserError, match="no split 'dev'"):
        aligned_pairs("dev")


def test_marks_leave_the_letters_that_inflection_looks_at():
    sign = "\ue005"
    assert late("das Haus e", sign) == f"da{sign}s Hau{sign}s e{sign}" and late("", sign) == ""
    assert early("turn ~on", sign) == f"t{sign}urn ~o{sign}n"
    assert marks_of(f"da{sign}s Hau\ue000s") == ("das Haus", [(5, 1), (0, 6)])
