"""Recipes and `key=value` arguments to configurations: read, checked, merged by Hydra; errors name file and line.

In: recipe files and arguments.
Out: configurations, one per run.
May import: config, errors, values.
"""
