"""From scores to weights, and how much of the source attention looks at: all of it, or a window around a place.

Luong et al. 2015, "Effective approaches to attention-based neural machine translation", section 3.2.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.model.attention import softmax
from translate.model.attention_scores import SCORES


class Monotonic(nn.Module):
    """The window goes along with the target: its centre is p_t = t (Luong et al. 2015, section 3.2, local-m), or the last source token."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def forward(self, query: Tensor, lengths: Tensor, position: Optional[int]) -> Tensor:
        """query (B, H, T, d), lengths (B, 1, 1, 1) of the sources -> centres (B, 1, T, 1), in source tokens from 0."""
        T, device = query.shape[2], query.device
        t = torch.arange(T, device=device) if position is None else torch.full((T,), position, device=device)
        return torch.minimum(t[:, None], lengths - 1)


class Predicted(nn.Module):
    """p_t = S sigmoid(v · tanh(W q)) for a source of S tokens (Luong et al. 2015, equation 9, local-p)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d = config.width // config.heads
        self.weight = nn.Parameter(torch.empty(config.heads, d, d))
        self.vector = nn.Parameter(torch.empty(config.heads, d))

    def forward(self, query: Tensor, lengths: Tensor, position: Optional[int]) -> Tensor:
        """As `Monotonic`, one for each head: (B, H, T, 1)."""
        hidden = (query @ self.weight.transpose(-1, -2)).tanh() * self.vector[:, None]
        return lengths * hidden.sum(-1, keepdim=True, dtype=torch.promote_types(hidden.dtype, torch.float32)).sigmoid()


class AttentionWeights(nn.Module):
    """The softmax of a score, over the whole source or a window of D = `model.window` tokens on either side of a centre.

    With a predicted centre the weights inside are multiplied by a Gaussian around it, of deviation D / 2 (Luong et al. 2015, equation 10), through
    which the centre gets a gradient; they add up to less than 1 then.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.window = config.window
        self.predicted = config.window_center == "predicted"
        self.score = SCORES[config.attention](config)
        self.center = (Predicted if self.predicted else Monotonic)(config) if config.window else None

    def forward(self, query: Tensor, key: Tensor, mask: Optional[Tensor] = None, position: Optional[int] = None) -> Tensor:
        """How much each query takes from each key.

        Args:
            query: (B, H, T, d).
            key: (B, H, S, d).
            mask: (B, 1, 1, S) as in `attention_weights`; its padding is on the right.
            position: of all queries in the target, from 0; None: query t is at position t.

        Returns:
            (B, H, T, S), in fp32 at least.
        """
        scores, S = self.score(query, key), key.shape[2]
        if self.center is None:
            return softmax(scores, mask)
        tokens = query.new_ones((1, 1, 1, S), dtype=torch.bool) if mask is None else mask if mask.dtype == torch.bool else mask == 0
        center = self.center(query, tokens.sum(-1, keepdim=True), position)
        distance = torch.arange(S, device=query.device) - center  # (B, H or 1, T, S)
        weights = softmax(scores, tokens & (distance.abs() <= self.window))
        return weights * torch.exp(-2 * (distance / self.window) ** 2) if self.predicted else weights


def weights_of_score(config: ModelConfig) -> Optional[AttentionWeights]:
    """For cross-attention; None for the scaled dot product over the whole source, which has kernels."""
    return None if config.attention == "scaled_dot" and not config.window else AttentionWeights(config)
