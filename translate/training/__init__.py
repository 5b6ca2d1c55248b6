"""The training run: recipe in, run folder out. Loss, optimizer, validation, saves, resume.

In: a configuration.
Out: a run folder.
May import: bundle, checks, config, data, decoding, device, errors, evaluation, files, kernels, model, tokenizer, translation, values.
"""
