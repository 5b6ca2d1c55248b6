"""Where sentence pairs come from, and how they become batches: sources, cache, filters, tokenising, token budgets.

In: corpora, as a recipe names them.
Out: padded batches of ids.
May import: config, device, errors, files, phrasebook, text, tokenizer, values.
"""
