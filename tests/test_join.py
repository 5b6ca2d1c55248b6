"""data.join: a share of the training examples is made of several pairs."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.checks.data_checks import check_data
from translate.config import Config, CorpusConfig, DataConfig, DecodingConfig, FilterConfig, TokenizerConfig, check
from translate.data.join import join_pairs
from translate.data.prepare import fingerprint_of, prepare
from translate.errors import UserError
from translate.tokenizer import EOS, train_tokenizer

GERMAN = [f"Der Hund Nummer {number} schläft." for number in range(400)]
ENGLISH = [f"Dog number {number} is sleeping." for number in range(400)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return train_tokenizer(zip(GERMAN, ENGLISH), TokenizerConfig(vocabulary=340), tmp_path_factory.mktemp("tokenizer"))


def data_of(folder, **values):
    for name, lines in (("a.de", GERMAN[:300]), ("a.en", ENGLISH[:300]), ("b.de", GERMAN[300:]), ("b.en", ENGLISH[300:])):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    corpora = [CorpusConfig(kind="text", source=str(folder / f"{name}.de"), target=str(folder / f"{name}.en")) for name in "ab"]
    return DataConfig(train=corpora, cache=str(folder / "cache"), **values)


def test_every_pair_is_in_one_example_and_a_share_of_them_is_joined(tmp_path, tokenizer):
    log = []
    prepared = prepare(data_of(tmp_path, join=0.3), tokenizer, log.append)
    sources, targets = prepared.texts(range(len(prepared)))
    assert " ".join(sources) == " ".join(GERMAN) and " ".join(targets) == " ".join(ENGLISH)
    sizes = [source.count(".") for source in sources]
    assert sizes == [target.count(".") for target in targets] and set(sizes) == {1, 2, 3, 4}
    joined = sum(size > 1 for size in sizes)
    assert 0.2 < joined / len(sizes) < 0.4
    assert (prepared.kept, prepared.joined, len(prepared)) == (400, joined, len(sizes))
    assert f"{joined} of {len(sizes)} training examples are two to four pairs joined" in log
    source_ids, target_ids = prepared.ids(range(len(prepared)))
    assert (source_ids, target_ids) == (tokenizer.encode_source(sources), tokenizer.encode_target(targets))
    assert prepared.source_lengths.tolist() == list(map(len, source_ids)) and all(ids.count(EOS) == 1 for ids in source_ids)
    # no example has pairs of two corpora
    assert sum(size for size, corpus in zip(sizes, prepared.corpus_of) if corpus == 0) == 300


def test_it_is_the_same_each_time_and_the_cache_knows_it(tmp_path, tokenizer):
    def texts(**values):
        prepared = prepare(data_of(tmp_path, **values), tokenizer, lambda _: None)
        return prepared.texts(range(len(prepared))), prepared.fingerprint

    first, again = texts(join=0.3), texts(join=0.3)
    assert first == again
    other, none = texts(join=0.4), texts()
    assert len({first[1], other[1], none[1]}) == 3 and first[0] != other[0]
    assert none[0] == (GERMAN, ENGLISH)
    assert fingerprint_of(data_of(tmp_path, join=0.3), tokenizer) == first[1]


def test_no_example_is_longer_than_the_filter_allows(tmp_path, tokenizer):
    longest = max(map(len, tokenizer.encode_source(GERMAN) + tokenizer.encode_target(ENGLISH)))
    limit = 2 * longest
    prepared = prepare(data_of(tmp_path, join=1.0, filters=FilterConfig(max_tokens=limit)), tokenizer, lambda _: None)
    sizes = [source.count(".") for source in prepared.texts(range(len(prepared)))[0]]
    assert max(prepared.source_lengths.max(), prepared.target_lengths.max()) <= limit
    assert sum(sizes) == 400 and sizes.count(2) > 100 and sizes.count(1) <= 2
    alone = prepare(data_of(tmp_path, join=1.0, filters=FilterConfig(max_tokens=longest)), tokenizer, lambda _: None)
    assert len(alone) == 400 and alone.joined == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=60),
    st.floats(0, 1),
    st.integers(4, 30),
    st.sampled_from([0.0, 1.5]),
)
def test_the_filters_hold_for_joined_examples(lengths, share, limit, ratio):
    """With a tokenizer that makes one token of each letter, and sometimes one more of a space."""

    def ids(text):
        return [3] * len(text if len(text) % 2 == 0 else text.replace(" ", "")) + [EOS]

    def encode(sources, targets):
        return [*map(ids, sources)], [*map(ids, targets)]

    sources, targets = ["a" * source for source, _ in lengths], ["b" * target for _, target in lengths]
    filters = FilterConfig(max_tokens=limit, max_ratio=ratio, min_ratio_tokens=8)
    columns, joined = join_pairs([sources, targets, *encode(sources, targets)], share, filters, encode, 1)
    assert " ".join(columns[0]) == " ".join(sources) and " ".join(columns[1]) == " ".join(targets)
    several = [index for index, text in enumerate(columns[0]) if " " in text]
    assert len(several) == joined
    for index in several:
        long, short = sorted((len(columns[2][index]), len(columns[3][index])), reverse=True)
        assert long <= limit and (not ratio or long < 8 or long <= ratio * short)


def test_shares_of_large_corpora_are_what_was_asked_for():
    count = 20_000
    ids = [[3, EOS]] * count
    columns, joined = join_pairs(
        [["a"] * count, ["b"] * count, ids, ids], 0.1, FilterConfig(), lambda *sides: tuple([[3, EOS]] * len(s) for s in sides), 2
    )
    assert joined / len(columns[0]) == pytest.approx(0.1, abs=0.01)
    sizes = numpy.bincount([text.count("a") for text in columns[0]])
    assert sizes[2:] == pytest.approx(sizes[2:].mean(), rel=0.15) and len(sizes) == 5


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(UserError, match=r"data\.join"):
        check(Config(data=DataConfig(join=share)))


@pytest.mark.parametrize(
    "sentences, split, join, hint",
    [
        (1, "sentence", 0.0, ""),
        (3, "line", 0.0, ""),
        (1, "line", 0.1, ""),
        (3, "sentence", 0.0, "decoding.split=line"),
        (1, "line", 0.0, "decoding.split=sentence, or data.join=0.1"),
    ],
)
def test_training_text_is_compared_with_what_translation_will_give(tmp_path, sentences, split, join, hint):
    for language, lines in (("de", GERMAN), ("en", ENGLISH)):
        text = "".join(" ".join(lines[first : first + sentences]) + "\n" for first in range(0, 300, sentences))
        (tmp_path / f"a.{language}").write_text(text, encoding="utf-8")
    corpus = CorpusConfig(kind="text", source=str(tmp_path / "a.de"), target=str(tmp_path / "a.en"))
    data = DataConfig(train=[corpus], join=join, cache=str(tmp_path / "cache"))
    findings = list(check_data(Config(data=data, decoding=DecodingConfig(split=split))))
    assert [finding.hint for finding in findings if "several sentences" in finding.text] == ([hint] if hint else [])
