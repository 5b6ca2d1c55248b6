from __future__ import annotations

import hashlib
import io
import os
import platform
import random
import subprocess
import sys
from collections import Counter

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.config import TokenizerConfig
from translate.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, train_tokenizer
from translate.tokenizer.subwords import BPE, DRAWS, UNIGRAM, USER_DEFINED, Sampler, read_model

SYLLABLES = [a + b for a in "bdfgklmnprstw" for b in ("a", "e", "i", "o", "u", "ä", "ei", "au")]
ODD = [
    "", " ", "  zwei  Leerzeichen ", "😀 中文 äöüß", "a\u2028b\x85c\x1cd", "ﬁ ½ Å", "wort▁wort ▁", "<s> </s> <unk><pad>", "\u200b\ufeff",
    "tab\ttab", "x\x00y", "a" * 3000, "é e\u0301", "🇩🇪👩‍👩‍👧", "\r", "PLATZ⟨x⟩HALTER⟨x⟩ ⟨x⟩",
]  # fmt: skip


def sentences(number: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(300)]
    return [" ".join(chance.choices(words, weights=range(300, 0, -1), k=chance.randint(3, 9))) + "." for _ in range(number)]


PAIRS = list(zip(sentences(800, 1), sentences(800, 2), strict=True))
SOURCES = [source for source, _ in PAIRS]


def trained(folder, **settings) -> Tokenizer:
    settings = {"vocabulary": 500, **settings}
    return train_tokenizer(PAIRS, TokenizerConfig(**settings), folder)


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def tokenizer(request, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("spm"), kind=request.param, normalization="identity", symbols=["⟨x⟩"])


def foreign(**settings) -> bytes:
    written = io.BytesIO()
    settings = {"vocab_size": 300, "hard_vocab_limit": False, "minloglevel": 4, **settings}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(SOURCES), model_writer=written, **settings)
    return written.getvalue()


OUR_IDS = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}


def test_special_ids_and_sizes(tokenizer):
    model = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.models["spm.model"])
    assert (PAD, BOS, EOS, UNK) == (model.pad_id(), model.bos_id(), model.eos_id(), model.unk_id()) == (0, 1, 2, 3)
    assert tokenizer.joint and tokenizer.source_size == tokenizer.target_size == len(model) == 500
    assert tokenizer.encode_source(["", SOURCES[0]]) == [[EOS], [*model.encode(SOURCES[0]), EOS]]
    assert tokenizer.encode_source([]) == [] and tokenizer.decode([]) == []


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\x00▁")))
def test_any_text_comes_back(tokenizer, text):
    ids = tokenizer.encode_target([text])
    assert UNK not in ids[0] and ids[0][-1] == EOS
    assert tokenizer.decode(ids) == [" ".join(part for part in text.split(" ") if part)]  # SentencePiece's rule for spaces
    assert tokenizer.decode(tokenizer.encode_target([text], sampling=0.3, seed=1)) == tokenizer.decode(ids)


def test_odd_text_comes_back_on_one_line(tokenizer):
    for line in ["😀 中文 äöüß", "a\u2028b\x85c", "🇩🇪👩‍👩‍👧", "é e\u0301", "PLATZ⟨x⟩HALTER"]:
        assert tokenizer.decode(tokenizer.encode_target([line])) == [line]
    assert tokenizer.decode(tokenizer.encode_target(["a\nb\rc"])) == ["a b c"]


def test_decode_takes_any_ids(tokenizer):
    size = tokenizer.target_size
    for line in tokenizer.decode([[index] for index in range(size)] + [random.Random(seed).choices(range(size), k=30) for seed in range(50)]):
        assert isinstance(line, str) and "\n" not in line and "\r" not in line
        line.encode("utf-8")
    ids = tokenizer.encode_target([SOURCES[0]])[0]
    assert tokenizer.decode([[BOS, *ids, PAD, PAD, UNK]]) == [SOURCES[0]]


def test_word_costs(tokenizer):
    """The whole part counts pieces; among words of one piece the one learned first is the cheapest."""
    pieces = [piece for piece in tokenizer.source_pieces() if len(piece) > 3 and piece.startswith("▁")]
    words = [piece[1:] for piece in pieces if len(tokenizer.encode_source([piece[1:]])[0]) == 2]
    costs = tokenizer.word_costs(words)
    assert len(words) > 10 and all(1 < cost < 2 for cost in costs) and costs == sorted(costs)
    lines = SOURCES[:50]
    assert [int(cost) for cost in tokenizer.word_costs(lines)] == [len(ids) - 1 for ids in tokenizer.encode_source(lines)]
    assert tokenizer.word_costs(["", " "]) == [0.0, 0.0] and tokenizer.word_costs([]) == []


def test_symbols_are_never_split(tokenizer):
    model = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.models["spm.model"])
    symbol = model.piece_to_id("⟨x⟩")
    for seed in range(5):
        assert tokenizer.encode_source(["ba⟨x⟩be⟨x⟩ ⟨x⟩"], sampling=0.5, seed=seed)[0].count(symbol) == 3
    assert tokenizer.encode_source(["ba⟨x⟩be⟨x⟩ ⟨x⟩"])[0].count(symbol) == 3


def test_sampling_in_the_limit_is_sentencepiece(tokenizer):
    """No merge dropped, or only the best path likely: then our own segmentation must be SentencePiece's, whatever the text."""
    lines = SOURCES[:200] + ODD
    kind, pieces = read_model(tokenizer.models["spm.model"])
    limit = 1e-12 if kind == BPE else 1e5
    assert kind in (BPE, UNIGRAM) and next(p for p in pieces if p[2] == USER_DEFINED)[0] == "⟨x⟩"
    assert tokenizer.encode_source(lines, sampling=limit, seed=3) == tokenizer.encode_source(lines)


def test_sampling_depends_on_lines_strength_and_seed_alone(tokenizer):
    lines = SOURCES[:100]
    first = tokenizer.encode_source(lines, sampling=0.2, seed=7)
    other = tokenizer.encode_source(lines, sampling=0.2, seed=8)
    assert first != other != tokenizer.encode_source(lines) != first
    fresh = Tokenizer(*tokenizer.models.values())
    fresh.encode_source(SOURCES[100:300], sampling=0.2, seed=1)
    fresh.encode_target(lines, sampling=0.5, seed=7)
    assert fresh.encode_source(lines, sampling=0.2, seed=8) == other
    assert fresh.encode_source(lines, sampling=0.2, seed=7) == first == tokenizer.encode_source(lines, sampling=0.2, seed=7)
    with pytest.raises(ValueError, match="seed"):
        tokenizer.encode_source(lines, sampling=0.2)


def test_sampling_is_the_same_in_another_process(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    ids = tokenizer.encode_source(SOURCES[:50] + ODD[:3], sampling=0.2, seed=7)
    code = (
        "import sys; from translate.tokenizer import Tokenizer\n"
        "print(Tokenizer.load(sys.argv[1]).encode_source(eval(sys.stdin.read()), sampling=0.2, seed=7))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], input=repr(SOURCES[:50] + ODD[:3]), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ids)


def test_bpe_dropout_follows_its_paper():
    """A word of three letters where `ab` is merged before `bc` and there is no `abc`: Algorithm 1 gives the shares by hand."""
    p = 0.25
    sampler = Sampler.__new__(Sampler)
    sampler.strength, sampler.scores = p, {"ab": -1.0, "bc": -2.0}
    chance = random.Random(1)
    counts = Counter("|".join(sampler._drop_merges("abc", iter(chance.random, None))) for _ in range(8_000))
    # step 1: `ab` is kept (1-p), else `bc` (p(1-p)), else both are dropped and it ends
    for split, share in {"ab|c": 1 - p, "a|bc": p * (1 - p), "a|b|c": p * p}.items():
        assert abs(counts[split] / 8_000 - share) < 0.02
    sampler.strength = 0.0
    assert sampler._drop_merges("abcab", iter(chance.random, None)) == ["ab", "c", "ab"]


def test_unigram_sampling_follows_its_paper():
    """Shares of all segmentations of `abc` go as probability to the power of alpha."""
    sampler = Sampler.__new__(Sampler)
    sampler.strength, sampler.longest, sampler.unknown_score = 0.5, 3, -20.0
    sampler.scores = {"a": -3.0, "b": -3.5, "c": -4.0, "ab": -4.5, "bc": -5.0, "abc": -6.0}
    chance = random.Random(1)
    counts = Counter("|".join(sampler._sample_lattice("abc", iter(chance.random, None))) for _ in range(8_000))
    paths = ["a|b|c", "ab|c", "a|bc", "abc"]
    weights = [2.718281828 ** (0.5 * sum(sampler.scores[piece] for piece in path.split("|"))) for path in paths]
    assert set(counts) == set(paths)
    for path, weight in zip(paths, weights, strict=True):
        assert abs(counts[path] / 8_000 - weight / sum(weights)) < 0.02


def test_draws_of_a_word_are_spread(tokenizer):
    strength = 0.3 if read_model(tokenizer.models["spm.model"])[0] == BPE else 0.02
    seen = [{tuple(tokenizer.encode_source([word], sampling=strength, seed=seed)[0]) for seed in range(100)} for word in SOURCES[0].split()]
    assert 2 < max(map(len, seen)) <= DRAWS


@pytest.mark.parametrize(
    "settings", [{}, {"byte_fallback": True}, {"split_by_whitespace": False, "max_sentencepiece_length": 20}, {"user_defined_symbols": ["a b"]}]
)
@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_sampling_with_foreign_models(kind, settings):
    tokenizer = Tokenizer(foreign(model_type=kind, vocab_size=600, **OUR_IDS, **settings))
    lines = SOURCES[:50] + [line for line in ODD if len(line) < 100] + ["ba bei xyz中文中 q"]
    assert tokenizer.encode_source(lines, sampling=1e-12 if kind == "bpe" else 1e5, seed=3) == tokenizer.encode_source(lines)


def test_a_model_without_segmentations_cannot_be_sampled():
    tokenizer = Tokenizer(foreign(model_type="char", **OUR_IDS))
    with pytest.raises(ValueError, match=r"tokenizer\.sampling=0"):
        tokenizer.encode_source(["ba"], sampling=0.1, seed=1)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_training_is_deterministic_quiet_and_names_no_place(tmp_path, kind, capfd):
    one, two = trained(tmp_path / "one", kind=kind), trained(tmp_path / "two", kind=kind)
    assert one.digests() == two.digests() == {"spm.model": hashlib.sha256((tmp_path / "one" / "spm.model").read_bytes()).hexdigest()}
    assert os.listdir(tmp_path / "one") == ["spm.model"]
    for word in (str(tmp_path), platform.node()):
        assert word.encode() not in one.models["spm.model"]
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert Tokenizer.load(tmp_path / "one").encode_source(SOURCES) == one.encode_source(SOURCES, threads=3)


def test_a_model_for_each_side(tmp_path):
    tokenizer = trained(tmp_path, joint=False, vocabulary=400)
    assert not tokenizer.joint and sorted(os.listdir(tmp_path)) == ["spm.model", "spm.target.model"] == sorted(tokenizer.digests())
    again = Tokenizer.load(tmp_path)
    assert again.digests() == tokenizer.digests() and not again.joint
    source, target = PAIRS[0]
    models = [sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / name)) for name in ("spm.model", "spm.target.model")]
    assert again.encode_source([source]) == [[*models[0].encode(source), EOS]] and again.encode_target([target]) == [[*models[1].encode(target), EOS]]
    assert again.encode_source([source], 1e-12, 1) == again.encode_source([source]) and again.encode_target(
        [target], 1e-12, 1
    ) == again.encode_target([target])
    assert again.decode(again.encode_target([target])) == [target]


def test_normalization(tmp_path):
    line = "ﬁ ½ Ａ"
    nfc, nfkc, identity = (trained(tmp_path / name, normalization=name) for name in ("nfc", "nmt_nfkc", "identity"))
    assert nfkc.decode(nfkc.encode_target([line])) == ["fi 1⁄2 A"] and identity.decode(identity.encode_target([line])) == [line]
    assert nfc.decode(nfc.encode_target([line])) == [line]


def test_what_nobody_sees_changes_nothing(tmp_path):
    """The default: the same ids, the same places, the same random draws, the same pieces learned."""
    line = SOURCES[0]
    hidden = "\ufeff\u200e " + line[:2] + "\xad" + line[2:].replace(" ", "\xa0 ") + "\u200b"
    tokenizer = trained(tmp_path / "one")
    assert tokenizer.normalization == "nfc"
    assert tokenizer.encode_source([hidden]) == tokenizer.encode_source([line]) and tokenizer.encode_target([hidden]) == tokenizer.encode_target(
        [line]
    )
    assert tokenizer.encode_source([hidden], sampling=0.5, seed=1) == tokenizer.encode_source([line], sampling=0.5, seed=1)
    assert tokenizer.normalized_source([hidden]) == tokenizer.normalized_target([hidden]) == [line] and tokenizer.normalized_source(
        ["\xad \u200b"]
    ) == [""]
    ids = tokenizer.encode_source([hidden])
    pieces = ["".join(hidden[begin:end].split("\xad")).strip("\ufeff\u200e\u200b\xa0 ") for begin, end in tokenizer.source_spans([hidden], ids)[0]]
    assert pieces == [line[begin:end].strip() for begin, end in tokenizer.source_spans([line], ids)[0]]
    spoilt = [(source.replace("ä", "a\u0308").replace("b", "b\xad"), target.replace(" ", "\u2009")) for source, target in PAIRS]
    assert train_tokenizer(spoilt, TokenizerConfig(vocabulary=500), tmp_path / "two").digests() == tokenizer.digests()
    other = Tokenizer(*tokenizer.models.values())  # the rules are not in SentencePiece's file
    assert other.encode_source([hidden]) != other.encode_source([line]) == tokenizer.encode_source([line])
    again = Tokenizer.load(tmp_path / "one", "nfc")
    assert again.encode_source([hidden]) == tokenizer.encode_source([line])


def test_pairs_may_come_as_a_factory_or_a_stream_and_are_thinned(tmp_path):
    whole = trained(tmp_path / "a").digests()
    assert train_tokenizer(lambda: iter(PAIRS), TokenizerConfig(vocabulary=500), tmp_path / "b").digests() == whole
    thinned = train_tokenizer(PAIRS, TokenizerConfig(vocabulary=500, sentences=400), tmp_path / "c").digests()
    assert thinned == train_tokenizer(PAIRS[::4], TokenizerConfig(vocabulary=500), tmp_path / "d").digests() != whole


def test_a_long_line_is_trained_on(tmp_path):
    pairs = [*PAIRS, ("ba " * 4000 + "⛵", "x")]
    model = train_tokenizer(pairs, TokenizerConfig(vocabulary=500), tmp_path).models["spm.model"]
    assert sentencepiece.SentencePieceProcessor(model_proto=model).piece_to_id("⛵") != UNK


def test_vocabularies_that_the_text_does_not_allow(tmp_path):
    with pytest.raises(
        ValueError, match=r"^tokenizer\.vocabulary is 90000, but the training text allows at most \d+: set it to \d+ or less$"
    ) as error:
        trained(tmp_path, vocabulary=90_000)
    assert trained(tmp_path, vocabulary=int(str(error.value).split()[-3])).source_size > 500  # the size that it names works
    with pytest.raises(ValueError, match=r"^tokenizer\.vocabulary is 50, but special pieces, bytes and characters alone are \d+"):
        trained(tmp_path / "none", vocabulary=50)
    with pytest.raises(ValueError, match="all lines of the training text are blank"):
        train_tokenizer([("", " ")], TokenizerConfig(), tmp_path / "none")
    with pytest.raises(ValueError, match=r"tokenizer\.symbols has 'a b'"):
        trained(tmp_path / "none", symbols=["a b"])
    with pytest.raises(ValueError, match=r"tokenizer\.symbols has '<s>'"):
        trained(tmp_path / "none", symbols=["<s>"])
    assert not (tmp_path / "none").exists()


def test_a_foreign_model_is_copied(tmp_path):
    model = foreign(**OUR_IDS)
    (tmp_path / "their.model").write_bytes(model)
    tokenizer = train_tokenizer(lambda: iter(()), TokenizerConfig(path=str(tmp_path / "their.model")), tmp_path / "run")
    assert (tmp_path / "run" / "spm.model").read_bytes() == model
    assert tokenizer.digests() == {"spm.model": hashlib.sha256(model).hexdigest()}
    again = train_tokenizer([], TokenizerConfig(path=str(tmp_path / "run")), tmp_path / "other")  # a folder will do
    assert again.digests() == tokenizer.digests() and again.encode_source(["b\xada"]) == again.encode_source(["ba"])
    with pytest.raises(ValueError, match=r"has one model for both languages: set tokenizer\.joint=true"):
        train_tokenizer([], TokenizerConfig(path=str(tmp_path / "run"), joint=False), tmp_path / "none")

    (tmp_path / "their.model").write_bytes(foreign())
    with pytest.raises(ValueError, match=r"pad -1, bos 1, eos 2, unk 0: train it with spm_train --pad_id=0 --bos_id=1 --eos_id=2 --unk_id=3"):
        train_tokenizer([], TokenizerConfig(path=str(tmp_path / "their.model")), tmp_path / "none")
    for text in (b"", b"no model", model[:-100]):
        (tmp_path / "their.model").write_bytes(text)
        with pytest.raises(ValueError, match="not a SentencePiece model"):
            train_tokenizer([], TokenizerConfig(path=str(tmp_path / "their.model")), tmp_path / "none")
    with pytest.raises(ValueError, match="could not be read as a SentencePiece model: No such file"):
        Tokenizer.load(tmp_path / "none")
