"""`translate tokens`, at the command line, against SentencePiece's own library."""

from __future__ import annotations

import gzip
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import one_line
from translate.bundle.bundle import write_config
from translate.cli.main import main
from translate.config import Config, TokenizerConfig
from translate.tokenizer import Tokenizer

GERMAN = ["Das Haus steht am Hochhaus (Hausnummer drei).", "Ein Haus, zwei Häuser.", "haus und Haus", "Kein Wort ohne Buchstaben: quer, jung, fix."]
ENGLISH = ["The house stands near the high-rise.", "One house, two houses.", "Never a word without letters: jazz, queue, fox, vim, kid."]


def spm(lines: list[str], size: int, **options) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 5), model_writer=model, model_type="bpe", vocab_size=size, pad_id=0, bos_id=1, eos_id=2, unk_id=3,
        normalization_rule_name="identity", minloglevel=4, **options,
    )  # fmt: skip
    return model.getvalue()


def run_folder(folder: Path, *models: bytes) -> Path:
    """All of a bundle but its weights, which `translate tokens` has no use for."""
    tokenizer = Tokenizer(*models, normalization="nfc")
    tokenizer.save(folder)
    write_config(folder, Config(tokenizer=TokenizerConfig(joint=len(models) == 1)), tokenizer)
    return folder


@pytest.fixture(scope="module")
def joint(tmp_path_factory) -> Path:
    """With a piece for each byte, and a symbol."""
    return run_folder(tmp_path_factory.mktemp("joint"), spm(GERMAN + ENGLISH, 400, byte_fallback=True, user_defined_symbols=["<x>"]))


@pytest.fixture(scope="module")
def separate(tmp_path_factory) -> Path:
    """A model for each language, without bytes."""
    return run_folder(tmp_path_factory.mktemp("separate"), spm(GERMAN, 80), spm(ENGLISH, 60))


def seen(capsys, *words) -> list[dict]:
    assert main(["tokens", "--json", *map(str, words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]


def processor(folder: Path, name: str = "spm.model") -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / name))


def test_why_haus_and_haus_and_haus_differ(joint, capsys):
    texts = ["Haus", " Haus", "haus", "(Haus"]
    first, spaced, small, inside = seen(capsys, "-m", joint, *texts)
    assert first["normalized"] == spaced["normalized"] == " Haus"
    assert [token["piece"] for token in first["tokens"]] == ["▁Haus", "</s>"]
    assert first["tokens"][0]["bytes"] == b" Haus".hex(" ")
    assert [token["id"] for token in first["tokens"]] == [token["id"] for token in spaced["tokens"]]
    assert bytes.fromhex("".join(token["bytes"] for token in small["tokens"])) == b" haus"
    assert "▁Haus" not in [token["piece"] for token in inside["tokens"]]
    assert main(["tokens", "-m", str(joint), *texts]) == 0
    out = capsys.readouterr().out
    blocks = out.split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["text        Haus", "text        ▁Haus", "text        haus", "text        (Haus"]
    for block, each in zip(blocks, (first, spaced, small, inside)):
        rows = [re.split("  +", line.strip()) for line in block.rstrip("\n").splitlines()[4:]]
        assert rows[-1] == ["2", "</s>", "end mark"]
        assert rows[:-1] == [[str(token["id"]), token["piece"], token["bytes"]] for token in each["tokens"][:-1]]


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ids_are_sentencepieces_and_bytes_make_up_the_text(joint, capsys, texts):
    """A text may look like an option, so they come after `--`; the system has no words with a null byte."""
    texts = [text.replace("\0", "") for text in texts]
    model = processor(joint)
    for text, shown in zip(texts, seen(capsys, "-m", joint, "--", *texts), strict=True):
        assert shown["text"] == text
        tokens = shown["tokens"]
        assert [token["id"] for token in tokens] == [*model.encode(shown["normalized"].strip(" ")), 2]
        assert [token["piece"] for token in tokens] == [model.id_to_piece(token["id"]) for token in tokens]
        assert bytes.fromhex("".join(token["bytes"] for token in tokens)).decode() == shown["normalized"]
        ends = [place for token in tokens for place in token["span"]]
        assert ends == sorted(ends) and 0 <= ends[0] <= ends[-1] <= len(text)


def test_unknown_characters_are_shown_as_such(joint, separate, capsys):
    assert main(["tokens", "-m", str(joint), "漢 <x>"]) == 0
    rows = capsys.readouterr().out.splitlines()
    for octet in "漢".encode():
        assert sum(f"<0x{octet:02X}>" in row and f"{octet:02x} " in row and row.endswith("a byte of 漢") for row in rows) == 1
    assert sum(row.split()[1:2] == ["<x>"] and row.endswith("symbol, never split") for row in rows) == 1
    assert main(["tokens", "-m", str(separate), "Haus 漢字"]) == 0
    (row,) = [row for row in capsys.readouterr().out.splitlines() if "<unk>" in row]
    assert row.split() == ["3", "<unk>", *[f"{octet:02x}" for octet in "漢字".encode()], "unknown:", "漢字"]
    (shown,) = seen(capsys, "-m", separate, "漢字")
    assert [token["kind"] for token in shown["tokens"]][-2:] == ["unknown", "end"]


def test_what_cannot_be_seen_is_shown_and_what_the_normaliser_made_of_it(joint, capsys):
    assert main(["tokens", "-m", str(joint), "Ha\u200bus\xa0\x1b[31m " + unicodedata.normalize("NFD", "ä")]) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.split()[1].startswith(r"Ha\u200bus\xa0\x1b[31m▁a") and second == "normalised  ▁Haus▁[31m▁ä"


def test_the_target_has_a_tokenizer_of_its_own(separate, joint, capsys):
    source, target = (seen(capsys, "-m", separate, *words, "the house")[0]["tokens"] for words in ([], ["--target"]))
    for tokens, name in ((source, "spm.model"), (target, "spm.target.model")):
        assert [token["id"] for token in tokens] == [*processor(separate, name).encode("the house"), 2]
    assert source != target
    assert main(["tokens", "-m", str(joint), "--target", "the house"]) == 2
    one_line(capsys, "target has no effect", "one tokenizer for both languages")


def test_lines_of_standard_input_and_of_files(joint, command, tmp_path, capsys):
    (tmp_path / "a.de").write_text("Haus\r\n\nzwei\u2028drei", encoding="utf-8", newline="")
    (tmp_path / "b.de.gz").write_bytes(gzip.compress(b"vier\n"))
    expected = ["Haus", "", "zwei\u2028drei", "vier"]
    shown = seen(capsys, "-m", joint, "-i", tmp_path / "a.de", tmp_path / "b.de.gz")
    assert [each["text"] for each in shown] == expected
    assert [len(each["tokens"]) for each in shown][1] == 1
    piped = command("tokens", "-m", joint, "--json", input="".join(f"{line}\n" for line in expected).encode())
    assert [json.loads(line) for line in piped.stdout.decode().split("\n")[:-1]] == shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "-i", "y"], ["both TEXT and -i y are given"]),
        (["-i", "nowhere.de"], ["nowhere.de", "No such file"]),
        (["-i", "latin.de"], ["latin.de, line 1: invalid UTF-8", "iconv"]),
        (["\udcff"], ["lone surrogate"]),
    ],
    ids=["both", "missing", "encoding", "surrogate"],
)
def test_mistakes(words, said, joint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("latin.de").write_bytes("Häuser".encode("latin-1"))
    assert main(["tokens", "-m", str(joint), *words]) == 2
    one_line(capsys, *said)


def test_a_folder_that_is_no_model(tmp_path, capsys):
    assert main(["tokens", "-m", str(tmp_path), "Haus"]) == 2
    one_line(capsys, "is not a model")


def test_the_python_function_gives_the_same(joint, capsys):
    from translate import UserError, tokens

    texts = ["Das Haus", "", "漢"]
    assert list(tokens(joint, texts)) == seen(capsys, "-m", joint, *texts)
    with pytest.raises(UserError, match="texts is one string"):
        tokens(joint, "Haus")
