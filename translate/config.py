"""All settings of a run as dataclasses, with defaults and bounds.

Hydra merges a recipe (YAML) into them in compose/; `from_dict` reads them from a run folder's config.yaml. `check` refuses impossible
combinations.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

from translate.bounds import bounded, check_bounds, check_families, choice, of_families, plain
from translate.bounds import used_settings as used_settings
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.values import build, flatten, short_repr

TRANSFORMERS = ("encoder_decoder", "decoder_only", "language_model", "masked_lm")
ENCODERS = ("encoder_decoder", "recurrent", "masked_lm")
POSITIONS = 1 << 28  # numbers in the table of positions, 1 GB


@dataclass
class CorpusConfig:
    """A source of aligned sentence pairs. Which fields are used depends on `kind`:

    ====================  ==========================================================================================
    ``text``              `source`, `target`: two files of the same number of lines
    ``tsv``               `path`: one file; `source`, `target`: column number from 1; cells have no quotes
    ``csv``               `path`: one file; `source`, `target`: column, by its name in the first row or, without such a row, by number
    ``jsonl``             `path`: one file, one object per line or all in an array; `source`, `target`: key, `translation.de` for a nested one
    ``parquet``           `path`: one file, or a folder of them; `source`, `target`: columns as in `jsonl`
    ``tmx``               `path`: a translation memory; the languages are those of `data`
    ``wmt``               `path`: a test set of WMT in XML, `config`: the translator of the reference (null = the first); or `source`, `target`: .sgm
    ``hub``               `path`: name of a Hugging Face data set, `config`, `split`; `source`, `target`: columns, `translation.de` for a nested one
    ``saved``             `path`: a folder written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`, `split`, columns as above
    ``phrasebook``        the built-in generated corpus: `split`
    ====================  ==========================================================================================

    Files may be compressed (.gz, .xz, .bz2, .zst).
    """

    kind: str = choice("text", "tsv", "csv", "jsonl", "parquet", "tmx", "wmt", "hub", "saved", "phrasebook")
    path: str = ""
    source: str = ""
    target: str = ""
    config: Optional[str] = None
    revision: Optional[str] = None  # of a `hub` set: a branch, tag or commit; null = its newest
    split: str = "train"
    # `data.folder=DIR` reads DIR/<files>.<language> instead of the hub
    files: str = ""
    lines: Optional[str] = None  # a range of its pairs, such as 1-1000, or 1001- to the end; null = all
    # passes over this corpus per epoch: 2 = every pair twice, 0.5 = a different half of the pairs each time
    weight: float = bounded(1.0, above=0, most=10**9)


@dataclass
class FilterConfig:
    """Which training pairs are left out, besides those with a blank side; each rule is counted in the log and in report.json."""

    max_tokens: int = bounded(256, least=1)  # on either side, end mark included; at most model.max_tokens
    max_ratio: float = bounded(3.0, least=0, most=1e6)  # of the longer side to the shorter, in tokens; 0 = no limit
    min_ratio_tokens: int = bounded(12, least=0, most=10**6)  # max_ratio applies if the longer side has at least this many tokens
    identical: bool = True  # drop pairs whose two sides are the same text
    duplicates: bool = True  # drop repetitions of a pair; white space and Unicode forms are ignored, as in the tokenizer


@dataclass
class DataConfig:
    source_language: str = "de"
    target_language: str = "en"
    folder: Optional[str] = None  # local text files instead of the hub: see CorpusConfig.files
    train: List[CorpusConfig] = field(default_factory=list)
    validation: List[CorpusConfig] = field(default_factory=list)
    test: Dict[str, CorpusConfig] = field(default_factory=dict)
    filters: FilterConfig = field(default_factory=FilterConfig)
    # share of the training examples made of two to four consecutive pairs, joined with a space, instead of one; every pair is in one example
    join: float = bounded(0.0, least=0, most=1.0)
    # share of the training pairs that get placeholder symbols at the same places of both sides, to teach that they are kept; 0 = no symbols
    placeholders: float = bounded(0.0, least=0, most=1.0)
    workers: int = bounded(0, least=0, most=4096)  # threads that tokenise; 0 = one per core
    cache: Optional[str] = None  # folder of the tokenised corpora; null = ~/.cache/translate-nmt


@dataclass
class TokenizerConfig:
    """SentencePiece (Kudo and Richardson 2018), trained in the run on the training data."""

    path: Optional[str] = None  # an existing SentencePiece model, copied into the run instead of training one
    kind: str = choice("bpe", "unigram")
    vocabulary: int = bounded(8000, least=1, most=10**6)  # pieces
    joint: bool = True  # one model for both languages
    # nfc: composed characters, one kind of space, nothing invisible (text/normalize.py); the others are SentencePiece's
    normalization: str = choice("nfc", "nmt_nfkc", "nfkc", "identity")
    character_coverage: float = bounded(1.0, above=0, most=1.0)
    symbols: List[str] = field(default_factory=list)  # never split, such as <placeholder>
    sentences: int = bounded(2_000_000, least=1)  # lines to train it on, at most
    # BPE-dropout (Provilkov et al. 2020) or unigram smoothing (Kudo 2018) on training pairs; 0 = off
    sampling: float = bounded(0.0, least=0, most=0.9)


@dataclass
class ModelConfig:
    """The Transformer of "Attention is all you need" (Vaswani et al. 2017), section 3, and its relatives: see docs/families.md.

    A setting that the family doesn't use must have its default; a number of layers may also be 0.
    """

    family: str = choice("encoder_decoder", "decoder_only", "recurrent", "language_model", "masked_lm", "markov")
    width: int = bounded(256, least=1, most=1 << 20)  # d_model
    heads: int = bounded(4, least=1, most=1 << 16)
    feedforward: int = of_families(bounded(1024, least=1, most=1 << 24), *TRANSFORMERS)  # d_ff
    encoder_layers: int = of_families(bounded(3, least=0, most=1000), *ENCODERS)
    decoder_layers: int = of_families(bounded(3, least=0, most=1000), "encoder_decoder", "decoder_only", "recurrent", "language_model")
    dropout: float = bounded(0.1, least=0, most=0.9)  # on each sublayer's output and on the embeddings (section 5.4)
    norm: str = of_families(choice("pre", "post"), *TRANSFORMERS)  # post: the paper's
    max_tokens: int = bounded(256, least=2)  # longest source or target, end mark included
    activation: str = of_families(choice("relu", "silu", "gelu"), *TRANSFORMERS)  # of the feed-forward layers; relu: the paper's
    positions: str = of_families(choice("sinusoidal", "learned"), *TRANSFORMERS)  # learned: Gehring et al. 2017
    # Three habits of Marian's models, for `translate import`: a bias for each piece in the output layer; embeddings that are not multiplied by
    # sqrt(width); and two tokenizers (tokenizer.joint=false) that cut source and target into the same pieces, which have one embedding.
    output_bias: bool = of_families(plain(False), "encoder_decoder")
    scale_embedding: bool = of_families(plain(True), "encoder_decoder")
    shared_pieces: bool = of_families(plain(False), "encoder_decoder")
    # score of the cross-attention (Bahdanau et al. 2015, Graves et al. 2014, Luong et al. 2015); only scaled_dot, the paper's, has kernels
    attention: str = of_families(choice("scaled_dot", "dot", "general", "additive", "cosine", "location"), "encoder_decoder", "recurrent")
    window: int = of_families(bounded(0, least=0, most=10**6), "encoder_decoder", "recurrent")  # D of local attention (Luong et al. 2015); 0 = global
    window_center: str = of_families(choice("predicted", "monotonic"), "encoder_decoder", "recurrent")
    cell: str = of_families(choice("gru", "lstm"), "recurrent")
    prefix: str = of_families(choice("bidirectional", "causal"), "decoder_only")  # how a source token sees the source
    loss_on: str = of_families(choice("target", "all"), "decoder_only")  # all: source tokens too, in training and in the losses of the log
    order: int = of_families(bounded(3, least=1, most=5), "markov")  # n of the n-grams
    smoothing: str = of_families(choice("kneser_ney", "none"), "markov")


@dataclass
class InitConfig:
    """Weights of other runs that a new run starts from. They are read once: its first save has them, so it resumes without the other run."""

    encoder: Optional[str] = None  # run folder, such as a masked_lm's, with the same tokenizer: encoder and source embedding


@dataclass
class OptimConfig:
    """Adam with the paper's constants (section 5.3) and a schedule over the whole budget."""

    schedule: str = choice("noam", "inverse_sqrt", "linear", "cosine")
    rate: float = bounded(1.0, above=0, most=1000.0)  # noam: factor of the paper's formula; else the peak learning rate
    warmup: int = bounded(4000, least=0, most=10**9)  # steps
    beta1: float = bounded(0.9, least=0, below=1)
    beta2: float = bounded(0.98, least=0, below=1)
    epsilon: float = bounded(1e-9, above=0, most=0.1)
    weight_decay: float = bounded(0.0, least=0, most=1000.0)
    clip: float = bounded(0.0, least=0, most=1e9)  # greatest gradient norm; 0 = off
    label_smoothing: float = bounded(0.1, least=0, most=0.9)
    # alpha of R-Drop (Liang et al. 2021): each batch runs twice with different dropout, and the divergence of the two outputs is penalised; 0 = off
    r_drop: float = bounded(0.0, least=0, most=1000.0)


@dataclass
class TrainingConfig:
    """Budget, batches, validation and checkpoints. The first limit reached ends the run."""

    steps: int = bounded(0, least=0, most=10**12)  # 0 = no limit
    minutes: float = bounded(0.0, least=0, most=1e7)  # wall clock from the first step, validations included; 0 = no limit
    # `minutes` doesn't end a run before this many steps: a slow or busy machine takes longer, but gets a usable model
    min_steps: int = bounded(0, least=0, most=10**12)
    batch_tokens: int = bounded(4096, least=1, most=10**8)  # target tokens per batch, padding included
    accumulate: int = bounded(1, least=1, most=10**6)  # batches per step: the gradient is that of one batch `accumulate` times as large
    validate_every: int = bounded(1000, least=1, most=10**12)  # steps
    validate_sentences: int = bounded(0, least=0)  # of the development set, spread evenly over it; 0 = all
    validate_beam: int = bounded(1, least=1, most=1000)
    # chooses the best checkpoint, on the development set; chrf: chrF++
    metric: str = choice("bleu", "chrf", "loss")
    patience: int = bounded(0, least=0, most=10**9)  # validations without improvement before the run ends; 0 = no limit
    average: int = bounded(5, least=1, most=1000)  # checkpoints averaged at the end, if that is better on the development set
    keep: int = bounded(5, least=1, most=10**6)  # checkpoints kept for averaging
    # decay of an exponential moving average of the weights, which is then what is validated, kept and averaged: 0.999 looks back on some 1,000
    # steps; 0 = off
    ema: float = bounded(0.0, least=0, below=1)
    log_every: int = bounded(50, least=1, most=10**9)  # steps
    seed: int = bounded(1, least=0, most=2**63 - 1)
    device: str = "auto"  # auto | cpu | cuda | cuda:N
    precision: str = choice("auto", "fp32", "bf16")
    threads: int = bounded(0, least=0, most=4096)  # 0 = torch's choice
    compile: bool = False  # use torch.compile: a minute at the start, hardly faster on CPUs; needs a C++ compiler
    tensorboard: bool = False


@dataclass
class DecodingConfig:
    beam: int = bounded(5, least=1, most=1000)
    # alpha of Wu et al. 2016, equation 14; null = the best of several on the development set, chosen after the weights
    length_penalty: Optional[float] = bounded(None, least=0, most=3.0)
    # what the model gets as one source: line is for models trained on paragraphs
    split: str = choice("sentence", "line")
    # an output may have max_ratio x source tokens + max_extra tokens
    max_ratio: float = bounded(2.0, least=0, most=1000.0)
    max_extra: int = bounded(20, least=1, most=10**6)
    # source tokens per batch, padding included, each counted `beam` times; null = 4,096 on a CPU, 32,768 on a GPU
    batch_tokens: Optional[int] = bounded(None, least=1, most=10**8)


@dataclass
class Config:
    """All settings of a run, a section for each group of `conf/`."""

    run: str = "runs/unnamed"  # the run folder
    resume: bool = True  # continue the run in that folder; false: rename that folder and start over
    verify_resume: bool = False  # instead of training, prove that a short run of this recipe resumes exactly after it was killed
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    init: InitConfig = field(default_factory=InitConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)


def check(config: Config) -> Config:
    """Return `config` unchanged. UserError with the key, the value and what is allowed if it can't be run."""
    if not config.run.strip():
        raise UserError("run is empty: name a folder, such as run=runs/first")
    check_bounds(config)
    check_families(config.model, "model")
    model, longest, training = config.model, config.data.filters.max_tokens, config.training
    if model.width % model.heads:
        raise UserError(f"model.width ({model.width}) must be a multiple of model.heads ({model.heads})")
    if model.width % 2:
        raise UserError(f"model.width ({model.width}) must be even: sinusoidal positions come in pairs of sine and cosine")
    if model.shared_pieces and config.tokenizer.joint:
        raise UserError("model.shared_pieces has no effect with one tokenizer for both languages: leave it out, or set tokenizer.joint=false")
    if model.max_tokens > (most := POSITIONS // model.width):
        raise UserError(f"model.max_tokens is {short_repr(model.max_tokens)}: with model.width {model.width} at most {most:,} fit in 1 GB")
    if not model.window and model.window_center != ModelConfig.window_center:
        raise UserError(f"model.window_center ({model.window_center}) has no effect without a window: set model.window, or leave it out")
    if model.loss_on == "all" and not config.tokenizer.joint:
        raise UserError("model.loss_on=all needs tokenizer.joint=true: the output layer has the pieces of the target's tokenizer alone")
    if longest > model.max_tokens:
        raise UserError(f"data.filters.max_tokens ({longest}) must be at most model.max_tokens ({model.max_tokens}): there is no position beyond")
    if training.average > training.keep:
        raise UserError(f"training.average ({training.average}) needs as many checkpoints: raise training.keep ({training.keep})")
    if model.family == "masked_lm" and not config.tokenizer.joint:
        raise UserError("tokenizer.joint is false: model.family=masked_lm guesses tokens of both languages with one tokenizer; set it to true")
    if config.init.encoder is not None and (model.family not in ENCODERS or model.family not in TRANSFORMERS):
        kind = "no Transformer's encoder" if model.family in ENCODERS else "no encoder"
        raise UserError(f"init.encoder ({config.init.encoder}) has no effect with model.family={model.family}, which has {kind}: leave it out")
    for corpus in (*config.data.train, *config.data.validation, *config.data.test.values()):
        if corpus.lines is not None:
            line_range(corpus.lines)
    return config


def check_budget(config: Config) -> Config:
    """`check`, plus what training needs: a corpus and a limit."""
    check(config)
    if not config.data.train:
        raise UserError("data.train is empty: choose a corpus (data=phrasebook, data=multi30k, ...) or list one in your recipe")
    if not config.training.steps and not config.training.minutes:
        raise UserError("training.steps and training.minutes are both 0: set one, or the run never ends")
    return config


def line_range(text: str) -> tuple[int, Optional[int]]:
    """First and last line, from 1, of "1-1000"; of "1001-" the last is None. UserError for anything else."""
    match = re.fullmatch(r"([0-9]{1,12})-([0-9]{1,12})?", text)
    first, last = (int(match[1]), int(match[2]) if match[2] else None) if match else (0, None)
    if first < 1 or (last is not None and last < first):
        raise UserError(f"lines of a corpus is {short_repr(text)}: give the first and the last, such as 1-1000, or 1001- for all from there on")
    return first, last


def from_dict(values: Any) -> Config:
    """A Config from plain values, with `~` expanded in the paths of data and tokenizer. UserError for an unknown key or a wrong type."""
    config = build(values, Config)
    data = config.data
    paths: list[tuple[Any, str]] = [(data, "folder"), (data, "cache"), (config.tokenizer, "path"), (config.init, "encoder")]
    for corpus in (*data.train, *data.validation, *data.test.values()):
        names = ("path", "source", "target") if corpus.kind in ("text", "wmt") else ("path",)  # for other kinds, source and target are columns
        paths += [(corpus, name) for name in names]
    for section, name in paths:
        if path := getattr(section, name):
            setattr(section, name, expand_path(path))
    return config


def differences(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """(key, old value, new value) of all settings that differ; None for a missing one."""
    a, b = flatten(dataclasses.asdict(old)), flatten(dataclasses.asdict(new))
    return [(key, a.get(key), b.get(key)) for key in dict.fromkeys([*b, *a]) if a.get(key) != b.get(key)]


def first_difference(old: Config, new: Config, ignore: Sequence[str] = ()) -> Optional[str]:
    """The first difference, with both values, except in the keys of `ignore` and below them; None if there is none."""
    for key, before, now in differences(old, new):
        if not any(key == name or key.startswith(f"{name}.") for name in ignore):
            return f"{key} is {now!r} now and was {before!r}"
    return None
