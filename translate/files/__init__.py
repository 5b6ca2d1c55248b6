"""Files: user-given paths, atomic writes of files and folders, hashes, locks, resumable output.

In: a path.
Out: bytes on disk, or a one-line error.
May import: errors.
"""
