"""Sentences in another language than the model's: found, copied and counted; the model's own language is left alone."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.echo_model import Echo
from translate.config import DecodingConfig, TokenizerConfig
from translate.errors import UserError
from translate.profile import Profile, read_profile
from translate.text.language import OTHER, TARGET, UNKNOWN, LanguageJudge, language_code, text_language
from translate.tokenizer import train_tokenizer
from translate.translation.torch_engine import TorchEngine
from translate.translation.translator import Translator

GERMAN = """Der Zug nach Hamburg fährt heute leider erst um halb neun.
Wir haben gestern im Garten drei alte Apfelbäume gefällt.
Trockenes Holz brennt gut.
Tom begrüßte Maria lächelnd.
Bitte klicken Sie auf „Save changes“, um fortzufahren.
Gestern sang die Band zum Schluss „All You Need Is Love“ und „Let It Be“.
Steven Spielberg dreht in New York mit Tom Hanks und Meryl Streep.
Bayern München gegen Manchester United
Johann Wolfgang von Goethe, Johann Sebastian Bach, Ludwig van Beethoven
Software-Update, Browser-Plugin, Login, Download
Siehe https://www.example.com/the/quick/brown/fox und /usr/share/doc/readme.
for_each(item, in_list) ist in util.h definiert.
LETZTE WARNUNG VOR DEM STURM
Mein Name ist Krause, k r a u s e, mit k.
Marcus Cornelius Maluginensis, Konsul 436 v. Chr.
Der Winkel αβ ist kleiner als γ.
Okay, super, danke""".split("\n")

ENGLISH = """The train to Hamburg unfortunately leaves at half past eight today.
We cut down three old apple trees in the garden yesterday.
Dry wood burns rather well.
I have an idea that she will come by later.
She said "Guten Morgen" to her neighbours every single day.
Choose a new password and click on the green button.
LAST WARNING BEFORE THE STORM""".split("\n")

OTHERS = """Le train pour Hambourg ne part malheureusement qu'à huit heures et demie.
Ayer cortamos tres manzanos viejos en el jardín de mi abuelo.
Ieri abbiamo tagliato tre vecchi meli nel giardino dei nonni.
Gisteren hebben wij in de tuin drie oude appelbomen omgehakt.
Ontem cortamos três macieiras velhas no jardim dos meus avós.
Wczoraj ścięliśmy w ogrodzie trzy stare jabłonie.
Dün bahçede üç yaşlı elma ağacı kestik ve çok yorulduk.
I går fällde vi tre gamla äppelträd i trädgården.
I går fældede vi tre gamle æbletræer i haven.
Včera jsme na zahradě pokáceli tři staré jabloně.
Eilen kaadoimme puutarhassa kolme vanhaa omenapuuta.
Tegnap kivágtunk három öreg almafát a kertben.
Ieri am tăiat trei meri bătrâni din grădina bunicilor.
Вчера мы спилили в саду три старые яблони.
Доброе утро
Χθες κόψαμε τρεις παλιές μηλιές στον κήπο.
昨天我们在花园里砍了三棵老苹果树。
昨日、庭の古いりんごの木を三本切りました。
어제 우리는 정원에서 오래된 사과나무 세 그루를 베었다.
قطعنا أمس ثلاث أشجار تفاح قديمة في الحديقة.""".split("\n")


@pytest.fixture(scope="module")
def from_german():
    return LanguageJudge("de", "en")


@pytest.mark.parametrize("text", [*GERMAN, "", "?", "12:30", "Hi", "Thank you", "x = y + z", "http://a.b/c d@e.f {name} %s"])
def test_the_source_language_and_what_is_uncertain(from_german, text):
    assert from_german.foreign(text) == ""


@pytest.mark.parametrize("text", ENGLISH)
def test_the_target_language(from_german, text):
    assert from_german.foreign(text) == TARGET


@pytest.mark.parametrize("text", OTHERS)
def test_other_languages(from_german, text):
    assert from_german.foreign(text) == OTHER


@given(st.text(max_size=60))
def test_any_text_has_an_answer(text):
    why = LanguageJudge("de", "en").foreign(text)
    assert why in ("", TARGET, OTHER)
    if not any(map(str.isalpha, text)):
        assert why == ""


def test_a_page_in_one_line_takes_no_longer_than_its_beginning(from_german):
    assert from_german.foreign(f"{OTHERS[0]} " * 20_000) == OTHER


def test_the_other_direction():
    judge = LanguageJudge("en", "de")
    assert [judge.foreign(text) for text in ENGLISH] == [""] * len(ENGLISH)
    assert [judge.foreign(text) for text in GERMAN[:3]] == [TARGET] * 3
    assert [judge.foreign(text) for text in OTHERS] == [OTHER] * len(OTHERS)


def test_a_language_whose_common_words_are_not_listed():
    judge = LanguageJudge("fr", "en")
    assert [judge.foreign(text) for text in (OTHERS[0], ENGLISH[0], GERMAN[0])] == ["", TARGET, OTHER]


@pytest.mark.parametrize(
    "name, code", [("de", "de"), ("de_DE", "de"), ("EN-us", "en"), ("nb", "no"), ("oc", "oc"), ("klingon", UNKNOWN), ("", UNKNOWN)]
)
def test_codes(name, code):
    assert language_code(name) == code


def test_the_language_of_a_corpus():
    english, french = ENGLISH * 5, [OTHERS[0]] * 30
    assert text_language(english, "en") == "en"
    assert text_language(english, "de") == "en"  # a default that nobody changed
    assert text_language(french, "de") == "fr"
    assert text_language(english[:20] + french[:20], "de") == UNKNOWN
    assert text_language(["SELECT name FROM t WHERE x = 1;", "a1 b2 c3"], "de") == UNKNOWN
    assert text_language([], "de") == UNKNOWN


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    lines = [*GERMAN, *ENGLISH, *OTHERS]
    config = TokenizerConfig(vocabulary=600, normalization="identity")
    return train_tokenizer([(line, line) for line in lines], config, tmp_path_factory.mktemp("tokenizer"))


def translator(tokenizer, profile=None, languages=("de", "en")):
    """Its model repeats what it gets, so `passed` alone says what that was."""
    engine = TorchEngine(Echo(tokenizer.target_size, 100), torch.device("cpu"))
    return Translator(engine, tokenizer, DecodingConfig(beam=1), profile=profile, languages=languages)


def reasons(translator, lines, **options):
    return [[why for _, _, why in result.passed] for result in translator.translate(lines, scores=True, **options)]


PROFILE = Profile(source_language="de", target_language="en")


def test_foreign_sentences_are_copied_whole(tokenizer):
    line = f"  {GERMAN[0]}  {ENGLISH[0]}\t{OTHERS[0]} "
    model = translator(tokenizer, PROFILE)
    result = model.translate(line, scores=True)
    assert result.text == line
    assert [(line[begin:end], why) for begin, end, why in result.passed] == [(ENGLISH[0], TARGET), (OTHERS[0], OTHER)]
    assert result.pieces == 1


def test_short_sentences_follow_the_others_of_their_line(tokenizer):
    model = translator(tokenizer, PROFILE)
    assert reasons(model, [f"Thank you! {ENGLISH[0]} See you soon."]) == [[TARGET, TARGET, TARGET]]
    assert reasons(model, [f"Merci beaucoup. {OTHERS[0]}"]) == [[OTHER, OTHER]]
    assert reasons(model, ["Thank you! Good luck.", *(f"{own} {ENGLISH[0]}" for own in ("Guten Morgen.", "Kein Problem!", GERMAN[0]))]) == [
        [], [TARGET], [TARGET], [TARGET],
    ]  # fmt: skip


def test_nothing_in_a_foreign_sentence_changes(tokenizer):
    line = "It costs 1.234,50 Euro, she wrote to all of us in a rather long e\u0301mail."  # neither its numbers nor its accents
    assert translator(tokenizer, PROFILE).translate(line) == line


def test_foreign_translate(tokenizer):
    model = translator(tokenizer, PROFILE)
    assert reasons(model, [ENGLISH[0], OTHERS[0], "12"], foreign="translate") == [[], [], ["no letters"]]
    assert reasons(model, [ENGLISH[0], OTHERS[0], "12"], foreign="copy") == [[TARGET], [OTHER], ["no letters"]]
    with pytest.raises(UserError, match="foreign is 'keep': choose copy or translate"):
        model.translate("x", foreign="keep")


def test_the_profile_knows_better_than_the_configuration(tokenizer):
    lines = [GERMAN[0], ENGLISH[0], OTHERS[0]]
    assert reasons(translator(tokenizer, Profile(source_language="fr", target_language="de")), lines) == [[TARGET], [OTHER], []]
    for unclear in (Profile(source_language=UNKNOWN, target_language="en"), Profile(source_language="en", target_language="en")):
        assert reasons(translator(tokenizer, unclear), lines) == [[], [], []]


def test_without_a_profile_the_vocabulary_has_to_know_the_language(tmp_path):
    """The configuration says German, but perhaps only because that is the default."""
    words = sorted(LanguageJudge("de", "en").own)
    for name, lines, expected in (("german", words, [[OTHER], []]), ("french", OTHERS[0].split(), [[], []])):
        (tmp_path / name).mkdir()
        pairs = [(line, line) for line in lines * 9]
        vocabulary = train_tokenizer(pairs, TokenizerConfig(vocabulary=310 if name == "french" else 900), tmp_path / name)
        assert reasons(translator(vocabulary), [OTHERS[1], GERMAN[0]]) == expected


@pytest.mark.parametrize("code", ["DE", "deutsch", "d", "../", 3, None])
def test_a_code_that_training_cannot_have_written(code):
    with pytest.raises(UserError, match="the profile in x is damaged: source_language"):
        read_profile({"source_language": code}, "x")


def test_training_finds_the_languages(bundle):
    from translate.bundle.bundle import load_bundle

    profile = load_bundle(bundle).profile
    assert (profile.source_language, profile.target_language) == ("de", "en")


def test_on_the_command_line(bundle, translate, tmp_path, capsys):
    source = tmp_path / "source.de"
    source.write_text(f"{GERMAN[0]}\n{ENGLISH[0]}\n{OTHERS[0]}\n", encoding="utf-8")
    assert translate(source, "--beam", "1", "--report", tmp_path / "report", model=bundle) == 0
    captured = capsys.readouterr()
    assert captured.out.split("\n")[1:3] == [ENGLISH[0], OTHERS[0]]
    assert "1 target language" in captured.err and "1 other language" in captured.err
    report = [json.loads(line) for line in (tmp_path / "report").read_text(encoding="utf-8").splitlines()]
    assert [line["status"] for line in report][1:] == ["passed", "passed"]
    assert report[1]["passed"] == [[0, len(ENGLISH[0]), TARGET]]
    source.write_text(f"{GERMAN[0]} {ENGLISH[0]}\n", encoding="utf-8")
    assert translate(source, "--beam", "1", model=bundle) == 0
    assert "1 line (1): 1 target language" in capsys.readouterr().err  # a part of a line counts too, with a report or without
    source.write_text(f"{GERMAN[0]}\n{ENGLISH[0]}\n{OTHERS[0]}\n", encoding="utf-8")
    assert translate(source, "--beam", "1", "--foreign", "translate", model=bundle) == 0
    captured = capsys.readouterr()
    assert captured.out.split("\n")[1:3] != [ENGLISH[0], OTHERS[0]] and "language" not in captured.err


def findings(folder, sources, targets, languages):
    from translate.checks.data_checks import check_data
    from translate.config import Config, CorpusConfig, DataConfig

    (folder / "a").write_text("".join(line + "\n" for line in sources), encoding="utf-8")
    (folder / "b").write_text("".join(line + "\n" for line in targets), encoding="utf-8")
    corpus = CorpusConfig("text", source=str(folder / "a"), target=str(folder / "b"))
    data = DataConfig(train=[corpus], cache=str(folder / "cache"), source_language=languages[0], target_language=languages[1])
    return [finding.line() for finding in check_data(Config(data=data)) if "language" in finding.line() or "looks like" in finding.line()]


def test_check_knows_every_language(tmp_path):
    french, spanish = OTHERS[:1] * 30, OTHERS[1:2] * 30
    assert findings(tmp_path, french, spanish, ("fr", "es")) == []
    swapped = findings(tmp_path, french, spanish, ("es", "fr"))
    assert len(swapped) == 2 and all(line.startswith("error") and "swap source and target" in line for line in swapped)
    (wrong,) = findings(tmp_path, french, spanish, ("it", "es"))
    assert wrong.startswith("warning") and "the source side looks like fr, not it: set data.source_language" in wrong


def test_check_finds_single_lines_in_another_language(tmp_path):
    german, english = GERMAN[:2] * 25, ENGLISH[:2] * 25
    assert findings(tmp_path, german, english, ("de", "en")) == []
    german[7] = english[7]
    (finding,) = findings(tmp_path, german, english, ("de", "en"))
    assert finding.startswith("warning") and "1 of 50 lines of the source side are in another language (first: line 8)" in finding
