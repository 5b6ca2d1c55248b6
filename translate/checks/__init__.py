"""Checks of a recipe's data before training: shifted lines, unsuitable text, overlaps, rare pieces.

In: a configuration.
Out: findings.
May import: config, data, errors, evaluation, text, tokenizer.
"""
