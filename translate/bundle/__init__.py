"""The portable model in a run folder: config.yaml, tokenizer and weights, each checked when read.

In: a folder.
Out: a configuration, a tokenizer and a model.
May import: config, errors, files, model, profile, tokenizer, values.
"""
