"""Text handling without a model: lines, encodings, file formats, records, numbers, sentence ends, quality checks.

In: bytes.
Out: lines, and problems found in them.
May import: errors, files.
"""
