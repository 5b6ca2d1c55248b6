"""The corpora of a recipe -> batches for training.

corpora.py finds each corpus and its reader (aligned, delimited, jsonpairs, xmlpairs, tables); corpus.py writes its pairs to the cache;
pairs.py reads them back; prepare.py filters and tokenises them for training; batches.py shuffles, pads and pins.

In: corpora, as named in a recipe.
Out: padded batches of ids.
May import: config, device, errors, files, model, phrasebook, profile, text, tokenizer, values.
"""
