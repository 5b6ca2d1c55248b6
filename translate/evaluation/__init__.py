"""Scoring: test sets, BLEU, chrF++ and TER with signatures, intervals and p-values, and warnings about doubtful scores.

In: translations and references.
Out: scores, report.json.
May import: bundle, config, data, decoding, device, errors, files, model, text, tokenizer, translation.
"""
