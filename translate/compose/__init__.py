"""Recipes and `key=value` words to configurations: read, vetted, laid over each other by Hydra, errors told by file and line.

In: recipe files and words.
Out: configurations, one a run.
May import: config, errors, values.
"""
