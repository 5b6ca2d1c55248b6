"""Kinds of files that pairs come in, as other programs write them: read right, or one line that says where and what to do."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import datasets
import pandas
import pytest

from tests.conftest import ROOT
from tests.corpus_files import error_of, table_pairs
from translate.config import CorpusConfig
from translate.data.corpora import find_corpus

PAIRS = [(f'Zeile {number}: „süß“, sagt er; "ja"', f'Line {number}, he says: sweet; it\'s "yes"') for number in range(250)]
BREAKS = ("Erste Zeile\nzweite", "First line\r\nsecond")


def read(data, kind, path, source="", target="", **more):
    return find_corpus(CorpusConfig(kind, str(path), str(source), str(target), **more), data).read()


def pairs_of(*arguments, **more):
    return table_pairs(read(*arguments, **more).table)


def failure(*arguments, **more) -> str:
    return error_of(read, *arguments, **more)


# rows that cannot be used


def test_few_short_rows_are_counted_and_blank_ones_passed_over(tmp_path, data):
    rows = [f"{source}\t{target}" for source, target in PAIRS]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join([*rows[:10], "", "   ", "nur eine Spalte", *rows[10:], "", ""]), encoding="utf-8")
    found = read(data, "tsv", path)
    assert pairs_of(data, "tsv", path) == PAIRS and found.skipped == 1
    assert found.skipped_summary == "1 rows left out, the first in line 13: there is no column 2, the line has only 1"
    path.write_text("\n".join([*rows[:10], *["nur eine Spalte"] * 9, *rows[10:]]), encoding="utf-8")
    assert failure(data, "tsv", path) == f"{path}, line 11: there is no column 2, the line has only 1; 9 of 259 rows are unusable"
    path.write_text("".join(f"{source} ||| {target}\n" for source, target in PAIRS), encoding="utf-8")
    message = failure(data, "tsv", path)
    hint = message[message.index("(sed") + 1 : message.rindex(")")]
    subprocess.run(hint, shell=True, check=True)
    assert pairs_of(data, "tsv", f"{path}.tsv") == PAIRS


def test_a_file_of_another_kind_is_not_read_to_its_end(tmp_path, data, monkeypatch):
    """An endless file of short rows ends in an error."""
    monkeypatch.setattr("translate.data.delimited.read_lines", lambda path: iter(lambda: "kein Tabulator", None))
    (tmp_path / "a.tsv").write_text("x\n", encoding="utf-8")
    assert "line 1: there is no column 2" in failure(data, "tsv", tmp_path / "a.tsv")


def test_rows_left_out_stand_in_the_log_and_among_the_counts(tmp_path, data):
    from translate.config import TokenizerConfig
    from translate.data.pairs import training_texts
    from translate.data.prepare import prepare
    from translate.tokenizer import train_tokenizer

    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS) + "kurz\n", encoding="utf-8")
    data.train, lines = [CorpusConfig("tsv", str(path))], []
    tokenizer = train_tokenizer(training_texts(data), TokenizerConfig(vocabulary=340), tmp_path)
    for _ in ("made", "from the cache"):
        prepared = prepare(data, tokenizer, lines.append)
        assert prepared.counts["short_row"] == 1 and prepared.read == 251 and prepared.kept == 251 - sum(prepared.counts.values())
        assert any("1 rows left out, the first in line 251" in line for line in lines)
        assert "251 pairs kept" in lines[-1] and "1 short row" in lines[-1]
        lines.clear()


def test_old_mac_line_ends_are_named(tmp_path, data):
    for name, side in (("a.de", 0), ("a.en", 1)):
        (tmp_path / name).write_text("\r".join(pair[side] for pair in PAIRS) + "\r", encoding="utf-8")
    (tmp_path / "a.tsv").write_text("\r".join("\t".join(pair) for pair in PAIRS), encoding="utf-8")
    (tmp_path / "b.en").write_text("\n".join(target for _, target in PAIRS), encoding="utf-8")
    for corpus in (
        CorpusConfig(source=str(tmp_path / "a.de"), target=str(tmp_path / "a.en")),
        CorpusConfig(source=str(tmp_path / "a.de"), target=str(tmp_path / "b.en")),
        CorpusConfig("tsv", str(tmp_path / "a.tsv")),
        CorpusConfig("csv", str(tmp_path / "a.tsv")),
    ):
        with pytest.raises(ValueError, match=r"old Mac line ends: convert them first \(tr '\\r' '\\n'"):
            find_corpus(corpus, data).read()


def test_lines_that_the_tokenizer_does_not_take_are_reported(tmp_path, data, capsys):
    from translate.cli.main import main

    documents = [" ".join(side) * 3 for side in zip(*PAIRS)]
    sides = {"de": ["kurz", documents[0], "auch kurz"], "en": ["short", documents[1], "short too"]}
    for language, lines in sides.items():
        (tmp_path / f"train.{language}").write_text("\n".join(lines), encoding="utf-8")
        (tmp_path / f"dev.{language}").write_text("kurz\n", encoding="utf-8")
    words = ["recipe=quickstart", "data=text", "~data.test.test", f"data.folder={tmp_path}", f"data.cache={data.cache}"]
    main(["check", *words])
    message = (
        "1 of 3 pairs have a side of more than 16,384 bytes, which the tokenizer is not trained on (the first: pair 2): put one sentence on each line"
    )
    assert message in capsys.readouterr().out
    for language, document in zip(sides, documents):
        (tmp_path / f"train.{language}").write_text(document + "\n", encoding="utf-8")
    assert main(["train", *words, f"run={tmp_path / 'run'}"]) == 2
    error = capsys.readouterr().err
    assert "all 2 lines that are not blank are longer than 16,384 bytes (the first: line 1)" in error


# CSV and JSON


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_other_programs(tmp_path, data, delimiter):
    """Python's csv module and pandas write; cells have the delimiter, quotes and line ends in them."""
    path, pairs = tmp_path / "a.csv", [*PAIRS, BREAKS]
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "De", "EN"])
        writer.writerows([number, *pair] for number, pair in enumerate(pairs))
    expected = [*PAIRS, ("Erste Zeile zweite", "First line second")]
    assert pairs_of(data, "csv", path) == pairs_of(data, "csv", path, "de", "en") == expected
    assert pairs_of(data, "csv", path, "en", "de") == [pair[::-1] for pair in expected]
    pandas.DataFrame(pairs, columns=["source", "target"]).to_csv(path, index=False, sep=delimiter, header=False)
    assert pairs_of(data, "csv", path, 1, 2) == expected
    assert "the first row has no column 'de', only" in failure(data, "csv", path)
    path.write_text(f'de{delimiter}en\n"ja{delimiter}yes\nnein{delimiter}no\n', encoding="utf-8")
    assert f"{path}, line 3: not valid CSV: " in failure(data, "csv", path)


def test_json_arrays(tmp_path, data):
    rows = [{"id": number, "translation": {"de": source, "en": target}, "x": [1, {"y": "]"}]} for number, (source, target) in enumerate(PAIRS)]
    path = tmp_path / "a.json"
    for settings in ({}, {"indent": 1}, {"indent": 4, "ensure_ascii": False}, {"separators": (",", ":")}):
        path.write_text("\n" + json.dumps(rows, **settings), encoding="utf-8")
        assert pairs_of(data, "jsonl", path) == pairs_of(data, "jsonl", path, "translation.de", "translation.en") == PAIRS
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert pairs_of(data, "jsonl", path) == PAIRS
    row = '{"de": "a", "en": "b"}'
    for text, message in (
        (f"[\n{row},\n{row}\n", "line 4: not valid JSON: expected ',', got the end"),
        (f"[\n{row}\n{row}]", "line 3: not valid JSON: expected ',', got '{'"),
        (f"[\n{row},\n{{'de': 1}}]", "line 3: not valid JSON: Expecting property name"),
        (f"[{row}]\n{row}", "line 2: not valid JSON: extra text after the array"),
        (f"[{row}, 7]", "line 1: must be a JSON object, not 7"),
        ("[" * 100_000, "line 1: not valid JSON: "),
        ("[]", ": the corpus is empty"),
    ):
        path.write_text(text, encoding="utf-8")
        assert message in failure(data, "jsonl", path), text[:50]


def test_a_large_array_is_read_in_little_memory(tmp_path, data):
    path = tmp_path / "a.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps({"de": "ä" * 500 + str(n), "en": "b" * 500}) for n in range(10_000)) + "\n]")
    tracemalloc.start()
    assert sum(1 for _ in find_corpus(CorpusConfig("jsonl", str(path)), data).pairs(None)) == 10_000
    assert tracemalloc.get_traced_memory()[1] < 2.5e6 < os.path.getsize(path) / 6
    tracemalloc.stop()


# Parquet


def test_parquet_files_and_folders(tmp_path, data):
    (tmp_path / "set" / "more").mkdir(parents=True)
    half = len(PAIRS) // 2
    for name, pairs in (("0000", PAIRS[:half]), ("more/0001", PAIRS[half:])):
        pandas.DataFrame(pairs, columns=["de", "en"]).to_parquet(tmp_path / "set" / f"{name}.parquet")
    assert pairs_of(data, "parquet", tmp_path / "set") == PAIRS
    assert pairs_of(data, "parquet", tmp_path / "set" / "0000.parquet", "en", "de") == [pair[::-1] for pair in PAIRS[:half]]
    nested = datasets.Dataset.from_dict({"translation": [{"de": source, "en": target} for source, target in PAIRS]})
    nested.to_parquet(tmp_path / "nested.parquet")
    assert pairs_of(data, "parquet", tmp_path / "nested.parquet") == PAIRS
    assert "has no column fr, only translation.de, translation.en" in failure(data, "parquet", tmp_path / "nested.parquet", "fr")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing PAR1")
    assert "bad.parquet: cannot be read as Parquet: " in failure(data, "parquet", tmp_path / "bad.parquet")
    (tmp_path / "none").mkdir()
    assert "needs `path`: a Parquet file, or a folder with some" in failure(data, "parquet", tmp_path / "none")


def test_an_empty_saved_set_is_an_empty_corpus(tmp_path, data):
    features = datasets.Features({"de": datasets.Value("string"), "en": datasets.Value("string")})
    datasets.Dataset.from_dict({"de": [], "en": []}, features=features).save_to_disk(tmp_path / "set")
    assert failure(data, "saved", tmp_path / "set").endswith(": the corpus is empty")


# files that are not lines


@pytest.mark.parametrize("name, hint", [("a.zip", "unzip -p"), ("a.tmx", "kind: tmx"), ("a.tar.gz", "tar xf"), ("a.parquet", "kind: parquet")])
def test_what_does_not_hold_lines_is_named(tmp_path, data, name, hint):
    (tmp_path / name).write_bytes(b"\x00")
    with pytest.raises(ValueError, match=f"does not contain lines of text: .*{hint}"):
        find_corpus(CorpusConfig(source=str(tmp_path / name), target=str(tmp_path / name)), data).read()


def test_a_packed_file_is_found_under_the_name_of_the_plain_one(tmp_path, data):
    import gzip

    for side, language in enumerate(("de", "en")):
        (tmp_path / f"train.{language}.gz").write_bytes(gzip.compress("\n".join(pair[side] for pair in PAIRS).encode()))
    table = find_corpus(CorpusConfig(source=str(tmp_path / "train.de"), target=str(tmp_path / "train.en")), data).read().table
    assert list(zip(table["source"], table["target"])) == PAIRS


def test_pipes_are_read_once_and_serve_the_whole_process(tmp_path, data):
    """In a shell: what `check` looks at, the tokenizer and training see the same text; the temporary file goes."""
    for side, language in enumerate(("de", "en")):
        (tmp_path / language).write_text("".join(pair[side] + "\n" for pair in PAIRS), encoding="utf-8")
    code = (
        "import sys\nfrom translate.config import *\nfrom translate.data.pairs import load_pairs, training_texts\n"
        "corpus = CorpusConfig(source=sys.argv[1], target=sys.argv[2])\ndata = DataConfig(train=[corpus], cache=sys.argv[3])\n"
        "assert list(training_texts(data)) == load_pairs([corpus], data)\nprint(len(load_pairs([corpus], data)))"
    )
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    (tmp_path / "tmp").mkdir()
    words = f"{sys.executable} {tmp_path / 'code.py'} <(cat {tmp_path / 'de'}) <(cat {tmp_path / 'en'}) {data.cache}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.returncode) == ("250\n", 0), done.stderr
    assert not list(Path(tmp_path / "tmp").iterdir())
