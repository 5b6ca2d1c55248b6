"""The phrasebook: hand-checked sentences, declension and conjugation tables written from a grammar book, and the splits."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from translate.phrasebook import SPLITS, VERSION, english_clause, german, german_clause, numbers, pairs
from translate.phrasebook.corpus import generate, vocabulary
from translate.phrasebook.lexicon import lexicon
from translate.phrasebook.meaning import Phrase, parse

TABLE = [line.split("\t") for line in (Path(__file__).parent / "phrasebook_pairs.tsv").read_text(encoding="utf-8").strip("\n").split("\n")[1:]]
ALL = {split: pairs(split) for split in SPLITS}


@pytest.mark.parametrize(("german_text", "english_text", "phenomenon", "meaning"), TABLE, ids=[f"{row[2]}: {row[0]}" for row in TABLE])
def test_hand_checked_pair(german_text: str, english_text: str, phenomenon: str, meaning: str) -> None:
    sentence = parse(meaning)
    assert (german_clause.sentence(sentence), english_clause.sentence(sentence)) == (german_text, english_text)


def test_the_table_has_a_row_for_each_phenomenon() -> None:
    assert len(TABLE) >= 80
    assert len({row[0] for row in TABLE}) == len(TABLE)
    named = " ".join(row[2] for row in TABLE)
    for phenomenon in (
        "nominative", "accusative", "dative", "genitive", "weak", "mixed", "strong", "pronoun", "strong verb", "perfect with haben",
        "perfect with sein", "preterite of sein", "preterite of haben", "preterite of können", "modal", "separable", "verb second", "dass",
        "weil", "wenn", "ob", "yes-no", "question", "nicht", "kein", "comparative", "superlative", "so ... wie", "compound", "number",
        "time of day", "date", "price", "Sie", "imperative", "weak noun", "reflexive", "relative", "infinitive",
    ):  # fmt: skip
        assert phenomenon in named, phenomenon


# Rows: nominative, accusative, dative, genitive; columns: masculine, feminine, neuter, plural. From the tables of a German grammar.
DECLENSION = {
    "der": """der gute Tisch|die gute Lampe|das gute Buch|die guten Bücher
              den guten Tisch|die gute Lampe|das gute Buch|die guten Bücher
              dem guten Tisch|der guten Lampe|dem guten Buch|den guten Büchern
              des guten Tisches|der guten Lampe|des guten Buches|der guten Bücher""",
    "dieser": """dieser gute Tisch|diese gute Lampe|dieses gute Buch|diese guten Bücher
              diesen guten Tisch|diese gute Lampe|dieses gute Buch|diese guten Bücher
              diesem guten Tisch|dieser guten Lampe|diesem guten Buch|diesen guten Büchern
              dieses guten Tisches|dieser guten Lampe|dieses guten Buches|dieser guten Bücher""",
    "mein": """mein guter Tisch|meine gute Lampe|mein gutes Buch|meine guten Bücher
              meinen guten Tisch|meine gute Lampe|mein gutes Buch|meine guten Bücher
              meinem guten Tisch|meiner guten Lampe|meinem guten Buch|meinen guten Büchern
              meines guten Tisches|meiner guten Lampe|meines guten Buches|meiner guten Bücher""",
    "euer": """euer guter Tisch|eure gute Lampe|euer gutes Buch|eure guten Bücher
              euren guten Tisch|eure gute Lampe|euer gutes Buch|eure guten Bücher
              eurem guten Tisch|eurer guten Lampe|eurem guten Buch|euren guten Büchern
              eures guten Tisches|eurer guten Lampe|eures guten Buches|eurer guten Bücher""",
    "0": """guter Tisch|gute Lampe|gutes Buch|gute Bücher
              guten Tisch|gute Lampe|gutes Buch|gute Bücher
              gutem Tisch|guter Lampe|gutem Buch|guten Büchern
              guten Tisches|guter Lampe|guten Buches|guter Bücher""",
}


@pytest.mark.parametrize("determiner", DECLENSION)
def test_declension_against_the_grammar_book(determiner: str) -> None:
    words = lexicon()
    columns = [
        Phrase(words.nouns[noun], determiner, plural, words.adjectives["gut"])
        for noun, plural in (("Tisch", False), ("Lampe", False), ("Buch", False), ("Buch", True))
    ]
    for case, row in zip(("nom", "acc", "dat", "gen"), DECLENSION[determiner].split("\n"), strict=True):
        assert [german.phrase(column, case) for column in columns] == row.strip().split("|"), case


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("Nachbar", "der Nachbar, den Nachbarn, dem Nachbarn, des Nachbarn, die Nachbarn, den Nachbarn"),
        ("Junge", "der Junge, den Jungen, dem Jungen, des Jungen, die Jungen, den Jungen"),
        ("Vater", "der Vater, den Vater, dem Vater, des Vaters, die Väter, den Vätern"),
        ("Auto", "das Auto, das Auto, dem Auto, des Autos, die Autos, den Autos"),
        ("Frau", "die Frau, die Frau, der Frau, der Frau, die Frauen, den Frauen"),
        ("Apfel", "der Apfel, den Apfel, dem Apfel, des Apfels, die Äpfel, den Äpfeln"),
    ],
)
def test_nouns(noun: str, forms: str) -> None:
    singular, plural = Phrase(lexicon().nouns[noun]), Phrase(lexicon().nouns[noun], plural=True)
    assert [german.phrase(singular, case) for case in ("nom", "acc", "dat", "gen")] == forms.split(", ")[:4]
    assert [german.phrase(plural, case) for case in ("nom", "dat")] == forms.split(", ")[4:]


def test_other_determiners() -> None:
    words = lexicon()
    bottle, milk = Phrase(words.nouns["Flasche"], "ein", content=Phrase(words.nouns["Milch"], "0")), Phrase(words.nouns["Milch"], "0")
    assert [german.phrase(bottle, "dat"), german.phrase(milk, "acc", True)] == ["einer Flasche Milch", "keine Milch"]
    expensive = Phrase(words.nouns["Mantel"], "ein", adjective=words.adjectives["teuer"])
    assert [german.phrase(expensive, case) for case in ("nom", "acc")] == ["ein teurer Mantel", "einen teuren Mantel"]
    assert german.phrase(expensive, "acc", True) == "keinen teuren Mantel"
    assert german.phrase(expensive._replace(degree=1), "acc") == "einen teureren Mantel"


# ich, du, er, wir, ihr, sie | he perfect
PARADIGMS = """
sein: bin bist ist sind seid sind | ist gewesen
haben: habe hast hat haben habt haben | hat gehabt
werden: werde wirst wird werden werdet werden | ist geworden
wissen: weiß weißt weiß wissen wisst wissen | hat gewusst
kaufen: kaufe kaufst kauft kaufen kauft kaufen | hat gekauft
arbeiten: arbeite arbeitest arbeitet arbeiten arbeitet arbeiten | hat gearbeitet
öffnen: öffne öffnest öffnet öffnen öffnet öffnen | hat geöffnet
reisen: reise reist reist reisen reist reisen | ist gereist
lesen: lese liest liest lesen lest lesen | hat gelesen
essen: esse isst isst essen esst essen | hat gegessen
nehmen: nehme nimmst nimmt nehmen nehmt nehmen | hat genommen
fahren: fahre fährst fährt fahren fahrt fahren | ist gefahren
laufen: laufe läufst läuft laufen lauft laufen | ist gelaufen
sprechen mit: spreche sprichst spricht sprechen sprecht sprechen | hat gesprochen
vergessen: vergesse vergisst vergisst vergessen vergesst vergessen | hat vergessen
helfen: helfe hilfst hilft helfen helft helfen | hat geholfen
einladen: lade lädst lädt laden ladet laden | hat eingeladen
anfangen: fange fängst fängt fangen fangt fangen | hat angefangen
füttern: füttere fütterst füttert füttern füttert füttern | hat gefüttert
gehen: gehe gehst geht gehen geht gehen | ist gegangen
""".strip().split("\n")


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_conjugation_against_the_grammar_book(paradigm: str) -> None:
    key, _, forms = paradigm.partition(": ")
    present, perfect = forms.split(" | ")
    verb = lexicon().verbs[key]
    assert [german.present(verb, person) for person in range(6)] == present.split(" ")
    assert f"{german.PRESENT[verb.auxiliary][2]} {verb.participle}" == perfect


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        ("sein", "war warst war waren wart waren"), ("haben", "hatte hattest hatte hatten hattet hatten"),
        ("können", "konnte konntest konnte konnten konntet konnten"), ("müssen", "musste musstest musste mussten musstet mussten"),
        ("dürfen", "durfte durftest durfte durften durftet durften"), ("wollen", "wollte wolltest wollte wollten wolltet wollten"),
    ],
)  # fmt: skip
def test_preterite(verb: str, forms: str) -> None:
    assert list(german.PRETERITE[verb]) == forms.split(" ")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (numbers.cardinal(21), ("einundzwanzig", "twenty-one")), (numbers.cardinal(67), ("siebenundsechzig", "sixty-seven")),
        (numbers.cardinal(30), ("dreißig", "thirty")), (numbers.clock(1, 0), ("ein Uhr", "one o'clock")),
        (numbers.clock(12, 30), ("halb eins", "half past twelve")),
        (numbers.clock(3, 25), ("fünf vor halb vier", "twenty-five past three")), (numbers.clock(11, 40), ("zwanzig vor zwölf", "twenty to twelve")),
        (numbers.clock(4, 10), ("zehn nach vier", "ten past four")), (numbers.day_in_words(1, 1), ("der erste Januar", "the first of January")),
        (numbers.day_in_words(7, 3), ("der siebte März", "the seventh of March")),
        (numbers.day_in_words(28, 2), ("der achtundzwanzigste Februar", "the twenty-eighth of February")),
        (numbers.day_in_figures(3, 10), ("am 3. Oktober", "on 3 October")), (numbers.price("1"), ("1 Euro", "1 euro")),
        (numbers.price("12.95"), ("12,95 Euro", "12.95 euros")),
    ],
)  # fmt: skip
def test_numbers(given: tuple[str, str], expected: tuple[str, str]) -> None:
    assert given == expected


def test_sizes_and_disjoint_splits() -> None:
    assert len(ALL["train"]) >= 30_000
    assert [len(ALL[split]) for split in ("validation", "test", "test_unseen")] == [500, 1000, 500]
    for side in (0, 1):
        texts = {split: {pair[side] for pair in ALL[split]} for split in SPLITS}
        for index, split in enumerate(SPLITS):
            for other in SPLITS[index + 1 :]:
                assert not texts[split] & texts[other], (side, split, other)
    assert len(set(ALL["train"])) == len(ALL["train"])
    everything = [pair for split in SPLITS for pair in ALL[split]]
    assert len({pair[0] for pair in everything}) == len(everything)  # one German sentence, one English


def test_unseen_combinations() -> None:
    splits = generate(1)
    trained = {combination for split in ("train", "validation", "test") for pair in splits[split] for combination in pair.combinations}
    words = vocabulary(splits["train"])
    for pair in splits["test_unseen"]:
        assert set(pair.combinations) - trained, pair
        assert vocabulary([pair]) <= words, pair


# Verbs whose objects are never their subjects, by the forms that occur.
SURFACE = {
    "essen": "esse isst essen esst gegessen", "trinken": "trinke trinkst trinkt trinken getrunken", "lesen": "lese liest lesen lest gelesen",
    "kaufen": "kaufe kaufst kauft kaufen gekauft", "waschen": "wasche wäschst wäscht waschen wascht gewaschen",
    "bestellen": "bestelle bestellst bestellt bestellen", "verkaufen": "verkaufe verkaufst verkauft verkaufen", "finden": "gefunden",
    "brauchen": "brauche brauchst braucht brauchen gebraucht", "bezahlen": "bezahle bezahlst bezahlt bezahlen",
}  # fmt: skip


def test_unseen_combinations_on_the_surface() -> None:
    """Read off the text alone: in no train sentence of one clause are the verb and the noun together."""
    unseen = {
        combination for pair in generate(1)["test_unseen"] for combination in pair.combinations if len(combination) == 2 and combination[0] in SURFACE
    }
    trained = {combination for pair in generate(1)["train"] for combination in pair.combinations}
    withheld = sorted(unseen - trained)
    assert len(withheld) >= 5
    for verb, name in withheld:
        noun = lexicon().nouns[name]
        nouns, verbs = {noun.german, noun.plural or noun.german, noun.plural + "n"}, set(SURFACE[verb].split())
        for text, _ in ALL["train"]:
            words = set(re.findall(r"[\w-]+", text))
            assert "," in text or not (words & nouns and words & verbs), text


@pytest.mark.parametrize("split", SPLITS)
def test_text_is_clean(split: str) -> None:
    for pair in ALL[split]:
        for text in pair:
            assert "  " not in text and text == text.strip(), text
            assert text[-1] in ".?!" and (text[0].isupper() or text[0].isdigit()), text
            assert not re.search(r"[^\w ,.?!:'-]|_", text), text
            assert 1 <= len(text.split()) <= 25, text


def test_commas_before_subordinate_clauses() -> None:
    for split in SPLITS:
        for text, _ in ALL[split]:
            assert not re.search(r"[^,] (dass|weil|ob|wenn|aber|deshalb|um \D* zu) ", text) or re.search(r" um (die|das|den) ", text), text


def test_indefinite_article() -> None:
    """a before a consonant, an before a vowel, by the sound of the words that occur."""
    for split in SPLITS:
        for _, text in ALL[split]:
            for article, word in re.findall(r"\b([Aa]n?) ([\w-]+)", text):
                vowel = word[0] in "aeiou" and word not in ("one",) or word == "hour"
                assert (article.lower() == "an") == vowel, text


def test_contractions_throughout() -> None:
    for split in SPLITS:
        for _, text in ALL[split]:
            assert not re.search(
                r"\b(do|does|did|is|are|was|were|can|could|should|will|would|have|has) not\b|\bI am\b|\b(he|she|it|we|they|you) will\b", text
            ), text
            assert not re.search(r"^(He|She|It|We|They|You) (is|are|will|would like)\b", text), text


def test_same_in_every_process() -> None:
    program = (
        "import hashlib; from translate.phrasebook import SPLITS, VERSION, pairs;"
        " print(hashlib.sha256(repr([pairs(split, 1) for split in SPLITS]).encode()).hexdigest())"
    )
    root = Path(__file__).parent.parent
    here = hashlib.sha256(repr([ALL[split] for split in SPLITS]).encode()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(root)}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=root, check=True)
    assert result.stdout.strip() == here


def test_version_is_raised_when_the_pairs_change() -> None:
    """Caches are kept by `VERSION`."""
    content = hashlib.sha256(repr([ALL[split] for split in SPLITS]).encode()).hexdigest()
    assert (VERSION, content) == (1, "e89ddbcf1139c061b04c16fa36336b244c552271b4e5abb06bf2dcbdd6df2825")


def test_another_seed_another_corpus() -> None:
    assert pairs("test", 1) == ALL["test"]
    assert pairs("test", 2) != ALL["test"]


def test_unknown_split_lists_the_splits() -> None:
    with pytest.raises(ValueError, match="no split 'dev': choose one of train, validation, test, test_unseen"):
        pairs("dev")
