"""The same mathematics as model/, made fast on CPUs.

In: a model.
Out: the same model, faster.
May import: model.
"""
