"""All settings of a run as dataclasses, with defaults and bounds.

Hydra merges a recipe (YAML) into them in compose/; `from_dict` reads them from a run folder's config.yaml. `check` refuses impossible
combinations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Optional, TypeVar

from translate.bounds import bounded, check_bounds, check_families, choice, of_families, plain
from translate.bounds import used_settings as used_settings
from translate.corpus_config import OF_PAIRS, ONE_TEXT, TRANSLATING, check_domain
from translate.corpus_config import CorpusConfig as CorpusConfig
from translate.corpus_config import DataConfig as DataConfig
from translate.corpus_config import FilterConfig as FilterConfig
from translate.corpus_config import line_range as line_range
from translate.errors import UserError
from translate.files.paths import expand_path
from translate.values import build, short_repr

T = TypeVar("T")
TRANSFORMERS = ("encoder_decoder", "decoder_only", "language_model", "masked_lm")
FREEZE = ("encoder", "decoder", "embeddings")
NEURAL = (*TRANSFORMERS, "recurrent")
ENCODERS = ("encoder_decoder", "recurrent", "masked_lm")
POSITIONS = 1 << 28  # numbers in the table of positions, 1 GB


def trained(setting: T) -> T:
    """A field of a setting that only models use which learn by gradient."""
    return of_families(setting, *NEURAL)


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
    sampling: float = trained(bounded(0.0, least=0, most=0.9))


@dataclass
class ModelConfig:
    """The Transformer of "Attention is all you need" (Vaswani et al. 2017), section 3, and its relatives: see docs/families.md.

    A setting that the family doesn't use must have its default; a number of layers may also be 0.
    """

    family: str = choice("encoder_decoder", "decoder_only", "recurrent", "language_model", "masked_lm", "markov")
    width: int = of_families(bounded(256, least=1, most=1 << 20), *NEURAL)  # d_model
    heads: int = of_families(bounded(4, least=1, most=1 << 16), *NEURAL)
    feedforward: int = of_families(bounded(1024, least=1, most=1 << 24), *TRANSFORMERS)  # d_ff
    encoder_layers: int = of_families(bounded(3, least=0, most=1000), *ENCODERS, "recurrent")
    decoder_layers: int = of_families(bounded(3, least=0, most=1000), "encoder_decoder", "decoder_only", "recurrent", "language_model")
    dropout: float = of_families(bounded(0.1, least=0, most=0.9), *NEURAL)  # on each sublayer's output and on the embeddings (section 5.4)
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
    loss_on: str = of_families(choice("target", "all"), "decoder_only")  # all: source tokens too, in training and in its loss in the log
    order: int = of_families(bounded(3, least=1, most=5), "markov")  # n of the n-grams
    smoothing: str = of_families(choice("kneser_ney", "none"), "markov")


@dataclass
class InitConfig:
    """Weights of other runs that a new run starts from. They are read once: its first save has them, so it resumes without the other run."""

    from_: Optional[str] = trained(plain(None))  # run folder: all weights, and the tokenizer
    # with `from`; new: trained on the data, as the section `tokenizer` says. Pieces that both know keep their embedding.
    tokenizer: str = choice("same", "new")
    # run folder, such as of a masked_lm, with the same tokenizer: encoder and source embedding
    encoder: Optional[str] = of_families(plain(None), "encoder_decoder", "masked_lm")
    # run folder, such as of a language_model, with the same tokenizer: decoder and target embedding
    decoder: Optional[str] = of_families(plain(None), "encoder_decoder", "decoder_only", "language_model")
    freeze: List[str] = field(default_factory=list)  # parts that training leaves as they are: encoder, decoder, embeddings


@dataclass
class OptimConfig:
    """Adam with the paper's constants (section 5.3) and a schedule over the whole budget."""

    schedule: str = trained(choice("noam", "inverse_sqrt", "linear", "cosine"))
    rate: float = trained(bounded(1.0, above=0, most=1000.0))  # noam: factor of the paper's formula; else the peak learning rate
    warmup: int = trained(bounded(4000, least=0, most=10**9))  # steps
    beta1: float = trained(bounded(0.9, least=0, below=1))
    beta2: float = trained(bounded(0.98, least=0, below=1))
    epsilon: float = trained(bounded(1e-9, above=0, most=0.1))
    weight_decay: float = trained(bounded(0.0, least=0, most=1000.0))
    clip: float = trained(bounded(0.0, least=0, most=1e9))  # greatest gradient norm; 0 = off
    label_smoothing: float = trained(bounded(0.1, least=0, most=0.9))
    # alpha of R-Drop (Liang et al. 2021): each batch runs twice with different dropout, and the divergence of the two outputs is penalised; 0 = off
    r_drop: float = trained(bounded(0.0, least=0, most=1000.0))


@dataclass
class TrainingConfig:
    """Budget, batches, validation and checkpoints. The first limit reached ends the run."""

    steps: int = bounded(0, least=0, most=10**12)  # 0 = no limit
    minutes: float = bounded(0.0, least=0, most=1e7)  # wall clock from the first step, validations included; 0 = no limit
    # `minutes` doesn't end a run before this many steps: a slow or busy machine takes longer, but gets a usable model
    min_steps: int = trained(bounded(0, least=0, most=10**12))
    batch_tokens: int = bounded(4096, least=1, most=10**8)  # target tokens per batch, padding included
    accumulate: int = trained(bounded(1, least=1, most=10**6))  # batches per step: the gradient is that of one batch `accumulate` times as large
    validate_every: int = trained(bounded(1000, least=1, most=10**12))  # steps
    validate_sentences: int = bounded(0, least=0)  # of the development set, spread evenly over it; 0 = all
    validate_beam: int = of_families(bounded(1, least=1, most=1000), *TRANSLATING)
    # chooses the best checkpoint, on the development set; chrf: chrF++; models that don't translate go by loss
    metric: str = choice("bleu", "chrf", "loss")
    patience: int = trained(bounded(0, least=0, most=10**9))  # validations without improvement before the run ends; 0 = no limit
    average: int = trained(bounded(5, least=1, most=1000))  # checkpoints averaged at the end, if that is better on the development set
    keep: int = trained(bounded(5, least=1, most=10**6))  # checkpoints kept for averaging
    # decay of an exponential moving average of the weights, which is then what is validated, kept and averaged: 0.999 looks back on some 1,000
    # steps; 0 = off
    ema: float = trained(bounded(0.0, least=0, below=1))
    log_every: int = bounded(50, least=1, most=10**9)  # steps
    seed: int = trained(bounded(1, least=0, most=2**63 - 1))
    device: str = "auto"  # auto | cpu | cuda | cuda:N
    precision: str = trained(choice("auto", "fp32", "bf16"))
    threads: int = bounded(0, least=0, most=4096)  # 0 = torch's choice
    # use torch.compile: a minute at the start, hardly faster on CPUs; needs a C++ compiler. A recurrent model would be compiled for each length.
    compile: bool = of_families(plain(False), *TRANSFORMERS)
    tensorboard: bool = False


@dataclass
class DecodingConfig:
    """How translations are searched for; models that don't translate have no use for any of it."""

    beam: int = of_families(bounded(5, least=1, most=1000), *TRANSLATING)
    # alpha of Wu et al. 2016, equation 14; null = the best of several on the development set, chosen after the weights
    length_penalty: Optional[float] = of_families(bounded(None, least=0, most=3.0), *TRANSLATING)
    # what the model gets as one source: line is for models trained on paragraphs
    split: str = of_families(choice("sentence", "line"), *TRANSLATING)
    # an output may have max_ratio x source tokens + max_extra tokens
    max_ratio: float = of_families(bounded(2.0, least=0, most=1000.0), *TRANSLATING)
    max_extra: int = of_families(bounded(20, least=1, most=10**6), *TRANSLATING)
    # source tokens per batch, padding included, each counted `beam` times; null = 4,096 on a CPU, 32,768 on a GPU
    batch_tokens: Optional[int] = of_families(bounded(None, least=1, most=10**8), *TRANSLATING)


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
    check_families(config.model, "model", config.model.family)
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
        raise UserError(f"model.window_center ({model.window_center!r}) has no effect without a window: set model.window, or leave it out")
    if model.loss_on == "all" and not config.tokenizer.joint:
        raise UserError("model.loss_on=all needs tokenizer.joint=true: the output layer has the pieces of the target's tokenizer alone")
    if longest > model.max_tokens:
        raise UserError(f"data.filters.max_tokens ({longest}) must be at most model.max_tokens ({model.max_tokens}): there is no position beyond")
    if training.average > training.keep:
        raise UserError(f"training.average ({training.average}) needs as many checkpoints: raise training.keep ({training.keep})")
    if model.family in ONE_TEXT and not config.tokenizer.joint:
        raise UserError(f"tokenizer.joint is false: model.family={model.family} guesses tokens of both languages with one tokenizer; set it to true")
    check_init_settings(config)
    check_domain(config.data.filters)
    for corpus in (*config.data.train, *config.data.validation, *config.data.test.values()):
        if corpus.lines is not None:
            line_range(corpus.lines)
    return config


def check_init_settings(config: Config) -> None:
    """UserError for settings of `init` without effect."""
    init = config.init
    check_families(init, "init", config.model.family)
    for name in ("encoder", "decoder"):
        path = getattr(init, name)
        if path is not None and init.from_ is not None:
            raise UserError(f"init.from ({init.from_}) has all weights, so init.{name} ({path}) can't be given too: leave one out")
    if init.tokenizer == "new" and init.from_ is None:
        raise UserError("init.tokenizer=new has no effect without init.from: leave it out")
    for part in init.freeze:
        if part not in FREEZE or init.freeze.count(part) > 1:
            raise UserError(f"init.freeze has {short_repr(part)}: it lists, each once, {', '.join(FREEZE)}")
    if init.freeze and init.from_ is None and init.encoder is None and init.decoder is None:
        raise UserError(f"init.freeze ({', '.join(init.freeze)}) would keep random weights: give init.from, init.encoder or init.decoder")
    if set(init.freeze) == set(FREEZE):
        raise UserError(f"init.freeze has {', '.join(init.freeze)}: nothing would be left to train")


def check_budget(config: Config) -> Config:
    """`check`, plus what training needs: a corpus and a limit, and no setting that the family of models has no use for."""
    check(config)
    data, family = config.data, config.model.family
    if family not in NEURAL:
        check_once(config)
    for key in ("tokenizer", "optim", "training", "decoding", "data"):
        check_families(getattr(config, key), key, family)
    check_families(data.filters, "data.filters", family)
    if family not in TRANSLATING and config.training.metric == "chrf":
        raise UserError(f"training.metric (chrf) scores translations, and model.family={family} makes none: leave it out, the loss decides")
    if family not in OF_PAIRS and not config.tokenizer.joint and not config.tokenizer.path:
        raise UserError(f"tokenizer.joint is false: model.family={family} reads text of one language, with one tokenizer; leave it out")
    if not config.data.train:
        raise UserError("data.train is empty: choose a corpus (data=phrasebook, data=multi30k, ...) or list one in your recipe")
    if not config.training.steps and not config.training.minutes:
        raise UserError("training.steps and training.minutes are both 0: set one, or the run never ends")
    return config


def check_once(config: Config) -> None:
    """UserError for what has no effect on a model that counts all of its data in one step."""
    training, family = config.training, config.model.family
    if training.steps != 1 or training.minutes:
        raise UserError(
            f"model.family={family} counts all of its data in one step, but training.steps is {training.steps:,} and training.minutes "
            f"{training.minutes:g}: choose training=once, which sets training.steps=1, and leave them out"
        )
    for corpus in config.data.train:
        if corpus.weight != 1:
            raise UserError(
                f"weight of a corpus ({corpus.weight:g}) has no effect with model.family={family}, which counts each sentence once: leave it out"
            )


def from_dict(values: Any) -> Config:
    """A Config from plain values, with `~` expanded in the paths of data and tokenizer. UserError for an unknown key or a wrong type."""
    config = build(values, Config)
    data = config.data
    paths: list[tuple[Any, str]] = [
        (data, "folder"),
        (data, "cache"),
        (data.filters, "domain"),
        (config.tokenizer, "path"),
        *((config.init, name) for name in ("from_", "encoder", "decoder")),
    ]
    for corpus in (*data.train, *data.validation, *data.test.values()):
        names = ("path", "source", "target") if corpus.kind in ("text", "wmt") else ("path",)  # for other kinds, source and target are columns
        paths += [(corpus, name) for name in names]
    for section, name in paths:
        if path := getattr(section, name):
            setattr(section, name, expand_path(path))
    return config
