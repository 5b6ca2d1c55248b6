"""Scores of translations: test sets, BLEU, chrF++ and TER with signatures, intervals and p-values, warnings of doubtful ones.

In: translations and references.
Out: scores, report.json.
May import: config, data, decoding, errors, files, text, translation.
"""
