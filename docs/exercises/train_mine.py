"""Step 10: train the Transformer in my_transformer.py on the phrasebook. From the project's folder: python docs/exercises/train_mine.py"""

from __future__ import annotations

import argparse
import random
import tempfile
import time

import my_transformer as mine
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from translate import score
from translate.config import TokenizerConfig
from translate.phrasebook import pairs
from translate.tokenizer import Tokenizer, train_tokenizer

WIDTH, HEADS, FEEDFORWARD, LAYERS = 128, 4, 512, 2
BATCH = 64  # sentences
WARMUP, RATE = 200, 0.5  # of equation 3: steps, and a factor
LONGEST = 40  # tokens of a translation


def train(steps: int) -> tuple[mine.Transformer, Tokenizer]:
    torch.manual_seed(1)
    generator = random.Random(1)
    corpus = pairs("train")
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = train_tokenizer(corpus, TokenizerConfig(vocabulary=2000), folder)
    sources, targets = (encode(lines) for encode, lines in zip((tokenizer.encode_source, tokenizer.encode_target), zip(*corpus)))
    order = sorted(range(len(corpus)), key=lambda place: len(targets[place]))  # sentences of one length together: little padding
    batches = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
    model = mine.Transformer(tokenizer.target_size, WIDTH, HEADS, FEEDFORWARD, LAYERS)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    losses, begin = [], time.monotonic()
    for step in range(1, steps + 1):
        batch = generator.choice(batches)
        source, labels = (pad_sequence([torch.tensor(side[place]) for place in batch], True, mine.PAD) for side in (sources, targets))
        losses.append(mine.training_step(model, optimizer, source, labels, RATE * mine.learning_rate(step, WIDTH, WARMUP)))
        if step % 50 == 0:
            print(f"step {step:4}: loss {sum(losses[-50:]) / 50:.2f}, {time.monotonic() - begin:.0f} seconds", flush=True)
    return model, tokenizer


@torch.no_grad()
def translate(model: mine.Transformer, tokenizer: Tokenizer, line: str) -> str:
    source = torch.tensor(tokenizer.encode_source([line]))
    memory, mask = model.encode(source), mine.padding_mask(source)

    def next_logits(prefixes: Tensor) -> Tensor:  # the whole prefix again at every step: the toolkit keeps its keys and values instead
        return model.decode(prefixes, memory.expand(len(prefixes), -1, -1), mask)[:, -1]

    ids, _ = mine.beam_search(next_logits, beam=4, alpha=1.0, limit=LONGEST)[0]
    return tokenizer.decode([ids])[0]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--sentences", type=int, default=200, help="of the test set")
    arguments = parser.parse_args(words)
    model, tokenizer = train(arguments.steps)
    model.eval()
    test = pairs("test")[: arguments.sentences]
    outputs = [translate(model, tokenizer, german) for german, _ in test]
    for (german, english), output in list(zip(test, outputs))[:5]:
        print(f"\n{german}\n  yours:     {output}\n  reference: {english}")
    bleu = score(outputs, [english for _, english in test], metrics=("bleu",), bootstrap=0)["BLEU"]
    print(f"\nBLEU {bleu['value']:.1f} ({bleu['signature']}) on {len(test)} sentences of generated text: it says that your model works, no more")


if __name__ == "__main__":
    main()
