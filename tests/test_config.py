"""Settings: an impossible one is refused by a message with the key, the value and what to do; what is valid survives a round trip."""

from __future__ import annotations

import math
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.bounds import bounds_of
from translate.config import Config, CorpusConfig, DataConfig, ModelConfig, check, check_budget, from_dict
from translate.errors import UserError
from translate.values import first_difference, flatten, to_values, unknown_key

# where they are not left open
DEFAULTS = {**flatten(to_values(Config())), "decoding.length_penalty": 1.0, "decoding.batch_tokens": 4096}
BOUNDS = {key: bounds_of(Config, key) for key in DEFAULTS}
CHOICES = {key: bounds.choices for key, bounds in BOUNDS.items() if bounds.choices}
LEAST, MOST, ABOVE, BELOW = (
    {key: value for key, bounds in BOUNDS.items() if math.isfinite(value := getattr(bounds, name))} for name in ("least", "most", "above", "below")
)
LIMITS = {**LEAST, **ABOVE}


def changed(**keys: object) -> Config:
    """The defaults with keys such as `model__width=3`."""
    values = to_values(Config())
    for key, value in keys.items():
        section, *path = key.split("__")
        at = values
        for part in (parts := [section, *path])[:-1]:
            at = at[part]
        assert parts[-1] in at
        at[parts[-1]] = value
    return from_dict(values)


def set_key(key: str, value: object) -> Config:
    return changed(**{key.replace(".", "__"): value})


def test_the_defaults_are_possible():
    assert check(Config()) == Config()


def test_every_number_has_a_limit():
    """A new setting that is a number needs an answer to what is too small."""
    numbers = {key for key, value in DEFAULTS.items() if isinstance(value, (int, float)) and not isinstance(value, bool)}
    assert numbers == {*LIMITS}
    assert {key: LIMITS[key] for key in ("model.heads", "training.steps", "model.max_tokens", "optim.rate")} == {
        "model.heads": 1, "training.steps": 0, "model.max_tokens": 2, "optim.rate": 0
    }  # fmt: skip


def test_bounds_of_a_key_that_does_not_exist_are_none():
    assert bounds_of(Config, "modle.width") == bounds_of(Config, "model.widht") == bounds_of(Config, "run.x") == bounds_of(Config, "data.train.0")


@pytest.mark.parametrize("key", CHOICES)
def test_an_unknown_choice_lists_the_choices(key):
    with pytest.raises(ValueError) as caught:
        check(set_key(key, "nonsense"))
    assert key in str(caught.value) and "'nonsense'" in str(caught.value)
    assert all(choice in str(caught.value) for choice in CHOICES[key])


@pytest.mark.parametrize("key", LIMITS)
def test_a_number_below_its_limit_is_refused(key):
    kind, bound = type(DEFAULTS[key]), LIMITS[key]
    too_small = kind(0) if key in ABOVE else kind(bound - 1)
    with pytest.raises(ValueError) as caught:
        check(set_key(key, too_small))
    assert str(caught.value) == f"{key} is {too_small}: it must be {'above' if key in ABOVE else 'at least'} {bound}"


@pytest.mark.parametrize("key", MOST)
def test_a_number_that_can_t_be_meant_is_refused(key):
    most = MOST[key]
    with pytest.raises(ValueError, match=f"{re.escape(key)} is .*: it must be at most "):
        check(set_key(key, most * 1.01 if isinstance(DEFAULTS[key], float) else most + 1))
    assert type(most) is type(DEFAULTS[key]) and DEFAULTS[key] <= most


def test_the_greatest_dropout_leaves_a_byte_of_256_to_keep():
    """Masks come from random bytes: a rate that rounds to 256 of 256 would divide by zero."""
    import torch

    from translate.kernels.dropout import dropout_mask

    torch.manual_seed(1)
    mask = dropout_mask(torch.empty(1000), MOST["model.dropout"])
    assert torch.isfinite(mask).all() and 0 < float((mask > 0).float().mean()) < 0.2


@pytest.mark.parametrize("key", [key for key in LIMITS if isinstance(DEFAULTS[key], float)])
def test_nan_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} is nan"):
        check(set_key(key, math.nan))


@pytest.mark.parametrize("key", BELOW)
def test_a_share_of_one_or_more_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} is 1.0: it must be below 1"):
        check(set_key(key, 1.0))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model__width": 500, "model__heads": 8}, "model.width (500) must be a multiple of model.heads (8)"),
        ({"model__width": 15, "model__heads": 5}, "model.width (15) must be even"),
        ({"training__average": 8, "training__keep": 5}, "training.average (8) needs as many checkpoints: raise training.keep (5)"),
        ({"model__max_tokens": 1, "data__filters__max_tokens": 1}, "model.max_tokens is 1: it must be at least 2"),
        ({"data__filters__max_tokens": 300}, "data.filters.max_tokens (300) must be at most model.max_tokens (256)"),
        ({"run": " "}, "run is empty"),
        ({"decoding__length_penalty": 3.5}, "decoding.length_penalty is 3.5: it must be at most 3"),
        ({"data__train": [{"kind": "xlsx"}]}, "data.train[0].kind is 'xlsx': choose one of text, tsv, csv, jsonl"),
        ({"data__validation": [{"kind": "xml"}]}, "'xml'"),
        ({"data__test": {"dev": {"kind": "sgm"}}}, "data.test.dev.kind is 'sgm'"),
        ({"data__train": [{"source": "a.de", "weight": 0.0}]}, "data.train[0].weight is 0.0: it must be above 0"),
        ({"data__train": [{"source": "a.de", "weight": 1e12}]}, "data.train[0].weight is 1000000000000.0: it must be at most 1,000,000,000"),
        ({"data__train": [{"path": "b", "weight": math.nan}]}, "data.train[0].weight is nan"),
    ],
)
def test_an_impossible_combination_names_the_values(keys, message):
    with pytest.raises(ValueError) as caught:
        check(changed(**keys))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"model__order": 2}, "model.order (2) has no effect with model.family=encoder_decoder: leave it out"),
        ({"model__family": "decoder_only", "model__encoder_layers": 2}, "model.encoder_layers (2) has no effect with model.family=decoder_only: set"),
        ({"model__family": "decoder_only", "model__decoder_layers": 0}, "model.decoder_layers is 0: model.family=decoder_only needs at least 1"),
        ({"model__decoder_layers": 0}, "model.decoder_layers is 0: model.family=encoder_decoder needs at least 1"),
    ],
)
def test_a_setting_that_the_family_does_not_use_is_refused(keys, message):
    with pytest.raises(UserError, match=re.escape(message)):
        check(changed(**keys))


@pytest.mark.parametrize("layers", [0, 3])
def test_layers_that_the_family_does_not_have_may_be_none_or_the_default(layers):
    assert check(changed(model__family="language_model", model__encoder_layers=layers))


def test_training_needs_a_corpus_and_an_end():
    corpus = {"kind": "phrasebook"}
    with pytest.raises(ValueError, match="data.train is empty: choose a corpus"):
        check_budget(changed(training__steps=1))
    with pytest.raises(ValueError, match="training.steps and training.minutes are both 0"):
        check_budget(changed(data__train=[corpus]))
    for end in ({"training__steps": 1}, {"training__minutes": 0.5}):
        config = changed(data__train=[corpus], **end)
        assert check_budget(config) is config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": {"widht": 3}}, "unknown key model.widht: did you mean model.width?"),
        ({"modle": {}}, "unknown key modle: did you mean model?"),
        ({"optim": {"zzz": 3}}, "unknown key optim.zzz: known are schedule, rate, warmup"),
        ({"data": {"filters": {"max_tokns": 3}}}, "unknown key data.filters.max_tokns: did you mean data.filters.max_tokens?"),
        ({"data": {"train": [{}, {"knid": "tsv"}]}}, "unknown key data.train[1].knid: did you mean data.train[1].kind?"),
        ({"data": {"test": {"dev": {"pth": "x"}}}}, "unknown key data.test.dev.pth: did you mean data.test.dev.path?"),
        ({"model": {"width": "256"}}, "model.width is '256': it must be a whole number"),
        ({"model": {"width": 256.0}}, "model.width is 256.0: it must be a whole number"),
        ({"model": {"width": True}}, "model.width is True: it must be a whole number"),
        ({"model": {"width": None}}, "model.width is None: it must be a whole number"),
        ({"optim": {"rate": True}}, "optim.rate is True: it must be a number"),
        ({"optim": {"rate": "1e-3"}}, "optim.rate is '1e-3': it must be a number"),
        ({"training": {"tensorboard": 1}}, "training.tensorboard is 1: it must be true or false"),
        ({"data": {"folder": 3}}, "data.folder is 3: it must be text"),
        ({"data": {"train": {"kind": "tsv"}}}, "data.train must be a list"),
        ({"data": {"train": ["phrasebook"]}}, "data.train[0] must be a mapping, not 'phrasebook'"),
        ({"data": {"test": []}}, "data.test must be a mapping"),
        ({"tokenizer": {"symbols": "<a>"}}, "tokenizer.symbols must be a list"),
        ({"model": [1]}, "model must be a mapping"),
        ([], "the configuration must be a mapping"),
        (None, "the configuration must be a mapping"),
    ],
)
def test_reading_names_the_key_that_is_wrong(values, message):
    with pytest.raises(ValueError) as caught:
        from_dict(values)
    assert str(caught.value).startswith(message)


def test_reading_fills_in_defaults_and_takes_whole_numbers_for_floats():
    config = from_dict({"model": {"width": 8}, "optim": {"rate": 2}, "data": {"test": {"dev": {"kind": "phrasebook", "split": "test"}}}})
    assert config.model == ModelConfig(width=8)
    assert config.optim.rate == 2.0 and isinstance(config.optim.rate, float)
    assert config.data.test == {"dev": CorpusConfig(kind="phrasebook", split="test")}


paths = st.text(st.characters(codec="utf-8", exclude_characters="\x85~\0"), max_size=8)  # PyYAML itself loses U+0085; ~ is a home folder
corpora = st.builds(CorpusConfig, path=paths, source=paths, config=st.none() | paths, weight=st.floats(1e-9, 1e9))


@settings(deadline=None, max_examples=50, database=None)
@given(
    train=st.lists(corpora, max_size=3),
    test=st.dictionaries(paths, corpora, max_size=2),
    symbols=st.lists(paths, max_size=2),
    rate=st.floats(1e-12, 1e12),
    folder=st.none() | paths,
)
def test_a_round_trip_through_yaml_changes_nothing(train, test, symbols, rate, folder):
    config = Config(run="runs/x")
    config.data.train, config.data.test, config.data.folder = train, test, folder
    config.tokenizer.symbols, config.optim.rate = symbols, rate
    text = yaml.safe_dump(to_values(config), sort_keys=False, allow_unicode=True)
    assert from_dict(yaml.safe_load(text)) == config
    assert first_difference(config, from_dict(yaml.safe_load(text))) is None


def test_paths_begin_in_a_home_folder_and_columns_and_names_do_not(tmp_path, monkeypatch):
    home = str(tmp_path)
    monkeypatch.setenv("HOME", home)
    corpora = [
        {"source": "~/a.de", "target": "~/a.en"},
        {"kind": "tsv", "path": "~/a.tsv", "source": "~1"},
        {"kind": "hub", "path": "~/set", "source": "~"},
    ]
    config = from_dict({"data": {"train": corpora, "folder": "~", "cache": "~/cache"}, "tokenizer": {"path": "~/spm.model"}})
    text, tsv, hub = config.data.train
    assert (text.source, text.target, tsv.path, tsv.source, hub.path, hub.source) == (
        f"{home}/a.de", f"{home}/a.en", f"{home}/a.tsv", "~1", f"{home}/set", "~",
    )  # fmt: skip
    assert (config.data.folder, config.data.cache, config.tokenizer.path) == (home, f"{home}/cache", f"{home}/spm.model")


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ({"a": {"b": 1, "c": {"d": 2}}}, {"a.b": 1, "a.c.d": 2}),
        ({"a": [1, {"b": 2}]}, {"a.0": 1, "a.1.b": 2}),
        ({"a": {}, "b": [], "c": None}, {"a": {}, "b": [], "c": None}),
    ],
)
def test_flatten(values, flat):
    assert flatten(values) == flat


def test_first_difference_names_key_and_both_values():
    old, new = changed(data__train=[{"path": "a"}, {"path": "b"}]), changed(data__train=[{"path": "a"}])
    assert first_difference(old, old) is None
    assert first_difference(changed(model__width=8), changed(model__width=16)) == "model.width is 16 now and was 8"
    assert first_difference(changed(run="a"), changed(run="b"), ignore=["run"]) is None
    assert "data.train.1" in first_difference(old, new)
    assert "data.train.1" in first_difference(new, old)


def test_the_nearest_key_is_named():
    assert unknown_key("model", "drop_out", ["dropout", "width"]) == "unknown key model.drop_out: did you mean model.dropout?"
    assert unknown_key("", "qqq", ["run", "data"]) == "unknown key qqq: known are run, data"


@pytest.mark.parametrize("lines", ["", "8", "0-8", "9-8", "-8", "1-8-9", "a-b", "1 - 8"])
def test_lines_that_are_none(lines):
    with pytest.raises(UserError, match=r"lines of a corpus is .*: give the first and the last, such as 1-1000"):
        check(Config(data=DataConfig(train=[CorpusConfig(kind="phrasebook", lines=lines)])))
