"""`translate fill`: what a tiny model that knows a few sentences puts into their gaps, at the command line and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import translate
from tests.conftest import copy_of_shared, tiny_config
from translate.bundle.bundle import load_bundle
from translate.cli.main import main
from translate.config import DecodingConfig
from translate.errors import UserError
from translate.tokenizer import BOS
from translate.translation.fill import gapped

PAIRS = [
    ("Der Hund schläft.", "The dog sleeps."), ("Die Katze trinkt Milch.", "The cat drinks milk."), ("Das Kind liest.", "The child reads."),
    ("Der Vogel singt.", "The bird sings."), ("Das Pferd frisst Gras.", "The horse eats grass."),
]  # fmt: skip


def train_masked(run: Path) -> None:
    from translate.training.run import train

    folder = run.parent
    for side, language in enumerate(("de", "en")):
        (folder / f"known.{language}").write_text("".join(f"{pair[side]}\n" for pair in PAIRS * 20), encoding="utf-8")
    config = tiny_config(run, folder, steps=250, batch_tokens=1000, validate_every=250, average=1)
    corpus = config.data.train[0]
    corpus.source, corpus.target = str(folder / "known.de"), str(folder / "known.en")
    config.decoding = DecodingConfig()
    config.data.validation, config.data.test, config.data.filters.duplicates = [], {}, False
    config.tokenizer.vocabulary = 388
    config.model.family, config.model.decoder_layers, config.optim.rate, config.optim.label_smoothing = "masked_lm", 0, 0.01, 0.0
    config.decoding = DecodingConfig()
    train(config)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return copy_of_shared(tmp_path_factory, "masked", train_masked)


def answers(capsys, *words) -> list[dict]:
    assert main(["fill", *map(str, words), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "words, texts, pieces",
    [
        (["Der <mask> schläft."], ("Der Hund schläft.", ""), ["▁Hund"]),
        (["Die Katze trinkt <mask>."], ("Die Katze trinkt Milch.", ""), ["▁Milch"]),
        (["<mask> Kind liest."], ("Das Kind liest.", ""), ["▁Das"]),
        (["Der Vogel<mask>."], ("Der Vogel singt.", ""), ["▁singt"]),  # the space belongs to the piece
        (["--target", "The <mask> eats grass."], ("", "The horse eats grass."), ["▁horse"]),
        (["Das <mask> liest.", "--target", "The <mask> reads."], ("Das Kind liest.", "The child reads."), ["▁Kind", "▁child"]),
    ],
)
def test_a_model_that_knows_a_sentence_fills_its_gaps(words, texts, pieces, run, capsys):
    [found] = answers(capsys, "-m", run, *words)
    assert (found["source"], found["target"]) == texts
    assert [gap[0]["piece"] for gap in found["gaps"]] == pieces and all(gap[0]["probability"] > 0.5 for gap in found["gaps"])


def test_the_other_language_tells_what_is_missing(run, capsys):
    """Without it, any of the words may stand there."""
    first = {}
    for target in ("The dog sleeps.", "The child reads."):
        [found] = answers(capsys, "-m", run, "<mask>", "--target", target, "-n", 3)
        first[target] = {guess["piece"] for guess in found["gaps"][0]}
    assert "▁schläft" not in first["The child reads."] and first["The dog sleeps."] != first["The child reads."]


def test_probabilities_are_those_of_the_model_by_hand(run):
    """The softmax over all pieces, of the ids that the text has with MASK, which is the start mark's id, in its gaps."""
    bundle = load_bundle(run)
    ids = bundle.tokenizer.encode_source(["Der Hund schläft."])[0]
    assert len(ids) == len(gapped("Der <mask> schläft.", bundle.tokenizer)) and gapped("Der <mask> schläft.", bundle.tokenizer)[1] == BOS
    read = torch.tensor([[ids[0], BOS, *ids[2:]]])
    with torch.no_grad():
        probabilities = bundle.model.logits(bundle.model.features(read, read[:, :0]))[0, 1].softmax(0)
    [guesses] = translate.fill(run, "Der <mask> schläft.", top=10**6)
    assert len(guesses) == bundle.tokenizer.source_size and sum(probability for _, probability in guesses) == pytest.approx(1, abs=1e-4)
    pieces = bundle.tokenizer.source_pieces()
    assert dict(guesses) == pytest.approx({piece: float(probability) for piece, probability in zip(pieces, probabilities)}, abs=1e-6)
    assert [probability for _, probability in guesses] == sorted((probability for _, probability in guesses), reverse=True)


@pytest.mark.parametrize("sentence", [sentence for pair in PAIRS for sentence in pair])
def test_a_gap_anywhere_leaves_the_other_pieces_as_they_are(sentence, run):
    """Each piece in turn is replaced by <mask> in the text, with the space that belongs to it."""
    tokenizer = load_bundle(run).tokenizer
    ids = tokenizer.encode_source([sentence])[0]
    for place, (begin, end) in enumerate(tokenizer.source_spans([sentence], [ids])[0][:-1]):
        if begin < end:
            text = f"{sentence[:begin]}<mask>{sentence[end:]}"
            assert gapped(text, tokenizer) == [*ids[:place], BOS, *ids[place + 1 :]], text


def test_lines_of_standard_input_and_of_files(run, tmp_path, command, capsys):
    lines = ["Der <mask> schläft.", "Das Kind <mask>."]
    (tmp_path / "lines.de").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    piped = command("fill", "-m", run, "-n", 2, input="".join(f"{line}\n" for line in lines).encode())
    assert piped.returncode == 0
    for words in (["-i", str(tmp_path / "lines.de")], lines):
        assert main(["fill", "-m", str(run), "-n", "2", *words]) == 0
        assert capsys.readouterr().out == piped.stdout.decode()
    out = piped.stdout.decode().splitlines()
    assert out[0] == "Der Hund schläft." and out[1].split()[:2] == ["1", "▁Hund"] and len(out[1].split()) == 5
    assert out[2] == "Das Kind liest." and len(out) == 4


@pytest.mark.parametrize(
    "words, said",
    [
        (["Der Hund."], "no <mask> in 'Der Hund.': put one where a piece is to be guessed"),
        (["Der <mask>.", "Der Hund."], "text 2: no <mask> in 'Der Hund.'"),
        (["Der Hund.", "--target", "The dog."], "no <mask> in 'Der Hund. | The dog.'"),
        (["Der <mask>.", "-n", "0"], "--top is 0: it must be at least 1"),
        (["a <mask>", "b <mask>", "--target", "c"], "--target is the translation of one TEXT"),
        (["<mask>", "-i", "x"], "both TEXT and -i x are given: leave one out"),
        (["<mask>" + " Hund" * 80], "the text has 82 tokens, but the model of"),
    ],
)
def test_mistakes_are_told_in_one_line(words, said, run, capsys):
    assert main(["fill", "-m", str(run), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"translate: error: {said}") and error.count("\n") == 1


def test_a_model_of_another_family_fills_nothing(bundle, capsys):
    assert main(["fill", "-m", str(bundle), "Der <mask>."]) == 2
    assert "is a model that translates (model.family=encoder_decoder), not one that fills gaps: use `translate file -m" in capsys.readouterr().err
    with pytest.raises(UserError, match="use `translate file"):
        translate.fill(bundle, "Der <mask>.")
