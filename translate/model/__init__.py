"""The Transformer (Vaswani et al. 2017, "Attention is all you need"), read in this order: attention, layers, transformer; kv_cache for search.

Its relatives are in files of their own; model.py has what all families share, families.py their names.

Shape letters used in every comment: B sentences, S source tokens, T target tokens, D width, H heads, d = D / H, V vocabulary, L decoder layers,
R hypotheses of a sentence. Masks are True where attention is allowed.

In: ids (B, S) and (B, T).
Out: logits (B, T, V).
May import: config, tokenizer.
"""

from translate.model.kv_cache import KVCache
from translate.model.layers import Memory
from translate.model.model import Model
from translate.model.transformer import Transformer

__all__ = ["KVCache", "Memory", "Model", "Transformer"]
