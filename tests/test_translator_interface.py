"""`Translator` as a program uses it: strings or results, options by keyword, progress, closing."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
import pickle
import sys
import threading
import typing
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from translate.decoding import Options
from translate.errors import UserError
from translate.translation.pieces import Translation
from translate.translation.search_options import SearchOptions
from translate.translation.translator import Translator

LINES = ["Der Hund schläft.", "", "Guten Morgen!"]


@pytest.fixture(scope="module")
def translator(trained):
    with Translator.load(trained, "cpu", "fp32") as loaded:
        yield loaded


def test_strings_or_results(translator):
    results = translator.translate(LINES, scores=True, beam=2, n_best=2)
    assert (
        results == list(translator.translate_stream(LINES, beam=2, n_best=2)) == list(translator.translate_stream(LINES, Options(beam=2, n_best=2)))
    )
    assert all(isinstance(result, Translation) and len(result.alternatives) == 2 for result in results)
    assert translator.translate(LINES, beam=2) == [result.text for result in results]
    assert translator.translate(line for line in LINES) == translator.translate(tuple(LINES)) == translator.translate(LINES)
    assert translator.translate([]) == translator.translate([], scores=True) == []


def test_one_string_gives_one_result(translator):
    assert translator.translate("Der Hund schläft.") == translator.translate(["Der Hund schläft."])[0] != ""
    assert translator.translate("") == ""
    assert translator.translate("Guten Morgen!", scores=True) == translator.translate(["Guten Morgen!"], scores=True)[0]
    with pytest.raises(UserError, match="^lines is b'Guten': give a list|^lines is one string, b'Guten': give a list"):
        translator.translate(b"Guten")


def test_samples(translator):
    first, again, other = [
        [text for text, _ in translator.translate("Der Hund schläft.", scores=True, sample=True, n_best=8, temperature=3.0, seed=seed).alternatives]
        for seed in (1, 1, 2)
    ]
    assert first == again != other and len(set(first)) > 1


MISTAKES = [
    ({"n_best": 2}, UserError, "^n_best is 2, but only scores=True returns alternatives"),
    ({"beam": 1, "length_penalty": 0.5}, UserError, "^length_penalty has no effect with beam 1 unless scores are returned"),
    ({"sample": True, "length_penalty": 0.5}, UserError, "^length_penalty has no effect with sampling unless scores are returned"),
    ({"beam": 0}, UserError, "^beam is 0: it must be at least 1$"),
    ({"beam": 2, "n_best": 3, "scores": True}, UserError, r"^n_best \(3\) is more than beam \(2\)"),
    ({"seed": 4}, UserError, "^seed is 4, but only sampling uses it"),
    ({"beams": 2}, TypeError, r"^unknown option 'beams': did you mean beam\?$"),
    ({"device": "cpu"}, TypeError, "^unknown option 'device': choose from beam, length_penalty, batch_tokens, "),
    ({"progress": 3}, UserError, "^progress is 3: it must be True, or a function of two numbers$"),
]


@pytest.mark.parametrize("options, error, message", MISTAKES)
def test_an_option_that_is_wrong_unknown_or_without_effect(translator, options, error, message):
    with pytest.raises(error, match=message):
        translator.translate(LINES, **options)


def test_scores_make_the_length_penalty_matter(translator):
    short, long = (translator.translate("Der Hund schläft.", scores=True, beam=1, length_penalty=alpha) for alpha in (0.0, 1.0))
    assert short.text == long.text and short.score < long.score < 0


def test_a_stream_takes_the_options_in_one_of_two_ways(translator):
    with pytest.raises(TypeError, match="^options and beam, seed are both given"):
        translator.translate_stream(LINES, Options(), beam=2, seed=1)
    with pytest.raises(TypeError, match="^unknown option 'scores'"):
        translator.translate_stream(LINES, scores=True)


def test_the_keywords_are_the_options():
    hints, fields = typing.get_type_hints(SearchOptions), {field.name: field.type for field in dataclasses.fields(Options)}
    assert {name: str(hint).removeprefix("<class '").removesuffix("'>") for name, hint in hints.items()} == fields


def test_progress_as_a_bar_or_to_a_function(translator, capsys):
    told = []
    lines = LINES * 60
    expected = translator.translate(lines, beam=1)
    assert translator.translate(lines, beam=1, progress=lambda done, total: told.append((done, total))) == expected
    assert told == [(done, 180) for done in range(1, 181)]
    assert capsys.readouterr().err == ""
    assert translator.translate(lines, beam=1, progress=True) == expected
    captured = capsys.readouterr()
    assert "180/180" in captured.err and captured.out == ""


@pytest.mark.parametrize("fork", [False, pytest.param(True, marks=pytest.mark.skipif(sys.platform != "linux", reason="forks"))])
def test_closing_frees_threads_processes_and_the_model(trained, fork):
    lines = [f"Der Hund schläft {number}." for number in range(40)]
    translator = Translator.load(trained, "cpu", "fp32")
    translator.engine.at_once, translator.pool.forks = 2, 2 if fork else 0
    threads, processes = set(threading.enumerate()), set(multiprocessing.active_children())
    expected = translator.translate(lines, beam=1, batch_tokens=40)
    model = weakref.ref(translator.engine.model)
    assert len(set(threading.enumerate()) - threads) == 2
    assert len(set(multiprocessing.active_children()) - processes) == (2 if fork else 0)
    translator.close()
    assert not set(threading.enumerate()) - threads and not set(multiprocessing.active_children()) - processes
    gc.collect()
    assert model() is None
    for _ in range(2):
        with pytest.raises(UserError, match="^this translator is closed"):
            translator.translate(lines)
        translator.close()
    again = pickle.loads(pickle.dumps(translator))
    assert again.translate(lines, beam=1, batch_tokens=40) == expected


def test_a_block_closes_it_also_after_an_error(trained):
    with pytest.raises(ZeroDivisionError), Translator.load(trained, "cpu", "fp32") as translator:
        raise ZeroDivisionError
    with pytest.raises(UserError, match="closed"):
        translator.translate(LINES)


def test_a_stream_that_is_half_read_ends_where_the_translator_is_closed(trained):
    translator = Translator.load(trained, "cpu", "fp32")
    results = translator.translate_stream(iter(LINES * 2), window=2)
    assert next(results).number == 1
    translator.close()
    assert next(results).number == 2
    with pytest.raises(UserError, match="closed"):
        next(results)


def test_two_translators_at_once(trained, untrained):
    lines = [f"Der Hund schläft {number}." for number in range(60)]
    both = [Translator.load(folder, "cpu", "fp32") for folder in (trained, untrained)]
    expected = [one.translate(lines, beam=1) for one in both]
    assert expected[0] != expected[1]
    for one in both:
        one.engine.at_once = 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: one.translate(lines, beam=1, batch_tokens=60), both * 3))
    assert found == expected * 3
