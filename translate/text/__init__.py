"""Text without a model: what a line is, what encoding and format a file has, records, numbers, sentence ends, what makes a text unfit.

In: bytes.
Out: lines, and what is wrong with them.
May import: errors, files.
"""
