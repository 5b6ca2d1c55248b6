"""How attention compares a query with a key.

A score is a number for each pair of a query (what a target token looks for) and a key (what a source token offers): `score(query, key)`, with query
(B, H, T, d) and key (B, H, S, d) -> (B, H, T, S). A softmax over the source makes weights of it. Queries and keys are projections of the decoder's
and the encoder's states already, one for each head; what is learnt here comes on top. Only the scaled dot product has kernels.

    Bahdanau et al. 2015, "Neural machine translation by jointly learning to align and translate"
    Graves et al. 2014, "Neural Turing machines"
    Luong et al. 2015, "Effective approaches to attention-based neural machine translation"
    Vaswani et al. 2017, "Attention is all you need"
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from translate.config import ModelConfig


class ScaledDot(nn.Module):
    """q · k / sqrt(d) (Vaswani et al. 2017, equation 1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])


class Dot(nn.Module):
    """q · k (Luong et al. 2015, section 3.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return query @ key.transpose(-1, -2)


class General(nn.Module):
    """q · W k (Luong et al. 2015, section 3.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d = config.width // config.heads
        self.weight = nn.Parameter(torch.empty(config.heads, d, d))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return query @ self.weight @ key.transpose(-1, -2)


class Additive(nn.Module):
    """v · tanh(q + k): with the projections before it, the v · tanh(W s + U h) of Bahdanau et al. 2015, appendix A.1.2, and what Luong et al. 2015
    call concat. The only score with a number for each pair and each place of a vector: it needs d times the memory of the others."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.empty(config.heads, config.width // config.heads))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        sums = query[:, :, :, None] + key[:, :, None]  # (B, H, T, S, d)
        return (sums.tanh() * self.vector[:, None, None]).sum(-1)


class Cosine(nn.Module):
    """b cos(q, k) (Graves et al. 2014, equations 5 and 6). The strength b > 0 comes from the query: softplus(w · q + sqrt(d)), so that with w = 0 the
    score is about as large as the scaled dot product of random vectors."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.empty(config.heads, config.width // config.heads))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        strength = nn.functional.softplus(query @ self.strength[..., None] + math.sqrt(query.shape[-1]))  # (B, H, T, 1)
        query, key = nn.functional.normalize(query, dim=-1), nn.functional.normalize(key, dim=-1)
        return strength * (query @ key.transpose(-1, -2))


class Location(nn.Module):
    """W q, a number for each place in the source, whatever is there (Luong et al. 2015, equation 8)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.heads, config.max_tokens, config.width // config.heads))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return query @ self.weight[:, : key.shape[2]].transpose(-1, -2)


SCORES: dict[str, type[nn.Module]] = {
    "scaled_dot": ScaledDot,
    "dot": Dot,
    "general": General,
    "additive": Additive,
    "cosine": Cosine,
    "location": Location,
}
