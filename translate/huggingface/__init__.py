"""Models in the Hugging Face layout: MarianMT folders, as of OPUS-MT, to and from sealed bundles.

In: a folder or a name on the hub, or a bundle.
Out: a bundle, or a folder.
May import: bundle, config, decoding, errors, files, model, tokenizer, values.
"""
