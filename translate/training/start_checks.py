"""What `translate check` says about a run that starts from another; training says the warnings about its rate."""

from __future__ import annotations

from collections.abc import Iterator

from translate.checks.finding import Finding
from translate.checks.init_checks import check_pieces, check_texts
from translate.config import Config
from translate.errors import UserError
from translate.model.families import FAMILIES
from translate.training.init import starts
from translate.training.optim import check_start_rate

HINTS = {
    "from": "init.tokenizer=new trains pieces on this text, and keeps the embeddings of those that both know",
    "encoder": "train without init.encoder, or let its run read text like this",
    "decoder": "train without init.decoder, or let its run read text like this",
}


def check_start(config: Config) -> Iterator[Finding]:
    """Findings about pieces, rate and texts of the runs that `init` names; an error for one that can't be read."""
    try:
        yield from check_rates(config)
        for start in starts(config):
            other = start.folder.config
            if start.key != "from" or config.init.tokenizer == "same":
                yield from check_pieces(config, other, start.folder.tokenizer, start.name, HINTS[start.key])
            yield from check_texts(config, other, start.name)
    except UserError as error:
        yield Finding("error", "init", str(error))


def check_rates(config: Config) -> Iterator[Finding]:
    """A finding for the run whose weights are all taken over: of parts, the rest is random, and wants the usual rate."""
    if FAMILIES[config.model.family].learns_by_counting:
        return
    for start in starts(config):
        if start.key == "from":
            yield check_start_rate(config, start.folder.config, start.name)
