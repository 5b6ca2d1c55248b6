"""The training loop that most people write, around torch.nn.Transformer or a Hugging Face encoder-decoder. Prints JSON: a rate per step.

    python training_loop.py torch|huggingface fp32|bf16 PAIRS.json STEPS THREADS

PAIRS.json: {"vocabulary": V, "batches": [[[source ids], ...], [[target ids], ...]], ...}, end marks included, pad 0, begin 1. The rivals are
given our batches, sorted by length on both sides, so that they lose nothing to padding.
"""

from __future__ import annotations

import json
import math
import sys
import time

import torch
from torch import nn

PAD, BOS = 0, 1
WIDTH, HEADS, FEEDFORWARD, LAYERS, DROPOUT, SMOOTHING = 256, 4, 1024, 3, 0.1, 0.1


class TorchTransformer(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)
        self.transformer = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, FEEDFORWARD, DROPOUT, batch_first=True, norm_first=True)
        angles = torch.arange(256)[:, None] * torch.exp(torch.arange(0, WIDTH, 2) * -(math.log(10_000.0) / WIDTH))
        self.register_buffer("positions", torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1))
        self.dropout = nn.Dropout(DROPOUT)

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.embedding(ids) * math.sqrt(WIDTH) + self.positions[: ids.shape[1]])

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        padding = source == PAD
        hidden = self.transformer(
            self.embed(source),
            self.embed(target),
            tgt_mask=causal,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return hidden @ self.embedding.weight.T


class HuggingFace(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        from transformers import PegasusConfig, PegasusForConditionalGeneration

        shape = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in
                 (("layers", LAYERS), ("attention_heads", HEADS), ("ffn_dim", FEEDFORWARD))}  # fmt: skip
        self.model = PegasusForConditionalGeneration(
            PegasusConfig(
                vocab_size=vocabulary, d_model=WIDTH, max_position_embeddings=256, dropout=DROPOUT, attention_dropout=0.0,
                activation_dropout=0.0, activation_function="relu", scale_embedding=True, use_cache=False,
                pad_token_id=PAD, eos_token_id=2, decoder_start_token_id=BOS, **shape,
            )
        )  # fmt: skip

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=source, attention_mask=source != PAD, decoder_input_ids=target).logits


def pad(sentences: list[list[int]]) -> torch.Tensor:
    longest = max(map(len, sentences))
    return torch.tensor([sentence + [PAD] * (longest - len(sentence)) for sentence in sentences])


def main() -> None:
    kind, precision, pairs, steps, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    with open(pairs, encoding="utf-8") as file:
        given = json.load(file)
    model = {"torch": TorchTransformer, "huggingface": HuggingFace}[kind](given["vocabulary"])
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9)
    rates, losses = [], []
    for sources, targets in given["batches"][: int(steps)]:
        began = time.perf_counter()
        source, labels = pad(sources), pad(targets)
        target = torch.cat([torch.full((len(labels), 1), BOS), labels[:, :-1]], dim=1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(source, target)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD, label_smoothing=SMOOTHING)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        rates.append(int((labels != PAD).sum()) / (time.perf_counter() - began))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(json.dumps({"rates": rates, "first_loss": losses[0], "last_loss": losses[-1], "parameters": parameters}))


if __name__ == "__main__":
    main()
