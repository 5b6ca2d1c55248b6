"""The same mathematics as model/, faster on CPUs. Each kernel has a plain twin, a test that compares the two, and a note of its speed-up.

`TRANSLATE_KERNELS=plain` disables all kernels. `benchmarks/kernels.py` measures them.

In: a model.
Out: the same model, faster.
May import: errors, model.
"""

from translate.kernels.choose import for_search, for_training, use_kernels

__all__ = ["for_search", "for_training", "use_kernels"]
