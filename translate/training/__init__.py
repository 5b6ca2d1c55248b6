"""Training: from a recipe to a run folder. Loss, optimizer, validation, checkpoints, resuming.

In: a configuration.
Out: a run folder.
May import: bundle, checks, config, data, decoding, device, errors, evaluation, files, kernels, model, profile, text, tokenizer, translation, values.
"""
