"""What may be wrong with the data of a recipe, before hours of training.

In: a configuration.
Out: findings.
May import: config, data, errors, evaluation, text, tokenizer.
"""
