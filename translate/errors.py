"""The exception for what a user can fix. Any other exception is a bug of ours and shows a traceback."""


class UserError(ValueError):
    """A setting, file or text that can't be used. The message is one line: what, the values, what to do. The commands print it and exit with 2."""
