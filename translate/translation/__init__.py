"""Lines to translations: cut long lines, batch by length, search in threads or processes, restore the order; find what may be wrong.

In: lines and a bundle.
Out: translations, in the order of the lines.
May import: bundle, config, decoding, device, errors, files, kernels, model, text, tokenizer, values.
"""
