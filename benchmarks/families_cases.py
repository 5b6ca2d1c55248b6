"""For families.py: which models are trained, and which part of the page needs which."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = ("encoder_decoder", "decoder_only", "recurrent", "language_model", "masked_lm", "markov")
TRANSLATE, GENERATE = FAMILIES[:3], ("language_model", "markov")  # those that turn a source into a target; those that write from nothing
RECIPES = {("multi30k", "encoder_decoder"): "multi30k_de_en", ("phrasebook", "encoder_decoder"): "quickstart"}  # others: CORPUS_FAMILY
SIZES = {  # what a recipe needs to have as many parameters as the encoder-decoder's
    ("multi30k", "masked_lm"): ("model.encoder_layers=6",),
    ("phrasebook", "masked_lm"): ("model.encoder_layers=5", "model.feedforward=448"),
}
TESTS = {"multi30k": ["test_2016_flickr"], "phrasebook": ["test", "test_unseen"]}
MINUTES = {"multi30k": 15.0, "phrasebook": 2.5}
SEEDS = (1, 2, 3)
SCORES = ("scaled_dot", "dot", "general", "additive", "cosine", "location")
SCORED = {  # name in the table -> settings, for encoder_decoder and recurrent
    **{score: [f"model.attention={score}"] for score in SCORES},
    "scaled_dot, window 5, predicted": ["model.window=5", "model.window_center=predicted"],
    "scaled_dot, window 5, monotonic": ["model.window=5", "model.window_center=monotonic"],
}
LEARNED = {"scaled_dot, learned positions": ["model.positions=learned"]}  # of encoder_decoder; the recurrent family has none
TWO_BY_TWO = [(prefix, loss) for prefix in ("bidirectional", "causal") for loss in ("target", "all")]
PAIRS = (2_000, 5_000, 29_000)
SCORED_STEPS, TWO_BY_TWO_STEPS, PAIRS_STEPS = 1_000, 2_500, {2_000: 1_500, 5_000: 2_500}  # of parts that compare at equal steps
PRETRAINING_STEPS = 2_500  # of each translation model and of each masked language model
ORDERS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Case:
    """A model to train and measure. name: of its run folder and results. steps: None for the minutes of `MINUTES`."""

    name: str
    corpus: str
    family: str
    words: tuple[str, ...] = ()
    steps: int | None = None


def main_case(corpus: str, family: str) -> Case:
    return Case(f"{corpus}_{family}", corpus, family, SIZES.get((corpus, family), ()))


def scored_cases() -> dict[tuple[str, str], list[Case]]:
    """By family and name in the table: a case for each seed."""
    cases = {}
    for family, variants in (("encoder_decoder", SCORED | LEARNED), ("recurrent", SCORED)):
        for title, words in variants.items():
            name = f"{family}_{title.replace(', ', '_').replace(' ', '_')}"
            words = ["model.attention=scaled_dot", *words] if not words[0].startswith("model.attention") else words
            cases[family, title] = [Case(f"{name}_{seed}", "phrasebook", family, (*words, f"training.seed={seed}"), SCORED_STEPS) for seed in SEEDS]
    return cases


def two_by_two_cases(prefix: str, loss: str) -> list[Case]:
    """A case for each seed."""
    words = (f"model.prefix={prefix}", f"model.loss_on={loss}")
    return [
        Case(f"decoder_only_{prefix}_{loss}_{seed}", "multi30k", "decoder_only", (*words, f"training.seed={seed}"), TWO_BY_TWO_STEPS)
        for seed in SEEDS
    ]


def cases_beside() -> list[Case]:
    """The encoder-decoders that the two by the two are compared with."""
    return [Case(f"encoder_decoder_steps_{seed}", "multi30k", "encoder_decoder", (f"training.seed={seed}",), TWO_BY_TWO_STEPS) for seed in SEEDS]


def causal_case() -> Case:
    """A single stack that reads the source from left to right, for the minutes of the one that sees it whole."""
    return Case("multi30k_decoder_only_causal", "multi30k", "decoder_only", ("model.prefix=causal",))


def pairs_case(family: str, pairs: int) -> Case:
    if pairs == PAIRS[-1]:
        return main_case("multi30k", family)
    return Case(f"{family}_{pairs}", "multi30k", family, (f"data.train.0.lines=1-{pairs}",), PAIRS_STEPS[pairs])


def markov_case(order: int) -> Case:
    return Case(f"markov_{order}", "multi30k", "markov", (f"model.order={order}",))


PARTS: dict[str, list[Case]] = {
    "multi30k": [main_case("multi30k", family) for family in FAMILIES],
    "phrasebook": [main_case("phrasebook", family) for family in FAMILIES],
    "scores": [case for cases in scored_cases().values() for case in cases],
    "two_by_two": [*(case for choice in TWO_BY_TWO for case in two_by_two_cases(*choice)), *cases_beside(), causal_case()],
    "pairs": [pairs_case(family, pairs) for pairs in PAIRS for family in TRANSLATE[:2]],
    "context": [main_case("multi30k", "decoder_only")],
    "cache": [main_case("multi30k", family) for family in TRANSLATE[:2]],
    "pretraining": [],
    "markov": [*map(markov_case, ORDERS), main_case("multi30k", "language_model")],
    "attention": [],
}
OWN_RESULTS = ("context", "cache", "pretraining", "attention")  # parts that have more than those of their cases
