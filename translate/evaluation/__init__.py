"""How good translations are: test sets, BLEU, chrF and TER with signatures, intervals, warnings.

In: translations and references.
Out: scores, report.json.
May import: config, data, decoding, errors, files, text, translation.
"""
