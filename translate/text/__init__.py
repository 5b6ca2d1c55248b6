"""Text handling without a model: lines, encodings, file formats, records, numbers, what is kept as it is, sentence ends, quality checks.

In: bytes.
Out: lines, and problems found in them.
May import: errors, files.
"""
