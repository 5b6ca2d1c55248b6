"""Recipes and `key=value` words to configurations: read, checked, merged by Hydra; errors name file and line.

In: recipe files and words.
Out: configurations, one a run.
May import: config, errors, values.
"""
