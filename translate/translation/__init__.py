"""Lines to translations: split long lines, batch by length, search in threads or processes, restore the order; flag likely errors.

In: lines and a bundle.
Out: translations, in the order of the lines.
May import: bounds, bundle, config, data, decoding, device, errors, files, kernels, model, profile, text, tokenizer, values.
"""
