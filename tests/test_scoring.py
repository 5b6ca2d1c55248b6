"""Scores against the sacrebleu library, values worked out by hand, and the warnings as tables."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
import sacrebleu

from translate.evaluation.score_warnings import warnings
from translate.evaluation.scoring import Score, corpus_bleu, score

HYPOTHESES = [
    "The cat sat on the mat, and it was happy.",
    "A man in a red shirt rides his bicycle down the street.",
    "It costs 3.50 euros!",
    "",
    "Two dogs are running through the deep snow .",
]
REFERENCES = [
    [
        "The cat sat on the mat and was happy.",
        "A man wearing a red shirt is riding a bike down the street.",
        "That costs 3.50 euros.",
        "Nobody came.",
        "Two dogs run through deep snow.",
    ],
    [
        "On the mat sat a cat; it was happy.",
        "A man in a red shirt rides his bike along the road.",
        "It is 3.50 euros!",
        "No one came.",
        "Two dogs are running through the snow.",
    ],
]


def bleu(hypotheses: list[str], *references: list[str]) -> float:
    return score(hypotheses, list(references), metrics=("bleu",))[0].value


# BLEU = 100 x brevity penalty x geometric mean of the 1- to 4-gram precisions; "exp" smoothing puts 1/2, 1/4, ... for zero matches.
BY_HAND = {
    "the same text": (["a b c d e"], ["a b c d e"], 100.0),
    "nothing in common": (["a b c d"], ["e f g h"], 0.0),
    # 4/5, 3/4, 2/3, 1/2: the product is 1/5
    "last word wrong": (["a b c d x"], ["a b c d e"], 100 * (1 / 5) ** 0.25),
    # all precisions 1, lengths 4 and 8
    "half the length": (["a b c d"], ["a b c d e f g h"], 100 * math.exp(1 - 8 / 4)),
    # 4/8, 3/7, 2/6, 1/5; too long is not penalised beyond precision
    "twice the length": (["a b c d e f g h"], ["a b c d"], 100 * (4 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** 0.25),
    # clipped: "the" matches twice of seven; then 0 of 6, 5, 4 smoothed to 1/2, 1/4, 1/8 of a match
    "repetition": (["the the the the the the the"], ["the cat is on the mat x"], 100 * (2 / 7 * 1 / 12 * 1 / 20 * 1 / 32) ** 0.25),
    # cased: "A" is not "a"
    "case counts": (["A b c d e"], ["a b c d e"], 100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25),
    # 13a splits the full stop off: 5 tokens on either side
    "punctuation is split off": (["a b c d."], ["a b c d ."], 100.0),
    # counts are pooled over the corpus: 6/7, 4/5, 2/3, 1/1
    "two sentences": (["a b c", "d e f g"], ["a b x", "d e f g"], 100 * (6 / 7 * 4 / 5 * 2 / 3 * 1) ** 0.25),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_bleu_worked_out_by_hand(case):
    hypotheses, references, expected = BY_HAND[case]
    assert bleu(hypotheses, references) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("references", [REFERENCES[:1], REFERENCES], ids=["one reference", "two references"])
def test_values_and_signatures_are_sacrebleus(references):
    own = score(HYPOTHESES, references)
    metrics = [sacrebleu.BLEU(), sacrebleu.CHRF(word_order=2), sacrebleu.TER()]
    for result, metric in zip(own, metrics, strict=True):
        truth = metric.corpus_score(HYPOTHESES, references)
        assert (result.name, result.value) == (truth.name, truth.score)
        assert result.signature == str(metric.get_signature())
        assert f"nrefs:{len(references)}|" in result.signature
        assert result.low is result.high is None
    assert [result.name for result in own] == ["BLEU", "chrF2++", "TER"]


def test_bleu_is_the_published_kind():
    assert f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}" == corpus_bleu(HYPOTHESES, REFERENCES[0])[1]


def test_intervals_are_sacrebleus():
    """Mean and half width as sacreBLEU writes them, and its signature with the number of samples and the seed."""
    own = score(HYPOTHESES, REFERENCES, bootstrap=200)
    for result, metric in zip(own, [sacrebleu.BLEU(), sacrebleu.CHRF(word_order=2), sacrebleu.TER()], strict=True):
        truth = metric.corpus_score(HYPOTHESES, REFERENCES, n_bootstrap=200).format(width=3, score_only=True)
        assert f"{result.value:.3f} (μ = {(result.low + result.high) / 2:.3f} ± {(result.high - result.low) / 2:.3f})" == truth
        assert result.signature == str(metric.get_signature())
        assert "bs:200|seed:12345" in result.signature
        assert type(result.low) is type(result.high) is float  # not numpy's, which json can't write


def test_an_interval_does_not_exceed_the_highest_score_possible():
    """All lines but one are perfect: sacreBLEU's formula, mean plus half width, gives 100.2 for chrF."""
    lines = [f"The cat number {number} sat down on the old mat." for number in range(40)]
    result = score([*lines[:-1], "Something else."], [lines], metrics=("chrf",), bootstrap=200)[0]
    truth = sacrebleu.CHRF(word_order=2).corpus_score([*lines[:-1], "Something else."], [lines], n_bootstrap=200)
    assert truth._mean + truth._ci > 100 == result.high
    assert result.low == pytest.approx(truth._mean - truth._ci)


def test_references_are_not_transposed():
    """Two texts, two references: transposed, the lists have the same shape, and another score comes out."""
    hypotheses = ["the small cat sleeps here", "we will come back tomorrow"]
    first = hypotheses
    second = ["a cat is asleep", "they never come"]
    assert bleu(hypotheses, first, second) == pytest.approx(100)  # each text is equal to one of its own references
    transposed = [list(pair) for pair in zip(first, second, strict=True)]
    assert bleu(hypotheses, *transposed) < 70


def test_more_references_can_only_help():
    assert bleu(HYPOTHESES, *REFERENCES) > bleu(HYPOTHESES, REFERENCES[0])


def test_corpus_bleu_is_the_first_score():
    result = score(HYPOTHESES, REFERENCES[:1], metrics=["bleu"])[0]
    assert corpus_bleu(HYPOTHESES, REFERENCES[0]) == (result.value, result.signature)


def test_metrics_come_in_the_order_asked_for():
    assert [result.name for result in score(HYPOTHESES, REFERENCES, metrics=["ter", "bleu"])] == ["TER", "BLEU"]


def test_nothing_is_lower_cased_for_bleu_and_chrf():
    upper = [text.upper() for text in HYPOTHESES]
    for metric in ("bleu", "chrf"):
        assert score(upper, REFERENCES, metrics=[metric])[0].value < score(HYPOTHESES, REFERENCES, metrics=[metric])[0].value / 2


def test_white_space_at_a_lines_end_changes_nothing():
    """The `sacrebleu` command strips it, the library doesn't; here it may stay."""
    padded = [f"{text} \t" for text in HYPOTHESES]
    assert score(padded, REFERENCES) == score(HYPOTHESES, REFERENCES)


@pytest.mark.parametrize(
    ("hypotheses", "references", "settings", "message"),
    [
        (["a", "b"], [["a"]], {}, "2 hypotheses, but 1 lines in reference 1"),
        (["a"], [["a"], ["b", "c"]], {}, "1 hypotheses, but 2 lines in reference 2"),
        ([], [[]], {}, "there are no hypotheses"),
        (["a"], [], {}, "at least one list of references"),
        (["a"], ["a"], {}, "list of reference lists"),  # sacreBLEU would take the letters for references
        ("a", [["a"]], {}, "a list of hypotheses"),
        (["a"], [["a"]], {"metrics": ["meteor"]}, "'meteor': choose from bleu, chrf, ter"),
        (["a"], [["a"]], {"bootstrap": -1}, r"bootstrap \(-1\) must be"),
        (["a"], [["a"]], {"bootstrap": 1}, r"bootstrap \(1\) must be"),
        (["a"], [["a"]], {"bootstrap": 10**9}, "at most 1,000,000; 1000 is usual"),
        (["a"], [["a"]], {"metrics": []}, "no metrics given"),
        (["a"], [["a"]], {"metrics": ["bleu", "ter", "bleu"]}, "bleu is given twice"),
        (["a"], [["a"]], {"tokenize": "moses"}, "unknown tokenizer 'moses': choose from 13a"),
    ],
)
def test_bad_input_is_refused(hypotheses, references, settings, message):
    with pytest.raises(ValueError, match=message):
        score(hypotheses, references, **settings)


def test_a_score_cannot_be_changed():
    with pytest.raises(AttributeError):
        Score("BLEU", 1.0, "nrefs:1").value = 100.0


# ---------------------------------------------------------------------------------------------------------------------------------------
# Warnings. Each row: the hypotheses, and a part of the one warning they give against GOOD.

GOOD = ["The man's dog, a big one, sleeps.", "I don't know.", "Is it 3.5 or 4?", "They're here; we aren't."]
SUSPICIOUS = {
    "space before punctuation": (["The man's dog , a big one , sleeps .", "I don't know .", "Is it 5?", "Here , here ."], "looks tokenised: a space"),
    "clitics apart": (["The man 's dog sleeps.", "I do n't know.", "Is it 3.5 or 5?", "They 're here."], "looks tokenised: endings"),
    "typographic apostrophe": (["The man ’s dog sleeps.", "I know.", "Is it 3.5 or 5?", "They ’re here."], "looks tokenised: endings"),
    "Moses hyphens": (["A well @-@ known man.", "I don't know.", "Is it 3.5 or 5?", "They're here."], "looks tokenised: hyphens as @-@ in 1 of 4"),
    "SentencePiece": (["The man's dog sleeps.", "▁I ▁don ' t ▁know.", "Is it 5?", "They're here."], "subword marks in 1 of 4 lines (first: line 2)"),
    "subword-nmt": (["The m@@ an sleeps.", "I don't kn@@ ow.", "Is it 5?", "They're here."], "subword marks in 2 of 4"),
    "subword-nmt at the end": (["The man sleeps.", "I don't kn@@", "Is it 5?", "They're here."], "subword marks in 1 of 4"),
    "WordPiece": (["The man sl ##eeps.", "I don't know.", "Is it 5?", "They're here."], "subword marks in 1 of 4"),
    "byte-level BPE": (["TheĠman sleeps.", "I don't know.", "Is it 5?", "They're here."], "subword marks in 1 of 4"),
    "old BPE": (["The</w> man sleeps.", "I don't know.", "Is it 5?", "They're here."], "subword marks in 1 of 4"),
    "quot": (["The man said: &quot;No.&quot;", "I don't know.", "Is it 5?", "They're here."], "HTML entities like &quot; in 1 of 4"),
    "apos": (["The man&apos;s dog.", "I don&apos;t know.", "Is it 5?", "They&apos;re here."], "HTML entities like &apos; in 3 of 4"),
    "amp": (["The man.", "Rock &amp; roll.", "Is it 5?", "They're here."], "HTML entities like &amp;"),
    "number": (["The man&#39;s dog.", "I know.", "Is it 5?", "They're here."], "HTML entities like &#39;"),
    "Moses bracket": (["The man &#91; him &#93;", "I know.", "Is it 5?", "They're here."], "HTML entities like &#91;"),
    "blank": (["The man's dog sleeps.", "", " \t", "They're here."], "hypothesis is blank in 2 of 4 lines (first: line 2) where a ref"),
    "the reference itself": (GOOD, "the hypothesis and the reference are the same in every line"),
    "lower-cased": (["the man's dog sleeps.", "i don't know.", "is it 3.5?", "they're here."], "has no capital letter"),
}
FINE = {
    "plain": ["The man's dog sleeps.", "I do not know.", "Is it 3.5 or 5?", "They are here."],
    "one slip": ["The man's dog , a big one, sleeps.", "I don't know.", "It is 3.5.", "They're here ."],
    "French marks": ["Est-ce vrai ?", "Oui ! Non ; enfin : si.", "Voilà, bien.", "Le « chien »."],
    "three dots": ["Well ... no", "And then ...", "So ... ?", "Hmm ... I see."],
    "decimals": ["It is .5 here", "About .25 or .5 of it", "Only .75", "A .45 pistol"],
    "quotes": ["He said 'so what'.", "Call it 'done'.", "The 'small' print.", "'s Gravenhage is a place."],
    "code and mail": ["Write me@@home", "# heading", "C## is no language", "a_b and x__y"],
    "ampersand": ["Rock & roll.", "AT&T; too.", "R&D;", "&c."],
    "Maltese": ["Ġanni mar id-dar.", "Il-ġurnata.", "Ġużeppi.", "Ħafna."],
    "lower case but for one": ["the man's dog sleeps.", "I don't know.", "is it 3.5?", "they're here."],
    "one right line": [GOOD[0], "I cannot say.", "Is it?", "They are here."],
}


@pytest.mark.parametrize("case", SUSPICIOUS)
def test_warns_of(case):
    hypotheses, part = SUSPICIOUS[case]
    found = warnings(hypotheses, [GOOD])
    assert len(found) == 1 and part in found[0] and "\n" not in found[0]


@pytest.mark.parametrize("case", FINE)
def test_keeps_quiet_on(case):
    assert warnings(FINE[case], [GOOD]) == []


@pytest.mark.parametrize("case", ["space before punctuation", "SentencePiece", "quot"])
def test_looks_at_each_reference_too(case):
    bad, _ = SUSPICIOUS[case]
    assert [text.split(" ")[:2] for text in warnings(FINE["plain"], [bad])] == [["the", "reference"]]
    assert [text.split(" ")[:2] for text in warnings(FINE["plain"], [GOOD, bad])] == [["reference", "2"]]


def test_a_blank_reference_suggests_that_the_inputs_are_swapped():
    found = warnings(FINE["plain"], [["The man's dog.", "", "Is it?", "They're here."]])
    assert found == ["the reference is blank in 1 of 4 lines (first: line 2) where the hypothesis is not; are hypothesis and reference swapped?"]


def test_a_line_that_is_blank_everywhere_is_nothing_to_warn_of():
    assert warnings(["The man's cat.", "", "Is it 5?", "Here."], [["The man's dog.", "", "Is it 4?", "They're here."]]) == []


def test_the_same_reference_twice():
    assert warnings(FINE["plain"], [GOOD, GOOD]) == ["reference 1 and reference 2 are the same in every line: the second adds nothing"]


def test_a_rare_double_at_is_genuine_but_sentencepieces_sign_never_is():
    texts = ["The man's dog sleeps."] * 200
    assert warnings([*texts, "Write to me@@ now."], [[*texts, "Write me."]]) == []
    assert len(warnings([*texts, "▁Write to me now."], [[*texts, "Write me."]])) == 1


def test_lower_cased_references_need_capitals_nowhere():
    lower = [text.lower() for text in FINE["plain"]]
    assert warnings(lower, [[text.lower() for text in GOOD]]) == []


@pytest.mark.skipif("TRANSLATE_DATA" not in os.environ, reason="TRANSLATE_DATA names no folder of real text")
@pytest.mark.parametrize("name", ["multi30k/test_2016_flickr", "newstest2012/test", "wmt23_deen/test", "tatoeba/dev"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_no_false_alarm_on_real_text(name, language):
    """Real text is the reference, the same with a few words changed the hypothesis; spoilt in each of the ways, it is found out."""
    texts = (Path(os.environ["TRANSLATE_DATA"]) / f"{name}.{language}").read_bytes().decode("utf-8").split("\n")[:-1]
    changed = [text.replace(" the ", " a ").replace(" die ", " der ") for text in texts]
    assert warnings(changed, [texts]) == []
    for spoil, part in (
        (lambda text: text.replace(".", " .").replace(",", " ,"), "looks tokenised"),
        (lambda text: "▁" + text.replace(" ", " ▁"), "subword marks"),
        (lambda text: text.replace("n", "&amp;"), "HTML entities"),
        (str.lower, "no capital letter"),
    ):
        assert [part in line for line in warnings([spoil(text) for text in changed], [texts])] == [True]


def test_intervals_of_a_tiny_weak_output():
    """Some resamples have no match at all; sacreBLEU alone ends in a TypeError here."""
    hypotheses, references = ["pppp", "qqq", "", "a b c d e f", "x"], ["a", "b", "c", "d d d d d", "e"]
    for result in score(hypotheses, [references], bootstrap=1000):
        assert result.low <= result.value + 1e-6 or result.name == "TER"
        assert isinstance(result.low, float) and isinstance(result.high, float)
