"""What a program may give as lines, and what it is told of an element that is not text."""

from __future__ import annotations

import enum
import os
import re
import threading

import pytest

from tests.conftest import one_line
from translate.cli.main import main
from translate.decoding import Options
from translate.errors import UserError
from translate.translation.translator import Translator
from translate.translation.windows import windows


@pytest.fixture(scope="module")
def translator(untrained):
    return Translator.load(untrained, "cpu", "fp32")


NOT_TEXT = [
    (None, "line 3 is None: it must be text"),
    (float("nan"), "line 3 is nan: it must be text"),
    (7, "line 3 is 7: it must be text"),
    (b"T\xfcr", "line 3 is b'T\\xfcr': it must be text; decode bytes first"),
    (["Guten Morgen!"], "line 3 is ['Guten Morgen!']: it must be text"),
    ({"de": "Hund"}, "line 3 is {'de': 'Hund'}: it must be text"),
    ("Hallo \ud83d!", "line 3 has a lone surrogate, U+D83D, at character 7: not valid Unicode; decode the text again"),
]


@pytest.mark.parametrize("element, message", NOT_TEXT)
def test_an_element_that_is_not_text_is_named(translator, element, message):
    lines = ["Der Hund schläft.", "", element, "Guten Morgen!"]
    for call in (translator.translate, lambda some: translator.translate_window(some, 0, Options().fill(translator.decoding))):
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            call(lines)
    with pytest.raises(UserError, match=message[:6].replace("3", "103")):
        translator.translate_window(lines, 100, Options().fill(translator.decoding))


@pytest.mark.parametrize("before, window", [(2, 1), (2, 2048), (2, 2), (300, 200)])
def test_a_stream_gives_all_before_it_and_then_names_it(translator, before, window):
    lines = ["Der Hund schläft.", "Guten Morgen!"] * (before // 2)
    results = translator.translate_stream(iter([*lines, None, "Die Katze läuft."]), Options(beam=1), window)
    expected = translator.translate(lines, beam=1)
    assert [next(results).text for _ in range(before)] == expected
    with pytest.raises(UserError, match=f"^line {before + 1} is None: it must be text$"):
        next(results)


def test_a_mistake_of_whoever_gives_the_lines_comes_in_its_place(translator):
    def lines():
        yield from ["Der Hund schläft."] * 5
        raise UserError("line 6 can't be read")

    results = translator.translate_stream(lines())
    assert len([next(results) for _ in range(5)]) == 5
    with pytest.raises(UserError, match="^line 6 can't be read$"):
        next(results)


def test_invalid_utf_8_behind_good_lines(tmp_path, capfd, untrained):
    """With --window nothing is read beforehand: what stands before the bad line is translated."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=["Der Hund schläft.\n".encode() * 3 + b"T\xfcr\n"])
    writer.start()
    assert main(["file", "-m", str(untrained), "--device", "cpu", "--precision", "fp32", "--window", "50", str(tmp_path / "pipe")]) == 2
    writer.join()
    captured = capfd.readouterr()
    assert captured.out.count("\n") == 3
    assert captured.err.startswith("translate: error: ") and "line 4: invalid UTF-8" in captured.err


class Word(str, enum.Enum):
    MORNING = "Guten Morgen!"


class Loud(str):
    def __str__(self):
        return "LOUD"


def test_any_iterable_of_any_kind_of_str(translator):
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    lines = ["Der Hund schläft.", "", "Guten Morgen!"]
    expected = translator.translate(lines)
    frame = pandas.DataFrame({"text": lines, "number": [1, 2, 3]}, index=["c", "a", "b"])
    for given in (
        tuple(lines), iter(lines), (line for line in lines), dict.fromkeys(lines).keys(), numpy.array(lines), numpy.array(lines, dtype=object),
        pandas.Series(lines), frame["text"], frame["text"].astype("string"),
    ):  # fmt: skip
        assert translator.translate(given) == expected
    assert translator.translate([Word.MORNING, Loud("Guten Morgen!"), numpy.str_("Guten Morgen!")]) == [expected[2]] * 3
    assert [type(result.source) for result in translator.translate_stream([Word.MORNING, Loud("a"), numpy.str_("b")])] == [str] * 3
    assert list(translator.translate_stream([])) == translator.translate(iter([])) == []
    with pytest.raises(UserError, match="^line 2 is (nan|None|<NA>): it must be text$"):
        translator.translate(pandas.Series(["Hund", None]))
    for table in (frame, numpy.array([lines, lines]), {"Hund": 1}):
        with pytest.raises(UserError, match="^lines is of type .*: give a list of lines, or one column"):
            translator.translate(table)


@pytest.mark.parametrize("given", ["Guten Morgen!", b"Guten Morgen!", None, 5])
def test_what_is_no_list_of_lines_is_refused_at_once(translator, given):
    for call in (translator.translate, translator.translate_stream, lambda lines: windows(lines, 5, 0)):
        if isinstance(given, str) and call == translator.translate:  # one line, see test_translator_interface.py
            continue
        with pytest.raises(UserError, match="give a list of lines") as caught:
            call(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("window", [0, -1, 2.5, True, "5", None])
def test_a_window_that_is_no_number_of_lines(translator, window):
    with pytest.raises(UserError, match="^window is .*: it must be a whole number, at least 1$"):
        translator.translate_stream(["a"], window=window)


def test_a_line_end_inside_an_element_is_a_space(translator, trained):
    """So that N elements are N lines of output, and an open file may be given as it is."""
    for one in (translator, Translator.load(trained, "cpu", "fp32")):
        lines = ["Der Hund schläft.", "Guten Morgen!"]
        assert one.translate([f"{line}\n" for line in lines]) == one.translate(lines)
        broken, whole = one.translate_stream(["Der Hund\nschläft.\r\nGuten Morgen!", "Der Hund schläft.  Guten Morgen!"])
        assert broken.text == whole.text and broken.pieces == whole.pieces == 2
        assert broken.source == "Der Hund\nschläft.\r\nGuten Morgen!" and broken.spans == ((0, 17), (19, 32))
    assert one.translate(["\n", "\r\n", " \n "]) == ["", "", "   "]


def test_the_command_line_never_gets_that_far(translate, tmp_path, capsys):
    """Lines of files are always text."""
    (tmp_path / "in").write_bytes(b"\xed\xa0\xbd\n")
    assert translate(tmp_path / "in") == 2
    one_line(capsys, "line 1: invalid UTF-8")


def test_windows_grow_from_the_first(translator, monkeypatch):
    """The first lines of a stream come early; a list that nobody watches is one window, where all second searches share their batches."""
    lines = ["Hund"] * 700
    assert [(first, len(some)) for first, some in windows(lines, 2048)] == [(0, 128), (128, 512), (640, 60)]
    assert [len(some) for _, some in windows(lines, 300)] == [128, 300, 272] and [len(some) for _, some in windows(lines, 2048, 640)] == [60]
    sizes = []
    monkeypatch.setattr(translator, "translate_window", lambda some, first, options: sizes.append(len(some)) or [])
    translator.translate(lines)
    translator.translate(lines, progress=lambda done, total: None)
    assert sizes == [700, 128, 512, 60]
