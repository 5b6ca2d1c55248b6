"""Files: paths as users write them, files and folders that appear whole or not at all, hashes, locks, long jobs that go on.

In: a path.
Out: bytes on disk, or one line that says why not.
May import: errors.
"""
