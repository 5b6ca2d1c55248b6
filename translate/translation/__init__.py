"""Lines to lines: cut what is too long, batch by length, search in threads or processes, restore the order, name what looks wrong.

In: lines and a bundle.
Out: translations, in the order of the lines.
May import: bundle, config, decoding, device, errors, files, kernels, model, text, tokenizer, values.
"""
