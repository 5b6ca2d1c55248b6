"""Every setting of a run, as dataclasses: the one place where a default stands.

A recipe (YAML) is laid over these by Hydra in ``cli/compose.py``; ``from_dict`` reads them back from a run folder's ``config.yaml``.
Both end in ``check``, so an impossible combination fails at once, whichever way it came in.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

from translate.errors import UserError
from translate.values import build, flatten, line_range, short_repr

FORMAT = 2  # of a run folder's bundle
SEALED = 2  # the first format with a manifest (see bundle.py)


@dataclass
class CorpusConfig:
    """Where aligned sentence pairs come from. Which fields count depends on `kind`:

    ====================  ==========================================================================================
    ``text``              `source`, `target`: two files of the same number of lines
    ``tsv``               `path`: one file; `source`, `target`: column number from 1; cells have no quotes
    ``csv``               `path`: one file; `source`, `target`: column, by its name in the first row or by number where that row is missing
    ``jsonl``             `path`: one file, an object a line or all in an array; `source`, `target`: key, `translation.de` for a nested one
    ``parquet``           `path`: one file, or a folder of them; `source`, `target`: columns as in `jsonl`
    ``tmx``               `path`: a translation memory; the languages are those of `data`
    ``wmt``               `path`: a test set of WMT in XML, `config`: the translator of the reference (null = the first); or `source`, `target`: .sgm
    ``hub``               `path`: name of a Hugging Face data set, `config`, `split`; `source`, `target`: columns, `translation.de` for a nested one
    ``saved``             `path`: a folder written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`, `split`, columns as above
    ``phrasebook``        the built-in generated corpus: `split`; needs nothing else
    ====================  ==========================================================================================

    Files may be packed (.gz, .xz, .bz2, .zst).
    """

    kind: str = "text"
    path: str = ""
    source: str = ""
    target: str = ""
    config: Optional[str] = None
    revision: Optional[str] = None  # of a `hub` set: a branch, tag or commit; null = its newest
    split: str = "train"
    # `data.folder=DIR` reads DIR/<files>.<language> in place of the hub
    files: str = ""
    lines: Optional[str] = None  # its pairs from one to another, such as 1-1000, or 1001- to the last; null = all
    # passes over this corpus in an epoch: 2 = every pair twice, 0.5 = another half of the pairs each time
    weight: float = 1.0


@dataclass
class FilterConfig:
    """Training pairs that are left out; each rule is counted in the log and in report.json. Blank sides always are."""

    max_tokens: int = 256  # on either side, end mark included; at most model.max_tokens
    max_ratio: float = 3.0  # of the longer side to the shorter, in tokens; 0 = no limit
    min_ratio_tokens: int = 12  # a ratio says little where the longer side has fewer tokens than this
    identical: bool = True  # drop pairs whose two sides are the same text
    duplicates: bool = True  # drop repetitions of a pair, as the model sees them: white space and Unicode forms do not count


@dataclass
class DataConfig:
    source_language: str = "de"
    target_language: str = "en"
    folder: Optional[str] = None  # local text files in place of the hub: see CorpusConfig.files
    train: List[CorpusConfig] = field(default_factory=list)
    validation: List[CorpusConfig] = field(default_factory=list)
    test: Dict[str, CorpusConfig] = field(default_factory=dict)
    filters: FilterConfig = field(default_factory=FilterConfig)
    workers: int = 0  # threads that tokenise; 0 = one per core
    cache: Optional[str] = None  # folder of the tokenised corpora; null = ~/.cache/translate-nmt


@dataclass
class TokenizerConfig:
    """SentencePiece (Kudo and Richardson 2018), trained inside the run from the training side."""

    path: Optional[str] = None  # an existing SentencePiece model: copied into the run, nothing is trained
    kind: str = "bpe"  # bpe | unigram
    vocabulary: int = 8000  # pieces
    joint: bool = True  # one model for both languages
    normalization: str = "nmt_nfkc"  # nmt_nfkc | nfkc | identity
    character_coverage: float = 1.0
    symbols: List[str] = field(default_factory=list)  # never split, such as <placeholder>
    sentences: int = 2_000_000  # at most as many lines are read to train it
    sampling: float = 0.0  # BPE-dropout (Provilkov et al. 2020) or unigram smoothing (Kudo 2018) on training pairs; 0 = off


@dataclass
class ModelConfig:
    """The Transformer of "Attention is all you need" (Vaswani et al. 2017), section 3."""

    width: int = 256  # d_model
    heads: int = 4
    feedforward: int = 1024  # d_ff
    encoder_layers: int = 3
    decoder_layers: int = 3
    dropout: float = 0.1  # on each sublayer's output and on the embeddings (section 5.4)
    norm: str = "pre"  # pre | post (the paper's)
    max_tokens: int = 256  # longest source or target, end mark included


@dataclass
class OptimConfig:
    """Adam with the paper's constants (section 5.3) and a schedule over the whole budget."""

    schedule: str = "noam"  # noam | inverse_sqrt | linear | cosine
    rate: float = 1.0  # noam: factor of the paper's formula; else the peak learning rate
    warmup: int = 4000  # steps
    beta1: float = 0.9
    beta2: float = 0.98
    epsilon: float = 1e-9
    weight_decay: float = 0.0
    clip: float = 0.0  # greatest gradient norm; 0 = off
    label_smoothing: float = 0.1
    # alpha of R-Drop (Liang et al. 2021): each batch is seen twice, under two draws of dropout, and the two answers are drawn together; 0 = off
    r_drop: float = 0.0


@dataclass
class TrainingConfig:
    """Budget, batches, validation and what is kept. The first limit reached ends the run."""

    steps: int = 0  # 0 = no limit
    minutes: float = 0.0  # wall clock from the first step, validations included; 0 = no limit
    min_steps: int = 0  # the minutes end no run before so many steps: a slow or busy machine takes longer, and has a model all the same
    batch_tokens: int = 4096  # target tokens a step, padding included
    accumulate: int = 1  # batches a step: the gradient is that of one batch `accumulate` times as large
    validate_every: int = 1000  # steps
    validate_sentences: int = 0  # so many of the development set, spread evenly over it; 0 = all
    validate_beam: int = 1
    metric: str = "bleu"  # bleu | chrf (chrF++) | loss, on the development set: what makes a checkpoint the best
    patience: int = 0  # validations in a row that are no better; 0 = go on
    average: int = 5  # checkpoints averaged at the end, if that is better on the development set
    keep: int = 5  # checkpoints kept for averaging
    log_every: int = 50  # steps
    seed: int = 1
    device: str = "auto"  # auto | cpu | cuda | cuda:N
    precision: str = "auto"  # auto | fp32 | bf16
    threads: int = 0  # 0 = torch's choice
    compile: bool = False  # the model by torch.compile: a minute at the start, hardly faster on CPUs; needs a C++ compiler
    tensorboard: bool = False


@dataclass
class DecodingConfig:
    beam: int = 5
    # alpha of Wu et al. 2016, equation 14; null = the best of several on the development set, tried when the weights are chosen
    length_penalty: Optional[float] = None
    # an output may have max_ratio x source tokens + max_extra tokens
    max_ratio: float = 2.0
    max_extra: int = 20
    batch_tokens: int = 4096  # source tokens a batch, padding included, each counted `beam` times


@dataclass
class Config:
    run: str = "runs/unnamed"  # the run folder
    resume: bool = True  # go on with the run in that folder; false: put it aside and begin anew
    verify_resume: bool = False  # in place of training: prove that a short run of this recipe loses nothing when it is killed
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)


CHOICES = {
    "tokenizer.kind": ("bpe", "unigram"),
    "tokenizer.normalization": ("nmt_nfkc", "nfkc", "identity"),
    "model.norm": ("pre", "post"),
    "optim.schedule": ("noam", "inverse_sqrt", "linear", "cosine"),
    "training.metric": ("bleu", "chrf", "loss"),
    "training.precision": ("auto", "fp32", "bf16"),
}
CORPUS_KINDS = ("text", "tsv", "csv", "jsonl", "parquet", "tmx", "wmt", "hub", "saved", "phrasebook")

AT_LEAST_0 = (
    "tokenizer.sampling", "model.dropout", "optim.warmup", "optim.weight_decay", "optim.clip", "optim.label_smoothing", "optim.r_drop", "optim.beta1",
    "optim.beta2", "training.steps", "training.minutes", "training.min_steps", "training.validate_sentences", "training.patience", "training.threads",
    "training.seed", "decoding.length_penalty", "decoding.max_ratio", "data.filters.max_ratio",
    "data.filters.min_ratio_tokens", "data.workers",
)  # fmt: skip
AT_LEAST_1 = (
    "tokenizer.vocabulary", "tokenizer.sentences", "model.width", "model.heads", "model.feedforward", "model.encoder_layers",
    "model.decoder_layers", "training.batch_tokens", "training.accumulate", "training.validate_every", "training.validate_beam",
    "training.average", "training.keep", "training.log_every", "decoding.beam", "decoding.max_extra", "decoding.batch_tokens",
    "data.filters.max_tokens",
)  # fmt: skip
AT_MOST = {  # far beyond any use: what is greater is a slip, or would take memory or time without end before it failed
    "data.filters.max_ratio": 1e6, "data.filters.min_ratio_tokens": 10**6, "data.workers": 4096,
    "tokenizer.vocabulary": 10**6, "tokenizer.character_coverage": 1.0, "tokenizer.sampling": 0.9,
    "model.encoder_layers": 1000, "model.decoder_layers": 1000, "model.width": 1 << 20, "model.heads": 1 << 16, "model.feedforward": 1 << 24,
    "model.dropout": 0.9, "optim.rate": 1000.0, "optim.warmup": 10**9, "optim.epsilon": 0.1, "optim.weight_decay": 1000.0, "optim.clip": 1e9,
    "optim.label_smoothing": 0.9, "optim.r_drop": 1000.0,
    "training.steps": 10**12, "training.minutes": 1e7, "training.min_steps": 10**12, "training.batch_tokens": 10**8, "training.accumulate": 10**6,
    "training.validate_every": 10**12, "training.validate_beam": 1000, "training.patience": 10**9, "training.average": 1000, "training.keep": 10**6,
    "training.log_every": 10**9, "training.seed": 2**63 - 1, "training.threads": 4096,
    "decoding.beam": 1000, "decoding.length_penalty": 3.0, "decoding.max_ratio": 1000.0, "decoding.max_extra": 10**6, "decoding.batch_tokens": 10**8,
}  # fmt: skip
POSITIONS = 1 << 28  # numbers in the table of positions, 1 GB
MOST_PASSES = 10**9  # over a corpus in an epoch
ABOVE_0 = ("tokenizer.character_coverage", "optim.rate", "optim.epsilon")
BELOW_ONE = ("optim.beta1", "optim.beta2")


def check(config: Config) -> Config:
    """Return `config` unchanged if it can be run; else UserError that names the key, the value and the way out."""
    if not config.run.strip():
        raise UserError("run is empty: name a folder, such as run=runs/first")
    flat = flatten(dataclasses.asdict(config))
    for key, allowed in CHOICES.items():
        if flat[key] not in allowed:
            raise UserError(f"{key} is {short_repr(flat[key])}: choose one of {', '.join(allowed)}")
    for key, value in flat.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{key} is {value}: it must be a finite number")
    for keys, least in ((AT_LEAST_0, 0), (AT_LEAST_1, 1)):
        for key in keys:
            if flat[key] is not None and not flat[key] >= least:  # this way round, so that NaN fails too
                raise UserError(f"{key} is {short_repr(flat[key])}: it must be at least {least}")
    for key, most in AT_MOST.items():
        if flat[key] is not None and flat[key] > most:
            raise UserError(f"{key} is {short_repr(flat[key])}: it must be at most {f'{most:,}' if isinstance(most, int) else f'{most:g}'}")
    for key in ABOVE_0:
        if not flat[key] > 0:
            raise UserError(f"{key} is {flat[key]}: it must be above 0")
    for key in BELOW_ONE:
        if flat[key] >= 1:
            raise UserError(f"{key} is {flat[key]}: it must be below 1")
    model = config.model
    if model.width % model.heads:
        raise UserError(f"model.width ({model.width}) must be a multiple of model.heads ({model.heads})")
    if model.max_tokens < 2:
        raise UserError(f"model.max_tokens is {model.max_tokens}: it must be at least 2, one token and the end mark")
    if model.max_tokens * model.width > POSITIONS:
        raise UserError(
            f"model.max_tokens is {short_repr(model.max_tokens)}: with model.width {model.width} at most {POSITIONS // model.width:,} fit in 1 GB"
        )
    if model.width % 2:
        raise UserError(f"model.width ({model.width}) must be even: sinusoidal positions come in pairs of sine and cosine")
    longest = config.data.filters.max_tokens
    if longest > model.max_tokens:
        raise UserError(f"data.filters.max_tokens ({longest}) must be at most model.max_tokens ({model.max_tokens}): it has no position beyond")
    if config.training.average > config.training.keep:
        raise UserError(f"training.average ({config.training.average}) needs as many checkpoints: raise training.keep ({config.training.keep})")
    corpora = [*config.data.train, *config.data.validation, *config.data.test.values()]
    for corpus in corpora:
        if corpus.kind not in CORPUS_KINDS:
            raise UserError(f"kind of a corpus is {short_repr(corpus.kind)}: choose one of {', '.join(CORPUS_KINDS)}")
        if corpus.lines is not None:
            line_range(corpus.lines)
        if not 0 < corpus.weight <= MOST_PASSES:  # nor NaN
            limits = "more than 0" if not corpus.weight > 0 else f"at most {MOST_PASSES:,}"
            raise UserError(f"weight of a corpus ({corpus.path or corpus.source or corpus.kind}) is {corpus.weight}: it must be {limits}")
    return config


def check_budget(config: Config) -> Config:
    """`check`, and what only training needs: a corpus and an end."""
    check(config)
    if not config.data.train:
        raise UserError("data.train is empty: choose a corpus (data=phrasebook, data=multi30k, ...) or list one in your recipe")
    if not config.training.steps and not config.training.minutes:
        raise UserError("training.steps and training.minutes are both 0: set one, or the run has no end")
    return config


def from_dict(values: Any) -> Config:
    """From plain values. UserError names an unknown key or a wrong type."""
    return build(values, Config)


def differences(old: Config, new: Config) -> list[tuple[str, Any, Any]]:
    """(key, old value, new value) of all settings on which the two differ; None for what is not there."""
    a, b = flatten(dataclasses.asdict(old)), flatten(dataclasses.asdict(new))
    return [(key, a.get(key), b.get(key)) for key in dict.fromkeys([*b, *a]) if a.get(key) != b.get(key)]


def first_difference(old: Config, new: Config, ignore: Sequence[str] = ()) -> Optional[str]:
    """The first key on which the two differ and that is not in `ignore` nor under one there, with both values; None if there is none."""
    for key, before, now in differences(old, new):
        if not any(key == name or key.startswith(f"{name}.") for name in ignore):
            return f"{key} is {now!r} now and was {before!r}"
    return None
