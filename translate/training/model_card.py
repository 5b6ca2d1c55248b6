"""report.json and the configuration -> README.md, the model card of a run (Mitchell et al. 2019) as the Hugging Face hub shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from translate.config import Config, CorpusConfig, ModelConfig, used_settings
from translate.data.sides import TARGET, sides_of, unit
from translate.evaluation.report import change_rows
from translate.files.atomic import atomic_text
from translate.model.families import FAMILIES

CARD = "README.md"
SAMPLES = 3  # translations of each test set
TITLES = {  # of families
    "encoder_decoder": 'A Transformer ("Attention is all you need")',
    "decoder_only": "A decoder-only Transformer (one stack, which reads source and target as one text)",
    "recurrent": "A recurrent model with attention",
    "language_model": "A language model (one Transformer stack)",
    "masked_lm": "A masked language model (a Transformer encoder)",
    "markov": "A Markov chain (n-gram counts over pieces)",
}
SIZES = ("family", "width", "heads", "feedforward", "encoder_layers", "decoder_layers", "dropout", "norm", "order", "smoothing")
TEXT = """\
---
{metadata}
---

# {name}: {title}

{family} of {parameters:,} parameters that {does}, trained with translate-nmt.

    translate {use}

FOLDER holds config.yaml, the tokenizer and model.safetensors; the other files of a run are not needed.

## Data

{corpora}

{read:,} {unit} were read and {kept:,} kept{left_out}. SHA-256 of the training data: `{fingerprint}`.

## Training

- model: {model}
- tokenizer: SentencePiece {kind}, {vocabulary:,} pieces
{how}
- weights {weights}
- {minutes:.1f} minutes on {device} in {precision}: {machine}
- {versions}

## Scores

{scores}

## Limits

{limits}
"""
BY_STEPS = """\
- optimizer: Adam, schedule {schedule}, rate {rate:g}, {warmup:,} steps of warm-up, label smoothing {label_smoothing:g}, R-Drop {r_drop:g}
- {steps:,} steps of up to {batch_tokens:,} target tokens, {target_tokens:,} tokens in all, seed {seed}"""
BY_COUNTING = "- {target_tokens:,} tokens counted"
TRANSLATES = """\
The model is made for sentences like those it was trained on. On other text it may be fluent and wrong, and it repeats errors and biases of its
data. Check its translations before you rely on them."""
MAKES_UP = """\
The model knows sentences like those it was trained on, and repeats errors and biases of its data. What it makes up is fluent at best: it
knows no facts."""
USES = {  # by the command: title, what the model does, how to call it, and its limits
    "file": ("{pair}", "translates {pair}", "file -m FOLDER input.{source} -o output.{target}", TRANSLATES),
    "generate": ("text in {target}", "predicts text in {target}", "generate -m FOLDER", MAKES_UP),
    "fill": ("gaps in {source} and {target}", "fills gaps in {source} and {target}", 'fill -m FOLDER "A <mask> ."', MAKES_UP),
}


def write_model_card(folder: Path, config: Config, report: dict[str, Any]) -> None:
    """`report`: of a finished training."""
    with atomic_text(folder / CARD) as file:
        file.write(model_card(folder.absolute().name, config, report))


def model_card(name: str, config: Config, report: dict[str, Any]) -> str:
    data, (source, target) = config.data, (config.data.source_language, config.data.target_language)
    hub = sorted({corpus.path for corpus in data.train if corpus.kind == "hub" and not (data.folder and corpus.files)})
    command, sides = FAMILIES[config.model.family].command, sides_of(config.model)
    languages, tag = [source, target] if sides != TARGET else [target], {"file": "translation", "generate": "text-generation", "fill": "fill-mask"}
    metadata = {"language": languages, "pipeline_tag": tag[command], "library_name": "translate-nmt", **({"datasets": hub} if hub else {})}
    words = {"pair": f"{source} to {target}", "source": source, "target": target}
    title, does, use, limits = (text.format(**words) for text in USES[command])
    sets = [("training", data.train), ("development", data.validation), *((f"test set {test}", [corpus]) for test, corpus in data.test.items())]
    counts = report["data"]
    left_out = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in counts["left_out"].items() if count)
    how = (BY_COUNTING if FAMILIES[config.model.family].learns_by_counting else BY_STEPS).format(
        **{key: getattr(config.optim, key) for key in ("schedule", "rate", "warmup", "label_smoothing", "r_drop")},
        batch_tokens=config.training.batch_tokens * config.training.accumulate, seed=config.training.seed,
        **{key: report[key] for key in ("steps", "target_tokens")},
    )  # fmt: skip
    return TEXT.format(
        metadata=yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True).strip(), name=name, unit=unit(sides),
        title=title, family=TITLES[config.model.family], model=describe_model(config.model), does=does, use=use, limits=limits,
        corpora="\n".join(f"- {use}: {describe(corpora, data.folder is not None)}" for use, corpora in sets if corpora),
        **{key: counts[key] for key in ("read", "kept", "fingerprint")}, left_out=f" (left out: {left_out})" if left_out else "",
        **{key: getattr(config.tokenizer, key) for key in ("kind", "vocabulary")},
        how=how, minutes=report["seconds"] / 60, **{key: report[key] for key in ("parameters", "weights", "device", "precision")},
        machine=describe_machine(report["processes"], report["threads"]),
        versions=", ".join(f"{package} {version}" for package, version in report["versions"].items()), scores="\n".join(scores(report)).strip(),
    )  # fmt: skip


def describe_model(model: ModelConfig) -> str:
    """Family and sizes, and what else isn't at its default."""
    default = ModelConfig()
    values = {name: value for name, value in used_settings(model, model.family).items() if name in SIZES or value != getattr(default, name)}
    return ", ".join(f"{name} {value}" for name, value in values.items())


def describe_machine(processes: int, threads: int) -> str:
    """threads: of each process."""
    each = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"1 process, {each}" if processes == 1 else f"{processes} processes, {each} each"


def describe(corpora: Sequence[CorpusConfig], local: bool) -> str:
    """Kinds and names of corpora; of a path only the last part, since its folders differ between machines. local: read from data.folder."""
    texts = []
    for corpus in corpora:
        kind = "text" if local and corpus.files else corpus.kind
        name = corpus.path if kind == "hub" else os.path.basename(corpus.files or corpus.path or corpus.source or corpus.target)
        parts = [f"{kind} {name}".strip(), *([corpus.split] if kind in ("hub", "saved", "phrasebook") else [])]
        parts += [] if corpus.lines is None else [f"lines {corpus.lines}"]
        texts.append(", ".join([*parts, *([f"weight {corpus.weight:g}"] if corpus.weight != 1 else [])]))
    return "; ".join(texts)


def scores(report: dict[str, Any]) -> Iterator[str]:
    """Markdown: the scores of the development set; of each test set scores with signatures, and some translations."""
    if report.get("learnt") is False:
        reason = "its translations of the development set hardly depend on their sources" if "dev_bleu" in report else "its loss is that of guessing"
        yield f"**The model has learnt nothing:** {reason}.\n"
    if chosen := report.get("chosen_on"):
        beam = f", beam {chosen['beam']}" if "beam" in chosen else ""
        yield f"Development set {chosen['set']}, {chosen['sentences']:,} of {chosen['of']:,} lines{beam}; it chose the weights:\n"
        if "dev_bleu" in report:
            yield f"- BLEU {report['dev_bleu']:.2f}\n- chrF++ {report['dev_chrf']:.2f}\n"
        else:
            yield f"- loss {report['dev_loss']:.3f}, perplexity {report['dev_perplexity']:.2f}\n"
    for name, test in report.get("test", {}).items():
        decoding = test.get("decoding", {})  # none without translations
        search = "".join(f", {name.replace('_', ' ')} {f'{value:g}' if isinstance(value, float) else value}" for name, value in decoding.items())
        yield f"Test set {name}, {test['sentences']:,} sentences{search}:\n"
        for metric, score in test["scores"].items():
            interval = f" [{score['low']:.2f}, {score['high']:.2f}]" if "low" in score else ""
            yield f"- {metric} {score['value']:.2f}{interval} (`{score['signature']}`)"
        samples = ["\n".join(f"{key:<12} {sample[key]}" for key in ("source", "reference", "translation")) for sample in test["samples"][:SAMPLES]]
        yield "\n```text\n" + "\n\n".join(samples) + "\n```\n" if samples else ""
    if changes := report.get("before_and_after"):
        head, *rows = change_rows(changes)
        yield "The training started from the weights of another model. The same searches before and after:\n"
        for cells in (["set", *head[1:]], ["---"] * len(head), *rows):
            yield f"| {' | '.join(cells)} |"
