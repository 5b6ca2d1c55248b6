"""A run folder as a model that can be copied: config.yaml, the tokenizer and the weights, each checked when read.

In: a folder.
Out: a configuration, a tokenizer and a model.
May import: config, errors, files, model, tokenizer, values.
"""
