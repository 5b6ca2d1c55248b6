"""The command line: words in, one of the folders below called, an exit code out. One file a subcommand.

In: the words of a command.
Out: text on stdout, one line on stderr for a mistake, an exit code.
May import: api, bounds, bundle, checks, compose, config, decoding, device, errors, evaluation, files, text, training, translation, values.
"""
