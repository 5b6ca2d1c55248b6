"""One field of each record is replaced and every other byte stays: judged by Python's own csv and json."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.errors import UserError
from translate.text.records import CsvColumn, JsonKey, find_separator, split_field


def with_ends(text):
    return io.StringIO(text, newline="\n").readlines()  # ends lines at \n only


def replaced(reader, text, translate=str.upper):
    return "".join(line.filled([translate(part) for part in line.texts]) for line in reader.parse(with_ends(text)))


def rows(text, separator):
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


CELL = st.text(st.sampled_from("aä 1.\"',;|x\u2028"), max_size=8)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    data=st.data(), separator=st.sampled_from(",;|"), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), end=st.sampled_from(["\n", "\r\n"])
)
def test_csv_as_the_csv_module_reads_it(data, separator, quoting, end):
    columns = data.draw(st.integers(2, 4))
    cell = st.lists(CELL, min_size=1, max_size=2).map("\n".join)
    table = data.draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=1, max_size=5))
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=separator, quoting=quoting, lineterminator=end).writerows(table)
    text, column = written.getvalue(), data.draw(st.integers(0, columns - 1))
    reader = CsvColumn("t", str(column + 1), separator)
    if not any(row[column] for row in table):
        return
    assert replaced(reader, text, str) == text  # byte for byte

    def translate(part):
        return f'{part.upper()}{separator}"!"'

    before, after = rows(text, separator), rows(replaced(reader, text, translate), separator)
    assert len(after) == len(before) == len(table)
    for old, new in zip(before, after):
        assert [part for place, part in enumerate(new) if place != column] == [part for place, part in enumerate(old) if place != column]
        for was, became in zip(old[column].split("\n"), new[column].split("\n"), strict=True):
            core = was.strip(" \u2028")
            assert became == (was.replace(core, translate(core)) if core else was)


def test_csv_by_name_keeps_the_header_the_mark_and_the_last_line_as_they_are():
    text = '\ufeff"id" ;"der ""Text""";x\r\n1; ab ;"c"\n\n2;"d\n\n  e";f\r\n3;g;"h\ni"'
    column = CsvColumn("t", 'der "Text"', ";")
    expected = '\ufeff"id" ;"der ""Text""";x\r\n1; AB ;"c"\n\n2;"D\n\n  E";f\r\n3;G;"h\ni"'
    assert replaced(column, text) == expected and column.missing == []


def test_tsv_has_quotes_of_its_own_text():
    text = '"Ja", sagte er.\t1\n"Ganz in Anführung"\t2\n"offen\t3\n'
    assert replaced(CsvColumn("t", "1", "\t"), text) == text.replace("Ja", "JA").replace("sagte er", "SAGTE ER").replace(
        "Ganz in Anführung", "GANZ IN ANFÜHRUNG"
    ).replace("offen", "OFFEN")
    assert replaced(CsvColumn("t", "1", "\t"), "a\t1\n", lambda part: "x\ty") == "x y\t1\n"


def test_records_without_the_column_are_left_and_counted():
    column = CsvColumn("t", "2", ",")
    assert replaced(column, "a,b\n\nc\nd,\n") == "a,B\n\nc\nd,\n" and column.missing == [3]


@pytest.mark.parametrize(
    "text, column, said",
    [
        ("a,b\n1,2\n", "c", "no column 'c' in the first row \\(a, b\\)"),
        ("a,a\n1,2\n", "a", "more than one column 'a'"),
        ("a,b\n1,2\n", "3", "no record has column 3"),
        ('a,b\n1,2\n3,"4\n5\n', "2", "line 3: a quote is never closed"),
    ],
)
def test_what_is_wrong_with_a_csv(text, column, said):
    with pytest.raises(UserError, match=said):
        replaced(CsvColumn("t", column, ","), text)


@pytest.mark.parametrize(
    "text, name, column, separator",
    [
        ("a;b;c\n1,5;2;3\n", "x.csv", "1", ";"), ("a,b\n1;2,3\n4;5,6\n", "x.csv", "1", ","), ("a\tb,c\n1\t2\n", "x.csv", "1", "\t"),
        ("a,b\n", "x.tsv.gz", "1", "\t"),
        ('"a,b,c";"d"\n"e";"f,g"\n', "-", "1", ";"), ("id,text;de\n1,x;y\n", "-", "text;de", ","),
        ("nur eins\n", "-", "1", ","), ("", "-", "1", ","),
        ('a|b\n"1\n2|3"|4\n', "-", "2", "|"),
    ],
)  # fmt: skip
def test_the_separator_is_found(text, name, column, separator):
    assert find_separator(with_ends(text), name, column) == separator


@given(st.text(st.sampled_from("a \n\r\t\u2028b"), max_size=12))
def test_a_field_is_put_together_again(text):
    parts = split_field(text)
    assert "".join(parts) == text and len(parts) % 2 == 1
    assert not any(part.strip() for part in parts[1::2]) and all(part == part.strip() and "\n" not in part for part in parts[::2])
    assert [part for part in parts[::2] if part] == [line.strip() for line in text.split("\n") if line.strip()]


def test_long_cells_take_little_time():
    for cell in (" " * 200_000 + "a", "a" + " " * 200_000 + "a", "\n " * 50_000, '""' * 100_000, "'" * 100_000):
        start = time.perf_counter()
        text = f'1,"{cell}"\n'
        replaced(CsvColumn("t", "2", ","), text)
        replaced(JsonKey("t", "a"), json.dumps({"a": cell + "b", "b": [cell] * 3}) + "\n")
        assert time.perf_counter() - start < 3, cell[:10]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
VALUE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    others=st.dictionaries(st.text(max_size=3), JSON, max_size=4), value=VALUE, indent=st.sampled_from([(", ", ": "), (",", ":"), (" ,  ", "\t:\r")]),
    ascii=st.booleans(), nested=st.booleans(), first=st.booleans(),
)  # fmt: skip
def test_json_as_the_json_module_reads_it(others, value, indent, ascii, nested, first):
    others.pop("de", None), others.pop("t", None), others.pop("t.de", None)
    inner = {"x": 1, "de": value} if nested else value
    row = {**({} if first else others), ("t" if nested else "de"): inner, **(others if first else {})}
    text = json.dumps(row, ensure_ascii=ascii, separators=indent) + "\n"
    key = "t.de" if nested else "de"
    assert len(with_ends(text)) == 1
    try:
        same = replaced(JsonKey("t", key), text, str)
    except UserError:
        raise AssertionError(text) from None
    assert json.loads(same) == row
    new = replaced(JsonKey("t", key), text, lambda part: part + '"\\/\u2028ß')
    before, after = json.loads(text), json.loads(new)
    changed = (after["t"] if nested else after).pop("de")
    (before["t"] if nested else before).pop("de")
    assert before == after and new.count("\n") == 1
    assert changed.count("ß") >= len([line for line in value.split("\n") if line.strip()])


def test_json_keeps_every_other_byte():
    text = '{ "n": 1.0,"n2":2E+3 ,\t"de" : "a\\u00e4 \\n\\nb", "e": "\\u00e4\\/", "de2": "a"}\r\n\n{"de": null}\n{"x":[{"de":"nein"}],"de":"ja"}'
    reader = JsonKey("t", "de")
    expected = text.replace("a\\u00e4 \\n\\nb", "A\\u00c4 \\n\\nB").replace('"ja"', '"JA"')
    assert replaced(reader, text) == expected and reader.missing == [3]


@pytest.mark.parametrize(
    "text, key, said",
    [
        ('{"de": "a"\n', "de", "line 1: not valid JSON"),
        ('{"de": "a"}\n[{"de": "a"}]\n', "de", "line 2: not a JSON object"),
        ('{"de": "a", "en": "b"}\n', "fr", "no object has text under 'fr'; the keys of the first are de, en"),
        ('{"de": {"a": 1}}\n', "de.a", "no object has text under 'de.a'"),
        ('{"de": "\\ud800"}\n', "de", "a lone surrogate"),
        ("[" * 100_000, "de", "not valid JSON"),
    ],
)
def test_what_is_wrong_with_json_lines(text, key, said):
    with pytest.raises(UserError, match=said):
        replaced(JsonKey("t", key), text)


def test_a_key_with_a_dot_in_it_comes_first():
    assert replaced(JsonKey("t", "a.b"), '{"a.b": "x", "a": {"b": "y"}}') == '{"a.b": "X", "a": {"b": "y"}}'
