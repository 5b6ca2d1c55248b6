"""The Transformer (Vaswani et al. 2017, "Attention is all you need"), read in this order: attention, layers, transformer.

Shape letters used in every comment: B sentences, S source tokens, T target tokens, D width, H heads, V vocabulary, K beams, N = B * K rows.
Masks are boolean, True = may attend.

In: ids (B, S) and (B, T).
Out: logits (B, T, V).
May import: config, tokenizer.
"""

from translate.model.transformer import DecoderState, Memory, Transformer

__all__ = ["DecoderState", "Memory", "Transformer"]
